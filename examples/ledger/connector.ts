/**
 * How the connector is audited: `ferrule audit connector.ts --probe` in this folder.
 *
 * The ledger is the company's, with one entry. In place of its identity provider stands one that gives a token for the ledger
 * to whoever the connector has let in: who that is, the audit decides.
 */
import { Audit } from "@ferrule/cli"
import { IdempotencyStore, Principal } from "@ferrule/core"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import { Effect, Layer, Redacted } from "effect"
import { RateLimiter } from "effect/persistence"
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from "jose"
import type { RequestListener } from "node:http"
import { listen, textOf } from "./company/listen.ts"
import * as LedgerServer from "./company/LedgerServer.ts"
import { LedgerHandlers } from "./handlers.ts"
import { Ledger } from "./Ledger.ts"
import { LedgerConnector } from "./tools.ts"

const audience = "https://ledger.acme.example/"

/** Publishes its key, and exchanges any token for one of the same subject. */
const identityProvider = Effect.gen(function* () {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("ES256"))
  const jwk = yield* Effect.promise(() => exportJWK(publicKey))
  return yield* listen(0, (issuer) => {
    const tokenFor = (subject: string) =>
      new SignJWT({ scope: "entries:read entries:write" })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setExpirationTime("1 minute")
        .sign(privateKey)

    const exchange = async (form: URLSearchParams) => ({
      access_token: await tokenFor(decodeJwt(form.get("subject_token") ?? "").sub ?? ""),
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: 60
    })
    const answer: RequestListener = async (request, response) => {
      const body =
        request.url === "/jwks"
          ? { keys: [{ ...jwk, alg: "ES256" }] }
          : await exchange(new URLSearchParams(await textOf(request)))
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
    }
    return { issuer, tokenFor, answer }
  })
})

const Company = Layer.unwrap(
  Effect.gen(function* () {
    const { issuer, tokenFor } = yield* identityProvider
    const { url } = yield* LedgerServer.start({ port: 0, issuer, audience })
    yield* Effect.promise(async () =>
      fetch(`${url}/entries`, {
        method: "POST",
        headers: { authorization: `Bearer ${await tokenFor("adam")}`, "idempotency-key": "before" },
        body: JSON.stringify({ debit: "office", credit: "bank", cents: 12_000, reference: "INV-1", memo: "Paper" })
      })
    )
    return Ledger.layer({ url }).pipe(
      Layer.provide(
        OAuthCredential.layerTokenExchange({
          name: "The identity provider",
          tokenUrl: `${issuer}/token`,
          clientId: "ledger-connector",
          clientSecret: Redacted.make("secret-of-the-audit"),
          resource: audience
        })
      )
    )
  })
)

const scopes = ["ledger:read", "ledger:post"]

export default Audit.make(LedgerConnector, {
  layers: Layer.mergeAll(
    LedgerHandlers.pipe(Layer.provide(Company)),
    IdempotencyStore.layerMemory,
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
  ),
  callers: [
    Principal.make({ id: "cleo", roles: ["clerk"], scopes }),
    Principal.make({ id: "adam", roles: ["accountant"], scopes }),
    Principal.make({ id: "olga", roles: ["auditor"], scopes })
  ],
  arguments: {
    list_entries: { account: "bank", limit: 5 },
    read_balance: { account: "bank" },
    post_entry: { debit: "office", credit: "bank", cents: 4_500, reference: "INV-2", memo: "Pens" },
    reverse_entry: { entry: "E-1" }
  }
})
