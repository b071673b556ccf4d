/** What is configured with a secret prints `<redacted>`, and what refuses it says so without it. */
import { Principal, Scrubber } from "@ferrule/core"
import * as Credential from "@ferrule/core/Credential"
import * as EncryptedIdempotencyStore from "@ferrule/core/EncryptedIdempotencyStore"
import * as IdempotencyStore from "@ferrule/core/IdempotencyStore"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import { Credentials, Identity, type IntrospectionOptions, type TokenEntry } from "@ferrule/mcp/Identity"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Formatter, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { inspect } from "node:util"
import { findIn } from "../../core/test/fixtures/encodings.ts"

const secret = "canary 0123456789abcdef\u0007="
const principal = Principal.make({ id: "ada" })
const hidden = Redacted.make(secret)
const bytes = Redacted.make(Buffer.from(secret))

/** By every usual printer. */
const prints = (value: unknown): ReadonlyArray<string> => [
  inspect(value, { depth: Infinity, showHidden: true }),
  JSON.stringify(value),
  Formatter.format(value),
  Formatter.formatJson(value),
  ...(Cause.isCause(value) ? [Cause.pretty(value), inspect(Cause.squash(value), { depth: Infinity })] : [])
]

const configured: Readonly<Record<string, unknown>> = {
  "a token entry": { token: hidden, principal } satisfies TokenEntry,
  "credentials of a caller": Credentials.Bearer({ token: hidden }),
  "options of the encrypted store": { keys: [{ id: "a", key: bytes }] } satisfies EncryptedIdempotencyStore.Options,
  "its options as text": { keys: hidden } satisfies EncryptedIdempotencyStore.TextOptions,
  "options of an OAuth credential": {
    tokenUrl: "https://issuer.test/token",
    clientId: "desk",
    clientSecret: hidden
  } satisfies OAuthCredential.Options,
  "options of an introspection": {
    endpoint: "https://issuer.test/introspect",
    clientId: "desk",
    clientSecret: hidden,
    issuer: "https://issuer.test",
    audience: "desk"
  } satisfies IntrospectionOptions,
  "a token of an upstream": { value: hidden } satisfies Credential.Token
}

const entries = (...tokens: ReadonlyArray<string>) =>
  Identity.layerTokens(tokens.map((token) => ({ token: Redacted.make(token), principal })))
const store = IdempotencyStore.IdempotencyStore.layerMemory
const fromConfig = Layer.provide(
  EncryptedIdempotencyStore.layerConfig({ keys: Config.Redacted("KEYS") }),
  Layer.merge(store, ConfigProvider.layer(ConfigProvider.fromEnv({ env: { KEYS: `a:${secret}` } })))
)

const refused: Readonly<Record<string, Layer.Layer<never, unknown>>> = {
  "a bearer token with a bad character": entries(secret),
  "a bearer token of two callers": entries("canary-0123456789", "canary-0123456789"),
  "a key of a wrong length": Layer.provide(EncryptedIdempotencyStore.layer({ keys: [{ id: "a", key: bytes }] }), store),
  "keys that are no base64": fromConfig,
  "a credential with a bad character": Credential.layerStatic(hidden),
  "an introspection that nobody answers": Identity.layerIntrospection({
    endpoint: "http://127.0.0.1:1/introspect",
    clientId: "desk",
    clientSecret: hidden,
    issuer: "http://127.0.0.1:1",
    audience: "https://desk.test/mcp"
  }).pipe(Layer.provide(FetchHttpClient.layer)),
  "an OAuth credential with a bad address": OAuthCredential.layerClientCredentials({
    tokenUrl: "nowhere",
    clientId: "",
    clientSecret: hidden
  }).pipe(Layer.provide(FetchHttpClient.layer))
}

describe("what is configured with a secret prints <redacted>", () => {
  for (const [name, value] of Object.entries(configured)) {
    it(`${name}`, () => {
      for (const print of prints(value)) {
        assert.include(print, "<redacted>")
        assert.deepStrictEqual(findIn(print, [secret]), [])
      }
    })
  }
})

describe("an error of what is built with a secret does not print it", () => {
  for (const [name, layer] of Object.entries(refused)) {
    it.effect(`${name}`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
        assert.isTrue(Exit.isFailure(exit))
        const causes = Exit.isFailure(exit) ? [exit.cause, ...exit.cause.reasons] : []
        for (const print of causes.flatMap(prints)) {
          assert.deepStrictEqual(findIn(print, [secret, "canary-0123456789"]), [])
        }
      }).pipe(Effect.provide(Scrubber.layer))
    )
  }
})
