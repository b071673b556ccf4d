import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { decodeJwt } from "jose"
import * as IdentityProvider from "./company/IdentityProvider.ts"
import * as LedgerServer from "./company/LedgerServer.ts"
import { registration, tokenFor } from "./demo/Agent.ts"

const password = "password-of-the-tests"
const people = {
  cleo: { id: "cleo", role: "clerk", password },
  olga: { id: "olga", role: "auditor", password }
} as const
const connector = { id: "ledger-connector", secret: "secret-of-the-tests", resource: "http://127.0.0.1:9/mcp" }
const audience = "https://ledger.test/"

const company = Effect.gen(function* () {
  const provider = yield* IdentityProvider.start({
    port: 0,
    people: Object.values(people),
    agent: registration,
    connector,
    ledger: { resource: audience, tokenLifetime: 60 }
  })
  const ledger = yield* LedgerServer.start({ port: 0, issuer: provider.issuer, audience })

  const signIn = (name: keyof typeof people, scope: string, resource: string = connector.resource) =>
    Effect.promise(() => tokenFor(provider.issuer, resource, scope, people[name]))

  /** Asks for the exchange, with parameters of its own, and gives the status and the answer. */
  const exchange = (token: string, own: Readonly<Record<string, string>> = {}, secret = connector.secret) =>
    Effect.promise(async () => {
      const response = await fetch(`${provider.issuer}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${connector.id}:${secret}`)}` },
        body: new URLSearchParams({
          grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
          subject_token: token,
          subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
          resource: audience,
          scope: "entries:read entries:write",
          ...own
        })
      })
      const body = (await response.json()) as Readonly<Record<string, string>>
      return { status: response.status, body, token: body["access_token"] ?? "", error: body["error"] }
    })

  const ask = (token: string, path: string, init: RequestInit = {}) =>
    Effect.promise(async () => {
      const headers = { ...init.headers, authorization: `Bearer ${token}` }
      const response = await fetch(`${ledger.url}${path}`, { ...init, headers })
      return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
    })
  return { provider, ledger, signIn, exchange, ask }
})

const both = "ledger:read ledger:post"

describe("the exchange", () => {
  it.live("gives a token for the ledger that names the person, and the connector as the one who acts", () =>
    Effect.gen(function* () {
      const { exchange, signIn } = yield* company
      const { body, token } = yield* exchange(yield* signIn("cleo", both))
      const { act, aud, scope, sub } = decodeJwt(token)
      assert.deepStrictEqual(
        { act, aud, scope, sub },
        { act: { sub: "ledger-connector" }, aud: audience, scope: "entries:read entries:write", sub: "cleo" }
      )
      assert.strictEqual(Number(body["expires_in"]), 60)
    })
  )

  it.live("allows no more than the role, what the agent was given, and what is asked for", () =>
    Effect.gen(function* () {
      const { exchange, signIn } = yield* company
      const auditor = yield* exchange(yield* signIn("olga", both))
      assert.strictEqual(auditor.body["scope"], "entries:read")
      const narrow = yield* exchange(yield* signIn("cleo", "ledger:read"))
      assert.strictEqual(narrow.body["scope"], "entries:read")
      const asked = yield* exchange(yield* signIn("cleo", both), { scope: "entries:write" })
      assert.strictEqual(asked.body["scope"], "entries:write")
      const none = yield* exchange(yield* signIn("olga", both), { scope: "entries:write" })
      assert.strictEqual(none.error, "invalid_scope")
    })
  )

  it.live("refuses what is no token for the connector, another target, another secret, and who has left", () =>
    Effect.gen(function* () {
      const { exchange, provider, signIn } = yield* company
      const token = yield* signIn("cleo", both)
      const forWiki = yield* signIn("cleo", "wiki:read", IdentityProvider.wiki)
      const { token: exchanged } = yield* exchange(token)
      for (const other of [forWiki, exchanged, `${token.slice(0, -4)}AAAA`, "", "no-token"]) {
        const { error, status } = yield* exchange(other)
        assert.deepStrictEqual([status, error], [400, "invalid_request"])
      }
      assert.strictEqual((yield* exchange(token, { resource: connector.resource })).error, "invalid_target")
      assert.strictEqual((yield* exchange(token, {}, "another-secret")).error, "invalid_client")
      provider.close("cleo")
      assert.strictEqual((yield* exchange(token)).error, "invalid_request")
    })
  )

  it.live("takes two secrets while one replaces the other, and tokens by every key that is published", () =>
    Effect.gen(function* () {
      const { ask, exchange, provider, signIn } = yield* company
      const token = yield* signIn("cleo", both)
      provider.addSecret("next-secret")
      assert.strictEqual((yield* exchange(token)).status, 200)
      provider.dropOldSecrets()
      assert.strictEqual((yield* exchange(token)).error, "invalid_client")
      provider.publishNextKey()
      provider.signWithNextKey()
      const { token: exchanged } = yield* exchange(token, {}, "next-secret")
      assert.strictEqual((yield* ask(exchanged, "/entries")).status, 200)
    })
  )
})

describe("the ledger", () => {
  const entry = { debit: "office", credit: "bank", cents: 100, reference: "INV-1", memo: "A pen" }
  const post = (key: string | undefined, body: object = entry): RequestInit => ({
    method: "POST",
    body: JSON.stringify(body),
    ...(key !== undefined && { headers: { "idempotency-key": key } })
  })

  it.live("takes tokens for itself alone, and asks a scope of each request", () =>
    Effect.gen(function* () {
      const { ask, exchange, ledger, signIn } = yield* company
      const inbound = yield* signIn("olga", both)
      assert.strictEqual((yield* ask(inbound, "/entries")).status, 401)
      assert.strictEqual((yield* ask("", "/entries")).status, 401)
      const { token } = yield* exchange(inbound)
      assert.strictEqual((yield* ask(token, "/accounts/bank")).status, 200)
      assert.strictEqual((yield* ask(token, "/entries", post("key-1"))).status, 403)
      assert.deepStrictEqual(
        ledger.log.map(({ audience, status }) => [status, audience]),
        [
          [401, connector.resource],
          [401, undefined],
          [200, audience],
          [403, audience]
        ]
      )
    })
  )

  it.live("posts once for each key, and takes no key for two requests", () =>
    Effect.gen(function* () {
      const { ask, exchange, ledger, signIn } = yield* company
      const { token } = yield* exchange(yield* signIn("cleo", both))
      const first = yield* ask(token, "/entries", post("key-1"))
      assert.deepStrictEqual(first, { status: 201, body: { ...entry, id: "E-1", postedBy: "cleo", reverses: null } })
      assert.deepStrictEqual(yield* ask(token, "/entries", post("key-1")), first)
      assert.strictEqual((yield* ask(token, "/entries", post("key-1", { ...entry, cents: 200 }))).status, 422)
      assert.strictEqual((yield* ask(token, "/entries", post(undefined))).status, 400)
      assert.strictEqual(ledger.entries.length, 1)
      const reversal = yield* ask(token, "/entries/E-1/reversal", post("key-2"))
      assert.containsSubset(reversal.body, { id: "E-2", debit: "bank", credit: "office", reverses: "E-1" })
      assert.strictEqual((yield* ask(token, "/entries/E-1/reversal", post("key-3"))).status, 409)
      assert.deepStrictEqual((yield* ask(token, "/accounts/bank")).body, { account: "bank", cents: 0 })
    })
  )
})
