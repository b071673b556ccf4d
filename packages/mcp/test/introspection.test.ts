import { DefinitionError } from "@ferrule/core"
import { Credentials, Identity, Unauthenticated } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Config, Context, Effect, Layer, Logger, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Handlers, serveDesk } from "./fixtures/desk.ts"
import { goodClaims, http, now, setUp as setUpAuthority } from "./fixtures/tokens.ts"
import { legacy, modern, send } from "./testHost.ts"

const invalid = new Unauthenticated({ reason: "invalid" })
const secret = "client secret: 100%"

const setUp = Effect.gen(function* () {
  const { authority, options: all } = yield* setUpAuthority
  const { jwks: _, type: __, ...common } = all
  const options = {
    ...common,
    endpoint: authority.endpoint,
    clientId: "desk & co",
    clientSecret: Redacted.make(secret)
  }
  const active = { active: true, token_type: "Bearer", ...goodClaims(authority) }
  authority.answers = { "opaque-token": active }
  const logged: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => logged.push(String(message)))])
  const layer = Identity.layerIntrospection(options).pipe(Layer.provide([http, logger]))
  return { authority, options, active, logged, layer }
})

const authenticatorOf = <E>(layer: Layer.Layer<Identity, E>) =>
  Effect.map(Layer.build(layer), (context) => {
    const { authenticate } = Context.get(context, Identity)
    return (token: string) => authenticate(Credentials.Bearer({ token: Redacted.make(token) }))
  })

describe("token introspection", () => {
  it.effect("names the caller of an active token, and refuses every other one, over HTTP in both eras", () =>
    Effect.gen(function* () {
      const { layer } = yield* setUp
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, layer)
      for (const request of [modern, legacy]) {
        const ask = (token: string) =>
          send(url, request("tools/call", { name: "who", arguments: { name: "x" } }, token))
        const answer = yield* ask("opaque-token")
        assert.deepStrictEqual(JSON.parse(answer.json.result.structuredContent.caller), {
          id: "ada",
          tenant: "acme",
          roles: ["agent"],
          scopes: ["desk:read", "desk:write"],
          claims: { department: "support" }
        })
        const refused = yield* ask("another-token")
        assert.strictEqual(refused.status, 401)
        assert.include(refused.headers["www-authenticate"], 'error="invalid_token"')
      }
      assert.strictEqual(handlers.runs, 2)
    })
  )

  it.effect("asks as RFC 7662 has it, with its own credentials form-encoded", () =>
    Effect.gen(function* () {
      const { authority, layer } = yield* setUp
      const authenticate = yield* authenticatorOf(layer)
      yield* authenticate("opaque-token")
      const [, question] = authority.questions
      assert.strictEqual(question?.body, "token=opaque-token&token_type_hint=access_token")
      const basic = Buffer.from(question?.authorization?.replace("Basic ", "") ?? "", "base64").toString()
      assert.strictEqual(basic, "desk%20%26%20co:client%20secret%3A%20100%25")
    })
  )

  it.effect("asks once for callers that come together, and once in a minute for those that come later", () =>
    Effect.gen(function* () {
      const { authority, layer } = yield* setUp
      const authenticate = yield* authenticatorOf(layer)
      const together = Array.from({ length: 20 }, () => authenticate("opaque-token"))
      yield* Effect.all(together, { concurrency: "unbounded" })
      assert.strictEqual(authority.questions.length, 2)
      yield* TestClock.adjust("59 seconds")
      yield* authenticate("opaque-token")
      assert.strictEqual(authority.questions.length, 2)
      yield* TestClock.adjust("1 second")
      yield* authenticate("opaque-token")
      assert.strictEqual(authority.questions.length, 3)
    })
  )

  it.effect("refuses a revoked token within the bound of its cache", () =>
    Effect.gen(function* () {
      const { authority, layer } = yield* setUp
      const authenticate = yield* authenticatorOf(layer)
      yield* authenticate("opaque-token")
      authority.answers = {}
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* authenticate("opaque-token")).principal.id, "ada")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Effect.flip(authenticate("opaque-token")), invalid)
    })
  )

  it.effect("keeps an answer no longer than the token lives, and a refusal for ten seconds", () =>
    Effect.gen(function* () {
      const { active, authority, layer } = yield* setUp
      const authenticate = yield* authenticatorOf(layer)
      authority.answers = { short: { ...active, exp: now - 20 } }
      yield* authenticate("short")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* Effect.flip(authenticate("short")), invalid)
      assert.deepStrictEqual(yield* Effect.flip(authenticate("late")), invalid)
      authority.answers = { late: active }
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(yield* Effect.flip(authenticate("late")), invalid)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* authenticate("late")).principal.id, "ada")
    })
  )

  it.effect("refuses an active token that is not for this server, or says less than it must", () =>
    Effect.gen(function* () {
      const { active, authority, layer } = yield* setUp
      const authenticate = yield* authenticatorOf(layer)
      const wrong: Record<string, Record<string, unknown>> = {
        "another audience": { aud: "https://other.example.com/mcp" },
        "no audience": { aud: undefined },
        "an audience that is an object": { aud: { a: 1 } },
        "another issuer": { iss: "https://login.evil.example" },
        "another kind of token": { token_type: "DPoP" },
        expired: { exp: now - 31 },
        "an expiry that is a text": { exp: String(now + 600) },
        "not yet valid": { nbf: now + 31 },
        "issued in the future": { iat: now + 31 },
        "another tenant": { org: "globex" },
        "no tenant": { org: undefined },
        "no required claim": { client_id: undefined },
        "no subject": { sub: undefined },
        "roles that are a text": { roles: "admin" }
      }
      for (const [name, changed] of Object.entries(wrong)) {
        authority.answers = { [name]: { ...active, ...changed } }
        assert.deepStrictEqual(yield* Effect.flip(authenticate(name)), invalid, name)
      }
      authority.answers = {
        plain: { ...active, iss: undefined, token_type: undefined, nbf: undefined, iat: undefined }
      }
      assert.strictEqual((yield* authenticate("plain")).principal.id, "ada")
    })
  )

  it.effect("lets nobody in while the server does not answer, and says so as a 503 and in the log", () =>
    Effect.gen(function* () {
      const { active, authority, layer, logged } = yield* setUp
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, layer)
      const ask = send(url, modern("tools/call", { name: "who", arguments: { name: "x" } }, "opaque-token"))
      authority.answers = undefined
      const down = yield* ask
      assert.strictEqual(down.status, 503)
      assert.strictEqual(down.headers["retry-after"], "5")
      assert.strictEqual(handlers.runs, 0)
      const outage =
        "The introspection endpoint gave no answer of use: the answer has status 500. Nobody is let in until it does."
      yield* ask
      assert.deepStrictEqual(logged, [outage])
      yield* TestClock.adjust("1 second")
      authority.answers = { "opaque-token": "<html>" }
      assert.strictEqual((yield* ask).status, 503)
      yield* TestClock.adjust("1 second")
      authority.answers = { "opaque-token": { ...active, active: "true" } }
      assert.strictEqual((yield* ask).status, 503)
      assert.include(logged.at(-1), "the answer is no introspection response")
      yield* TestClock.adjust("1 second")
      authority.answers = { "opaque-token": active }
      assert.strictEqual((yield* ask).status, 200)
      assert.notInclude(logged.join(), "opaque-token")
    })
  )

  it.effect("does not start with options that can't be right, or where its first question has no answer", () =>
    Effect.gen(function* () {
      const { authority, options } = yield* setUp
      const start = (changed: Partial<typeof options>) =>
        Effect.map(
          Effect.flip(Layer.build(Identity.layerIntrospection({ ...options, ...changed }).pipe(Layer.provide(http)))),
          (error) => (error instanceof DefinitionError ? error.faults : [String(error)])
        )
      assert.deepStrictEqual(
        yield* start({ endpoint: "ftp://x", clientId: "", clientSecret: Redacted.make(" "), issuer: "acme" }),
        [
          "issuer must be an https URL (http only on loopback), without credentials, a query or a fragment",
          "endpoint must be an https URL (http only on loopback), without credentials, a query or a fragment",
          "clientId is empty",
          "clientSecret is empty"
        ]
      )
      assert.deepStrictEqual(yield* start({ endpoint: "http://127.0.0.1:9/introspect" }), [
        "endpoint does not answer this clientId and clientSecret: there is no connection to its server"
      ])
      // Its secret and the tokens would go wherever it is told.
      assert.deepStrictEqual(yield* start({ endpoint: `${authority.issuer}/moved` }), [
        "endpoint does not answer this clientId and clientSecret: the answer has status 307"
      ])
      authority.answers = undefined
      assert.deepStrictEqual(yield* start({}), [
        "endpoint does not answer this clientId and clientSecret: the answer has status 500"
      ])
      const absent = Identity.layerIntrospection({ ...options, clientSecret: Config.Redacted("NO_SUCH_SECRET") })
      const error = yield* Effect.flip(Layer.build(absent.pipe(Layer.provide(http))))
      assert.strictEqual(error._tag, "ConfigError")
    })
  )
})
