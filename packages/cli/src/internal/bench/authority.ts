/**
 * An authorization server on loopback, as far as a resource server sees one: it publishes a key, signs access tokens
 * (RFC 9068), good ones and, for probes, such as nobody may accept, and answers for them (RFC 7662).
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Redacted from "effect/Redacted"
import { compactVerify, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose"
import { createHmac, randomBytes, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import type * as Module from "../../Audit.ts"
import type { TokenChange } from "../Bench.ts"
import { BenchFault } from "../Check.ts"
import { isOurs } from "./egress.ts"

export interface Authority extends Omit<Module.Authority, "audience"> {
  /** Whether anybody has asked about this token. */
  readonly isAsked: (token: string) => boolean
  /** Answers from now on that this token is not active. */
  readonly revoke: (token: string) => void
  /** Signs a token for the audience that holds for ten minutes from `now`, in milliseconds. */
  readonly rotate: Effect.Effect<void>
  readonly sign: (
    principal: PrincipalData,
    audience: string,
    now: number,
    changed?: TokenChange
  ) => Effect.Effect<string>
}

/** How long a token holds, in seconds. */
export const lifetime = 600

export const make: Effect.Effect<Authority, BenchFault, Scope.Scope> = Effect.gen(function* () {
  const foreign = yield* newKeys("ferrule-audit-1")
  let own = yield* newKeys("ferrule-audit-1")
  let count = 1
  const asked = new Set<string>()
  const revoked = new Set<string>()
  const client = { clientId: "ferrule-audit", clientSecret: Redacted.make(randomBytes(24).toString("base64url")) }
  const introspect = async (token: string): Promise<object> => {
    asked.add(token)
    const verified = await compactVerify(token, own.publicKey).catch(() => undefined)
    const claims = verified && (JSON.parse(Buffer.from(verified.payload).toString("utf8")) as object)
    // It gives no access token without an end. Whether this one's has come, a resource server has to see for itself.
    return claims !== undefined && "exp" in claims && !revoked.has(token)
      ? { ...claims, active: true }
      : { active: false }
  }
  const { port } = yield* listen(async (request) => {
    if (request.url === "/keys") return [200, own.set]
    if (request.url !== "/introspect") return [404, "{}"]
    if (request.headers.authorization !== basic(client)) return [401, "{}"]
    const form = new URLSearchParams(await text(request))
    return [200, JSON.stringify(await introspect(form.get("token") ?? ""))]
  })
  yield* isOurs(port)
  const issuer = `http://127.0.0.1:${port}`
  const rotate = Effect.gen(function* () {
    own = yield* newKeys(`ferrule-audit-${++count}`)
  })

  const sign: Authority["sign"] = (principal, audience, now, changed = {}) => {
    const seconds = Math.floor(now / 1000)
    const claims = {
      iss: issuer,
      aud: audience,
      iat: seconds,
      exp: seconds + lifetime,
      jti: randomUUID(),
      ...claimsOf(principal),
      ...changed.claims
    }
    const header = { alg: "ES256", kid: own.kid, typ: "at+jwt", ...changed.header }
    switch (changed.signature) {
      case "none":
        return Effect.succeed(`${encode({ ...header, alg: "none" })}.${encode(claims)}.`)
      case "public key": {
        const body = `${encode({ ...header, alg: "HS256" })}.${encode(claims)}`
        return Effect.succeed(`${body}.${createHmac("sha256", own.pem).update(body).digest("base64url")}`)
      }
      default: {
        const { privateKey } = changed.signature === "another key" ? foreign : own
        const token = Effect.promise(() => new SignJWT(claims).setProtectedHeader(header).sign(privateKey))
        return changed.signature === "broken" ? Effect.map(token, broken) : token
      }
    }
  }
  return {
    issuer,
    jwks: `${issuer}/keys`,
    introspection: { endpoint: `${issuer}/introspect`, ...client },
    isAsked: (token) => asked.has(token),
    revoke: (token) => void revoked.add(token),
    sign,
    rotate
  }
})

const basic = ({ clientId, clientSecret }: Omit<Module.Authority["introspection"], "endpoint">) =>
  `Basic ${Buffer.from(`${clientId}:${Redacted.value(clientSecret)}`).toString("base64")}`

const newKeys = (kid: string) =>
  Effect.promise(async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true })
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" }
    return { kid, privateKey, publicKey, pem: await exportSPKI(publicKey), set: JSON.stringify({ keys: [jwk] }) }
  })

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** Another letter in the middle of the signature, since the last one may have bits that do not count. */
const broken = (token: string): string => {
  const at = token.length - 20
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1)
}

/** Says it where each mapping of `ClaimMapping` looks, so that an identity with another than the standard one finds it. */
const claimsOf = ({ claims, id, roles, scopes, tenant }: PrincipalData) => ({
  sub: id,
  oid: id,
  roles,
  groups: roles,
  realm_access: { roles },
  scope: scopes.join(" "),
  scp: scopes.join(" "),
  ...(tenant !== undefined && { tenant, tid: tenant, org_id: tenant }),
  ...claims
})

type Answer = readonly [status: number, body: string]

const listen = (answer: (request: IncomingMessage) => Promise<Answer>) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }, BenchFault>((resume) => {
      const server = createServer((request, response) => {
        void answer(request)
          .catch((): Answer => [400, "{}"])
          .then(([status, body]) => response.writeHead(status, { "content-type": "application/json" }).end(body))
      })
      server.once("error", ({ message }) =>
        resume(Effect.fail(new BenchFault({ message: `No port of this machine can be listened on: ${message}.` })))
      )
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ port, close: () => void server.close().closeAllConnections() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
