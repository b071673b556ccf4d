/**
 * The plugin of the ledger, behind single sign-on: Claude Code finds out from the server where to sign in, signs in at a real
 * authorization server, and connects.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as IdentityProvider from "../../../examples/ledger/company/IdentityProvider.ts"
import * as LedgerServer from "../../../examples/ledger/company/LedgerServer.ts"
import * as Browser from "../../../examples/ledger/demo/Browser.ts"
import { environmentAt } from "./claude.ts"
import { contents, declared, json, replayed, told } from "./plugins/callers.ts"
import { install, packed, signIn, stateOf, temporary } from "./plugins/installed.ts"
import * as publicNames from "./plugins/publicNames.ts"
import { freePort, started } from "./plugins/started.ts"

const ledger = join(import.meta.dirname, "../../../examples/ledger")
const discovery = join(import.meta.dirname, "fixtures/sdkDiscovery.ts")

const secret = () => randomBytes(24).toString("base64url")
const url = "https://connect.acme.example/mcp"
const clientId = "claude-code"
const cleo = { id: "cleo", role: "clerk", password: secret() } as const

/** The company, its connector under its public name, and what leads Claude Code there. */
const company = Effect.gen(function* () {
  const data = yield* temporary
  const callbackPort = yield* freePort
  const callback = `http://localhost:${callbackPort}/callback`
  const clientSecret = secret()
  const clientSecretFile = join(data, "client-secret")
  writeFileSync(clientSecretFile, clientSecret, { mode: 0o600 })
  const audience = "https://ledger.acme.example/"
  const provider = yield* IdentityProvider.start({
    port: 0,
    people: [cleo],
    agent: { id: clientId, redirectUri: callback },
    connector: { id: "ledger-connector", secret: clientSecret, resource: url },
    ledger: { resource: audience, tokenLifetime: 120 }
  })
  const books = yield* LedgerServer.start({ port: 0, issuer: provider.issuer, audience })
  const port = yield* started(join(ledger, "http.ts"), {
    ...environmentAt(data),
    LEDGER_PORT: "0",
    LEDGER_RESOURCE: url,
    LEDGER_ISSUER: provider.issuer,
    LEDGER_CLIENT_ID: "ledger-connector",
    LEDGER_CLIENT_SECRET_FILE: clientSecretFile,
    LEDGER_UPSTREAM_URL: books.url,
    LEDGER_UPSTREAM_AUDIENCE: audience,
    LEDGER_DATA: data
  })
  const names = yield* publicNames.serve({ "connect.acme.example": port })
  return {
    issuer: provider.issuer,
    callback,
    callbackPort,
    books,
    asked: names.asked,
    env: { ...environmentAt(yield* temporary), ...names.environment }
  }
})

const Discovery = Schema.Struct({
  status: Schema.Int,
  scope: Schema.String,
  resourceMetadataUrl: Schema.String,
  resourceMetadata: Schema.Struct({ resource: Schema.String, authorization_servers: Schema.Array(Schema.String) }),
  authorizationServerMetadata: Schema.Struct({
    issuer: Schema.String,
    code_challenge_methods_supported: Schema.Array(Schema.String)
  })
})

it.live("the server's refusal leads to its metadata, and that to the authorization server", () =>
  Effect.gen(function* () {
    const { env, issuer } = yield* company
    assert.deepStrictEqual(Schema.decodeUnknownSync(Discovery)(yield* json([discovery, url], env)), {
      status: 401,
      scope: "ledger:read ledger:post",
      resourceMetadataUrl: "https://connect.acme.example/.well-known/oauth-protected-resource/mcp",
      resourceMetadata: { resource: url, authorization_servers: [issuer] },
      authorizationServerMetadata: { issuer, code_challenge_methods_supported: ["S256"] }
    })
  })
)

const Credentials = Schema.fromJsonString(
  Schema.Struct({ mcpOAuth: Schema.Record(Schema.String, Schema.Struct({ accessToken: Schema.NonEmptyString })) })
)

it.live("Claude Code asks for a sign-in, is connected after it, and each client posts with the token that it got", () =>
  Effect.gen(function* () {
    const { asked, books, callback, callbackPort, env } = yield* company
    const folder = yield* packed("ledger", join(ledger, "connector.ts"), {
      url,
      "client-id": clientId,
      "callback-port": String(callbackPort)
    })
    yield* install(env, folder)
    assert.strictEqual(yield* stateOf(env, folder), "! Needs authentication")

    const shown = yield* signIn(env, folder, "ledger", async (address) =>
      fetch(`${callback}?${await Browser.signIn(address, callback, cleo)}`)
    )
    assert.strictEqual(yield* stateOf(env, folder), "✔ Connected", shown)
    assert.deepStrictEqual([...asked], ["connect.acme.example:443"])

    const file = readFileSync(join(env["CLAUDE_CONFIG_DIR"], ".credentials.json"), "utf8")
    const [credential] = Object.values(Schema.decodeUnknownSync(Credentials)(file).mcpOAuth)
    const server = declared(folder, yield* temporary, {}, credential!.accessToken)
    const answers = yield* told(
      server,
      [
        {
          name: "post_entry",
          arguments: { debit: "office", credit: "bank", cents: 12_000, reference: "INV-4711", memo: "Paper" }
        },
        { name: "read_balance", arguments: { account: "office" } }
      ],
      env
    )
    // A clerk takes nothing back.
    for (const { tools } of answers) assert.deepStrictEqual(tools, ["list_entries", "read_balance", "post_entry"])
    for (const [posted, balance] of contents(answers)) {
      assert.strictEqual(posted?.["id"], "E-1")
      assert.deepStrictEqual(balance, { account: "office", cents: 12_000 })
    }
    assert.deepStrictEqual(replayed(answers), [false, true, true, true])
    assert.strictEqual(books.entries.length, 1)
  })
)

it.live("where programs are registered by hand, a plugin that names no registration can't be signed in to", () =>
  Effect.gen(function* () {
    const { env } = yield* company
    const folder = yield* packed("ledger", join(ledger, "connector.ts"), { url })
    yield* install(env, folder)
    assert.match(yield* stateOf(env, folder), /^✘ Failed to connect — .*dynamic client registration/)
  })
)
