import { Principal } from "@ferrule/core/Principal"
import { Credentials, Identity, TokenTableError, Unauthenticated } from "@ferrule/mcp/Identity"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"

const ada = Principal.make({ id: "ada" })
const vic = Principal.make({ id: "vic" })
const bearer = (token: string) => Credentials.Bearer({ token: Redacted.make(token) })
const authenticate = (credentials: Credentials) =>
  Effect.flatMap(Identity, (identity) => identity.authenticate(credentials))
const nameOf = (credentials: Credentials) => Effect.map(authenticate(credentials), ({ principal }) => principal.id)

const table = Identity.layerTokens([
  { token: Redacted.make("ada-token-0123456789"), principal: ada },
  { token: Config.Redacted("VIC_TOKEN"), principal: vic }
]).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ VIC_TOKEN: "vic-token-0123456789" }))))

describe("a token table", () => {
  it.effect("names the principal of a token, given as a value or by config", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* nameOf(bearer("ada-token-0123456789")), "ada")
      assert.strictEqual(yield* nameOf(bearer("vic-token-0123456789")), "vic")
    }).pipe(Effect.provide(table))
  )

  it.effect("refuses an unknown token, a caller without one, and the owner of the process", () =>
    Effect.gen(function* () {
      const unknown = yield* Effect.flip(authenticate(bearer("ada-token-012345678X")))
      assert.deepStrictEqual(unknown, new Unauthenticated({ reason: "invalid" }))
      const absent = yield* Effect.flip(authenticate(Credentials.Anonymous()))
      assert.deepStrictEqual(absent, new Unauthenticated({ reason: "missing" }))
      const process = yield* Effect.flip(authenticate(Credentials.Process()))
      assert.deepStrictEqual(process, new Unauthenticated({ reason: "missing" }))
    }).pipe(Effect.provide(table))
  )

  it.effect("does not start with a token that is too short, malformed or used twice, and never shows it", () =>
    Effect.gen(function* () {
      const start = (...tokens: ReadonlyArray<string>) =>
        Effect.flip(
          Layer.build(
            Identity.layerTokens(
              tokens.map((token, index) => ({ token: Redacted.make(token), principal: index === 0 ? ada : vic }))
            )
          )
        )
      const short = yield* start("hunter2")
      assert.strictEqual(short.message, 'The bearer token of principal "ada" is shorter than 16 characters.')
      const malformed = yield* start("a token with spaces")
      assert.strictEqual(
        malformed.message,
        'The bearer token of principal "ada" has a character that a bearer token may not have.'
      )
      const twice = yield* start("one-token-0123456789", "one-token-0123456789")
      assert.instanceOf(twice, TokenTableError)
      assert.strictEqual(twice.message, 'The bearer token of principal "vic" is also the token of principal "ada".')
      assert.notInclude(JSON.stringify(twice), "one-token-0123456789")
    })
  )
})

describe("a declared identity", () => {
  it.effect("is that of the owner of the process and of nobody else", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* nameOf(Credentials.Process()), "ada")
      const anonymous = yield* Effect.flip(authenticate(Credentials.Anonymous()))
      assert.deepStrictEqual(anonymous, new Unauthenticated({ reason: "missing" }))
      const token = yield* Effect.flip(authenticate(bearer("ada-token-0123456789")))
      assert.deepStrictEqual(token, new Unauthenticated({ reason: "invalid" }))
    }).pipe(Effect.provide(Identity.layerDeclared(ada)))
  )
})
