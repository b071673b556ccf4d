import { DefinitionError } from "@ferrule/core"
import { ClaimMapping, Credentials, Identity, IdentityUnavailable, Unauthenticated } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Logger, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { generateSecret, exportJWK } from "jose"
import { makeSigner } from "./fixtures/authority.ts"
import { Handlers, serveDesk } from "./fixtures/desk.ts"
import { audience, http, now, setUp } from "./fixtures/tokens.ts"
import { legacy, modern, send } from "./testHost.ts"

type Options = Parameters<typeof Identity.layerJwt>[0]

const build = (options: Options) =>
  Effect.map(Layer.build(Identity.layerJwt(options).pipe(Layer.provide(http))), (context) => {
    const { authenticate } = Context.get(context, Identity)
    return (token: string) => authenticate(Credentials.Bearer({ token: Redacted.make(token) }))
  })

/** Lets the event loop turn until something on the network has happened. */
const until = (happened: () => boolean) =>
  Effect.promise(async () => {
    while (!happened()) await new Promise((resolve) => setImmediate(resolve))
  })

const invalid = new Unauthenticated({ reason: "invalid" })

describe("a JSON Web Token", () => {
  it.effect("names its caller with what the mapping takes, and with nothing else of its claims", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, Identity.layerJwt(options).pipe(Layer.provide(http)))
      for (const request of [modern, legacy]) {
        const answer = yield* send(
          url,
          request("tools/call", { name: "who", arguments: { name: "x" } }, yield* token())
        )
        assert.deepStrictEqual(JSON.parse(answer.json.result.structuredContent.caller), {
          id: "ada",
          tenant: "acme",
          roles: ["agent"],
          scopes: ["desk:read", "desk:write"],
          claims: { department: "support" }
        })
      }
    })
  )

  it.effect("is accepted within the skew of the clocks, and not beyond, also once it is known", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const authenticate = yield* build(options)
      const early = yield* token({ nbf: now + 30, iat: now + 30, exp: now + 60 })
      assert.strictEqual((yield* authenticate(early)).principal.id, "ada")
      yield* TestClock.adjust("89 seconds")
      assert.strictEqual((yield* authenticate(early)).principal.id, "ada")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Effect.flip(authenticate(early)), invalid)
    })
  )

  it.effect("may name several audiences, and a type with or without its prefix", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const authenticate = yield* build(options)
      const several = yield* token({ aud: ["https://other.example.com", audience] }, { typ: "application/AT+JWT" })
      assert.strictEqual((yield* authenticate(several)).principal.id, "ada")
    })
  )

  it.effect("of every kind of key is accepted, and of none that was not asked for", () =>
    Effect.gen(function* () {
      const { authority, options, token } = yield* setUp
      const signers = yield* Effect.forEach(["RS256", "PS384", "ES512", "Ed25519"], (alg) => makeSigner(alg, alg))
      authority.keys = signers.map(({ jwk }) => jwk)
      const any = yield* build(options)
      const one = yield* build({ ...options, algorithms: ["PS384"] })
      for (const signer of signers) {
        const signed = yield* token({}, {}, signer)
        assert.strictEqual((yield* any(signed)).principal.id, "ada", signer.alg)
        const outcome = yield* Effect.result(one(signed))
        assert.strictEqual(outcome._tag, signer.alg === "PS384" ? "Success" : "Failure", signer.alg)
      }
    })
  )
})

describe("the keys of an issuer", () => {
  it.effect("rotate while calls run, and no call fails", () =>
    Effect.gen(function* () {
      const { authority, options, signer, token } = yield* setUp
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, Identity.layerJwt(options).pipe(Layer.provide(http)))
      const statuses: Array<number> = []
      let signed = yield* token()
      const caller = Effect.gen(function* () {
        for (let call = 0; call < 15; call++) {
          const { status } = yield* send(url, modern("tools/call", { name: "who", arguments: { name: "x" } }, signed))
          statuses.push(status)
        }
      })
      const rotating = Effect.gen(function* () {
        for (const kid of ["key-2", "key-3"]) {
          const before = statuses.length
          yield* until(() => statuses.length > before + 20)
          const next = yield* makeSigner(kid)
          authority.keys = [signer.jwk, next.jwk]
          signed = yield* token({}, {}, next)
          yield* until(() => statuses.length > before + 40)
          yield* TestClock.adjust("30 seconds")
        }
      })
      yield* Effect.all([rotating, ...Array.from({ length: 8 }, () => caller)], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        statuses,
        Array.from({ length: 120 }, () => 200)
      )
      assert.strictEqual(handlers.runs, 120)
      // The start, and one fetch for each new key, whoever came with it first.
      assert.strictEqual(authority.keyRequests, 3)
    })
  )

  it.effect("are fetched once in a cool-down, whatever key ids anybody invents", () =>
    Effect.gen(function* () {
      const { authority, options, token } = yield* setUp
      const authenticate = yield* build(options)
      const strangers = yield* Effect.forEach([1, 2, 3, 4, 5], (n) =>
        Effect.flatMap(makeSigner(`stranger-${n}`), (stranger) => token({}, {}, stranger))
      )
      const flood = Effect.forEach(strangers, (stranger) => Effect.flip(authenticate(stranger)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        yield* flood,
        Array.from({ length: 5 }, () => invalid)
      )
      yield* flood
      assert.strictEqual(authority.keyRequests, 2)
      yield* TestClock.adjust("29 seconds")
      yield* flood
      assert.strictEqual(authority.keyRequests, 2)
      yield* TestClock.adjust("1 second")
      yield* flood
      assert.strictEqual(authority.keyRequests, 3)
      assert.strictEqual((yield* authenticate(yield* token())).principal.id, "ada")
    })
  )

  it.effect("that are not known while the issuer is down are a matter of time and not of the token", () =>
    Effect.gen(function* () {
      const { authority, options, signer, token } = yield* setUp
      const authenticate = yield* build(options).pipe(Effect.provide(Logger.layer([])))
      const next = yield* makeSigner("key-2")
      const signed = yield* token({}, {}, next)
      authority.keys = undefined
      const unavailable = new IdentityUnavailable({ retryAfter: Duration.seconds(30) })
      for (const time of ["0 seconds", "10 seconds"] as const) {
        yield* TestClock.adjust(time)
        assert.deepStrictEqual(yield* Effect.flip(authenticate(signed)), unavailable)
        assert.strictEqual((yield* authenticate(yield* token())).principal.id, "ada")
      }
      assert.strictEqual(authority.keyRequests, 2)
      authority.keys = [signer.jwk, next.jwk]
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual((yield* authenticate(signed)).principal.id, "ada")
    })
  )

  it.effect("that were withdrawn verify nothing from the next fetch on, also for a token that is known", () =>
    Effect.gen(function* () {
      const { authority, options, token } = yield* setUp
      const authenticate = yield* build(options)
      const known = yield* token({ exp: now + 7200 })
      assert.strictEqual((yield* authenticate(known)).principal.id, "ada")
      const next = yield* makeSigner("key-2")
      authority.keys = [next.jwk]
      assert.strictEqual((yield* authenticate(known)).principal.id, "ada")
      yield* TestClock.adjust("10 minutes")
      yield* until(() => authority.keyRequests === 2)
      const signed = yield* token({ iat: now + 600, exp: now + 7200 }, {}, next)
      assert.strictEqual((yield* authenticate(signed)).principal.id, "ada")
      assert.deepStrictEqual(yield* Effect.flip(authenticate(known)), invalid)
    })
  )

  it.effect(
    "go on while the issuer is down until they are too old; then every caller gets a 503, and the log says why",
    () =>
      Effect.gen(function* () {
        const { authority, options, signer, token } = yield* setUp
        const logged: Array<string> = []
        const logger = Logger.layer([Logger.make(({ message }) => logged.push(String(message)))])
        const handlers = new Handlers()
        const identity = Identity.layerJwt({ ...options, keyMaxAge: "1 hour", keyRefresh: "10 minutes" })
        const url = yield* serveDesk(handlers, identity.pipe(Layer.provide([http, logger])))
        const signed = yield* token({ exp: now + 36_000 })
        const ask = send(url, modern("tools/call", { name: "who", arguments: { name: "x" } }, signed))
        authority.keys = undefined
        let requests = authority.keyRequests
        const wait = (duration: Duration.Input) =>
          Effect.gen(function* () {
            yield* TestClock.adjust(duration)
            yield* until(() => authority.keyRequests > requests)
            requests = authority.keyRequests
          })
        yield* wait("10 minutes")
        yield* until(() => logged.length > 0)
        assert.deepStrictEqual(logged, [
          "The key set could not be fetched again: the answer has status 500. Keys are good for 1h."
        ])
        yield* TestClock.setTime((now + 3600) * 1000)
        assert.strictEqual((yield* ask).status, 200)
        yield* TestClock.adjust("1 millis")
        const down = yield* ask
        assert.strictEqual(down.status, 503)
        assert.strictEqual(down.headers["retry-after"], "30")
        assert.strictEqual(down.headers["www-authenticate"], undefined)
        assert.deepStrictEqual(down.json, {
          error: "temporarily_unavailable",
          error_description: "The credentials can't be checked at the moment."
        })
        assert.strictEqual(handlers.runs, 1)
        authority.keys = [signer.jwk]
        // In steps, since a fetch that is on its way may not take five seconds of this clock.
        const again = yield* Effect.repeat(Effect.andThen(TestClock.adjust("1 second"), ask), {
          until: ({ status }) => status !== 503
        })
        assert.strictEqual(again.status, 200)
      })
  )
})

describe("an identity of JSON Web Tokens does not start", () => {
  const start = (options: Options) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(build(options))
      assert.instanceOf(error, DefinitionError)
      return error.faults
    })

  it.effect("with options that can't be right, and names them all without their values", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const faults = yield* start({
        ...options,
        issuer: "http://login.example.com",
        audience: " ",
        jwks: "https://user:hunter2@login.example.com/keys",
        mapping: ClaimMapping.standard,
        algorithms: ["HS256" as "RS256"],
        clockSkew: "1 hour",
        keyRefresh: "2 days",
        keyMaxAge: "1 hour",
        keyCoolDown: 0
      })
      assert.deepStrictEqual(faults, [
        "issuer must be an https URL (http only on loopback), without credentials, a query or a fragment",
        "audience is empty",
        "audience must be an https URL (http only on loopback), without credentials, a query or a fragment, or resource must give the endpoint's URL",
        "tenant is given, and the mapping does not say which claim the tenant is in",
        "clockSkew must be from 0 to 5m",
        "jwks must be an https URL (http only on loopback), without credentials, a query or a fragment",
        "algorithms must be some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519",
        "keyRefresh must be from 1s to 1d",
        "keyMaxAge must be from 2d to 30d",
        "keyCoolDown must be from 1s to 1h"
      ])
      for (const issuer of [
        "",
        "login.example.com",
        "https://login.example.com/?a=1",
        "http://127.0.0.1.example.com"
      ]) {
        assert.include((yield* start({ ...options, issuer })).join(), "issuer must be an https URL")
      }
    })
  )

  it.effect("without keys that it could use, and says what the answer was", () =>
    Effect.gen(function* () {
      const { authority, options, signer } = yield* setUp
      const secret = yield* Effect.promise(async () => exportJWK(await generateSecret("HS256", { extractable: true })))
      const useless = `the key set of jwks is of no use: it has no public key that verifies ES256`
      const asked = { ...options, algorithms: ["ES256"] as const }
      const answers: ReadonlyArray<readonly [typeof authority.keys, string]> = [
        [undefined, "the key set of jwks is of no use: the answer has status 500"],
        ["<html>", "the key set of jwks is of no use: the answer is no JSON Web Key Set"],
        ['{"keys":{}}', "the key set of jwks is of no use: the answer is no JSON Web Key Set"],
        [[], useless],
        [[{ ...signer.jwk, use: "enc" }], useless],
        [[{ ...secret, kid: "key-1", alg: "HS256" }], useless],
        [[(yield* makeSigner("key-1", "RS256")).jwk], useless]
      ]
      for (const [keys, fault] of answers) {
        authority.keys = keys
        assert.deepStrictEqual(yield* start(asked), [fault])
      }
      assert.deepStrictEqual(yield* start({ ...asked, jwks: "http://127.0.0.1:9/keys" }), [
        "the key set of jwks is of no use: there is no connection to its server"
      ])
    })
  )
})
