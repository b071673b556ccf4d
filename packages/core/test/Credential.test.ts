import { Credential, Scrubber, TransientError, Upstream } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Redacted
} from "effect"
import { TestClock } from "effect/testing"

/** A source whose tokens are numbered and live for a minute, and what it was asked. */
const source = (options: { readonly life?: number; readonly before?: Effect.Effect<void, TransientError> } = {}) => {
  const state = { asked: 0 }
  const obtain = Effect.gen(function* () {
    const count = ++state.asked
    yield* options.before ?? Effect.yieldNow
    const now = yield* DateTime.now
    return {
      value: Redacted.make(`token-number-${count}`),
      expiresAt: DateTime.add(now, { seconds: options.life ?? 60 })
    }
  })
  return { state, obtain }
}

const textOf = ({ value }: Credential.Token) => Redacted.value(value)

const down = new TransientError({ message: "The vault is sealed", applied: "no" })

const faultOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, Upstream.Fault)
    assert.strictEqual(defect.applied, "no")
    return defect.message
  })

const built = <E>(layer: Layer.Layer<Credential.Credential, E>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, Credential.Credential))

describe("Credential", () => {
  it.effect("a static token is handed out, also after it was refused, since there is no other", () =>
    Effect.gen(function* () {
      const { token, refused } = yield* built(Credential.layerStatic(Redacted.make("static-token")))
      const first = yield* token
      assert.strictEqual(textOf(first), "static-token")
      yield* refused(first)
      assert.strictEqual(textOf(yield* token), "static-token")
    })
  )

  it.effect("a token from configuration is handed out", () =>
    Effect.gen(function* () {
      const { token } = yield* built(Credential.layerConfig(Config.Redacted("DESK_TOKEN")))
      assert.strictEqual(textOf(yield* token), "configured-token")
    }).pipe(
      Effect.provideService(
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromUnknown({ DESK_TOKEN: "configured-token" })
      )
    )
  )

  it.effect("a token that no header may have is refused at the start, without showing it", () =>
    Effect.gen(function* () {
      const faults = Effect.fnUntraced(function* (text: string) {
        const error = yield* Effect.flip(built(Credential.layerStatic(Redacted.make(text))))
        return error.faults
      })
      assert.deepStrictEqual(yield* faults(""), ["the token is empty"])
      const badCharacter = ["the token has a space, or another character that a header may not have"]
      assert.deepStrictEqual(yield* faults("to ken"), badCharacter)
      assert.deepStrictEqual(yield* faults("token\r\nX-Admin: yes"), badCharacter)
      assert.deepStrictEqual(yield* faults("t".repeat(8193)), ["the token has more than 8192 characters"])
    })
  )

  it.effect("1,000 concurrent calls make one renewal, at the start and at each of five expiries", () =>
    Effect.gen(function* () {
      const answered = yield* Deferred.make<void>()
      const gate = { current: Deferred.await(answered) }
      const { obtain, state } = source({ before: Effect.suspend(() => gate.current) })
      const { token } = yield* Credential.make(obtain)
      const counts: Array<number> = []
      for (let expiry = 0; expiry <= 5; expiry++) {
        const opened = yield* Deferred.make<void>()
        gate.current = Deferred.await(opened)
        const calls = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 1000 }, () => token),
            { concurrency: "unbounded" }
          )
        )
        yield* Effect.yieldNow
        yield* Deferred.succeed(opened, undefined)
        const tokens = yield* Fiber.join(calls)
        assert.deepStrictEqual(new Set(tokens.map(textOf)), new Set([`token-number-${expiry + 1}`]))
        counts.push(state.asked)
        yield* TestClock.adjust("60 seconds")
      }
      assert.deepStrictEqual(counts, [1, 2, 3, 4, 5, 6])
    })
  )

  it.effect(
    "a token is renewed between 70 and 90% of its life, in the background, once, and not by all at one time",
    () =>
      Effect.gen(function* () {
        const renewedAt = new Set<number>()
        for (let instance = 0; instance < 20; instance++) {
          const { obtain, state } = source({ life: 1000 })
          const { token } = yield* Credential.make(obtain)
          yield* token
          let percent = 0
          for (; state.asked < 2; percent++) {
            // Whoever starts the renewal does not wait for it.
            assert.strictEqual(textOf(yield* token), "token-number-1")
            yield* TestClock.adjust("10 seconds")
          }
          assert.isAtLeast(percent, 70)
          assert.isAtMost(percent, 91)
          assert.strictEqual(textOf(yield* token), "token-number-2")
          renewedAt.add(percent)
        }
        assert.isAbove(renewedAt.size, 3)
      })
  )

  it.effect("a token is not handed out in the last tenth of its life, when a request might arrive too late", () =>
    Effect.gen(function* () {
      const never = yield* Deferred.make<void>()
      let isHanging = false
      const { obtain } = source({
        life: 100,
        before: Effect.suspend(() => (isHanging ? Deferred.await(never) : Effect.void))
      })
      const { token } = yield* Credential.make(obtain)
      yield* token
      isHanging = true
      yield* TestClock.adjust("89 seconds")
      assert.strictEqual(textOf(yield* token), "token-number-1")
      yield* TestClock.adjust("1 second")
      const waiting = yield* Effect.forkChild(token)
      yield* Effect.yieldNow
      assert.isUndefined(waiting.pollUnsafe())
      yield* Deferred.succeed(never, undefined)
      assert.strictEqual(textOf(yield* Fiber.join(waiting)), "token-number-2")
    })
  )

  it.effect("a caller who leaves takes the renewal from nobody", () =>
    Effect.gen(function* () {
      const answered = yield* Deferred.make<void>()
      const { obtain, state } = source({ before: Deferred.await(answered) })
      const { token } = yield* Credential.make(obtain)
      const first = yield* Effect.forkChild(token)
      yield* Effect.yieldNow
      const second = yield* Effect.forkChild(token)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(answered, undefined)
      assert.strictEqual(textOf(yield* Fiber.join(second)), "token-number-1")
      assert.strictEqual(state.asked, 1)
    })
  )

  it.effect("a renewal knows nothing of the call that started it", () =>
    Effect.gen(function* () {
      const Caller = Context.Reference<string>("test/Caller", { defaultValue: () => "nobody" })
      const { token } = yield* Credential.make(
        Effect.map(Caller, (name) => ({ value: Redacted.make(`token-of-${name}`) }))
      )
      assert.strictEqual(textOf(yield* Effect.provideService(token, Caller, "ada")), "token-of-nobody")
    })
  )

  it.effect("a source that is down is transient, not applied, and is left alone for as long as it is said", () =>
    Effect.gen(function* () {
      let isDown = true
      const { obtain, state } = source({ before: Effect.suspend(() => (isDown ? Effect.fail(down) : Effect.void)) })
      const { token } = yield* Credential.make(obtain)
      const failures = yield* Effect.all(
        Array.from({ length: 1000 }, () => Effect.flip(token)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(state.asked, 1)
      for (const failure of failures) {
        assert.instanceOf(failure, TransientError)
        assert.strictEqual(failure.message, "The vault is sealed")
        assert.strictEqual(failure.applied, "no")
      }
      yield* TestClock.adjust("700 millis")
      assert.instanceOf(yield* Effect.flip(token), TransientError)
      assert.strictEqual(state.asked, 1)
      isDown = false
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(textOf(yield* token), "token-number-2")
    })
  )

  it.effect("the token at hand outlives a source that is down, until it ends", () =>
    Effect.gen(function* () {
      let isDown = false
      const { obtain } = source({ life: 100, before: Effect.suspend(() => (isDown ? Effect.fail(down) : Effect.void)) })
      const { token } = yield* Credential.make(obtain)
      yield* token
      isDown = true
      for (let second = 0; second < 90; second++) {
        assert.strictEqual(textOf(yield* token), "token-number-1")
        yield* TestClock.adjust("1 second")
      }
      assert.instanceOf(yield* Effect.flip(token), TransientError)
    })
  )

  it.effect("a source that hangs is transient after ten seconds", () =>
    Effect.gen(function* () {
      const { token } = yield* Credential.make(Effect.never, { name: "The vault" })
      const failing = yield* Effect.forkChild(Effect.flip(token))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(failing)).message, "The vault could not be obtained in time")
    })
  )

  it.effect("a source that gives what can't be sent is the operators' fault, said without the token", () =>
    Effect.gen(function* () {
      const { token } = yield* Credential.make(Effect.succeed({ value: Redacted.make("to ken") }), {
        name: "The vault"
      })
      assert.strictEqual(
        yield* faultOf(token),
        "The vault can't be used: the token has a space, or another character that a header may not have"
      )
    })
  )

  it.effect("whoever asks once the layer has ended is interrupted, and does not wait forever", () =>
    Effect.gen(function* () {
      const { token } = yield* Effect.scoped(Credential.make(source().obtain))
      const exit = yield* Effect.exit(token)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  describe("refused", () => {
    it.effect("drops that token only: 1,000 calls that met the same refusal make one renewal", () =>
      Effect.gen(function* () {
        const { obtain, state } = source()
        const { token, refused } = yield* Credential.make(obtain)
        const first = yield* token
        const again = Effect.andThen(refused(first), token)
        const tokens = yield* Effect.all(
          Array.from({ length: 1000 }, () => again),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(new Set(tokens.map(textOf)), new Set(["token-number-2"]))
        assert.strictEqual(state.asked, 2)
      })
    )

    it.effect(
      "does not ask again and again when the successor is refused as well, until half a minute has passed",
      () =>
        Effect.gen(function* () {
          const { obtain, state } = source({ life: 3600 })
          const { token, refused } = yield* Credential.make(obtain)
          for (let call = 0; call < 100; call++) yield* refused(yield* token)
          assert.strictEqual(state.asked, 2)
          yield* TestClock.adjust("30 seconds")
          yield* refused(yield* token)
          yield* token
          assert.strictEqual(state.asked, 3)
        })
    )

    it.effect("leaves alone the token that has replaced the refused one", () =>
      Effect.gen(function* () {
        const { obtain, state } = source()
        const { token, refused } = yield* Credential.make(obtain)
        const first = yield* token
        yield* TestClock.adjust("60 seconds")
        yield* token
        yield* refused(first)
        assert.strictEqual(textOf(yield* token), "token-number-2")
        assert.strictEqual(state.asked, 2)
      })
    )
  })

  describe("revoke", () => {
    it.effect("ends a token at the deadline, has another before it, and drops no call", () =>
      Effect.gen(function* () {
        const { obtain } = source({ life: 3600 })
        const { token, revoke } = yield* Credential.make(obtain)
        yield* token
        yield* revoke("30 seconds")
        assert.strictEqual(textOf(yield* token), "token-number-1")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(textOf(yield* token), "token-number-2")
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(textOf(yield* token), "token-number-2")
      })
    )

    it.effect("holds against a source that goes on giving the token", () =>
      Effect.gen(function* () {
        const { token, revoke } = yield* built(Credential.layerStatic(Redacted.make("static-token")))
        yield* token
        yield* revoke("30 seconds")
        yield* TestClock.adjust("26 seconds")
        assert.strictEqual(textOf(yield* token), "static-token")
        // A request that had it now could arrive too late.
        yield* TestClock.adjust("1 second")
        const revoked =
          "The credential was given a token that is revoked or has expired; its operators have to put another in its place"
        assert.strictEqual(yield* faultOf(token), revoked)
        yield* TestClock.adjust("1 day")
        assert.strictEqual(yield* faultOf(token), revoked)
        // A later revocation does not make an earlier one milder.
        yield* revoke("1 day")
        assert.strictEqual(yield* faultOf(token), revoked)
      })
    )

    it.effect("covers what was asked for before it and has not arrived", () =>
      Effect.gen(function* () {
        const answered = yield* Deferred.make<void>()
        const { obtain } = source({ before: Deferred.await(answered) })
        const { token, revoke } = yield* Credential.make(obtain)
        const waiting = yield* Effect.forkChild(token)
        yield* Effect.yieldNow
        yield* revoke()
        yield* Deferred.succeed(answered, undefined)
        assert.strictEqual(textOf(yield* Fiber.join(waiting)), "token-number-2")
      })
    )
  })

  it.effect("a token is known to the scrubber for as long as it is held, and a minute longer", () =>
    Effect.gen(function* () {
      const { obtain } = source({ life: 3600 })
      const { token, revoke } = yield* Credential.make(obtain)
      const echo = "upstream said: token-number-1"
      assert.strictEqual(yield* Scrubber.scrub(echo), echo)
      yield* token
      assert.strictEqual(yield* Scrubber.scrub(echo), "upstream said: <redacted>")
      yield* TestClock.adjust("1 hour")
      yield* token
      assert.strictEqual(yield* Scrubber.scrub(echo), "upstream said: <redacted>")
      yield* TestClock.adjust("1 minute")
      // The scrubber forgets when the next secret leaves it.
      yield* revoke()
      assert.strictEqual(yield* Scrubber.scrub(echo), echo)
    }).pipe(Effect.provide(Scrubber.layer))
  )

  it.effect("a live secret is not in what is logged of a renewal, by its source or of its failure", () =>
    Effect.gen(function* () {
      yield* Scrubber.watch(Redacted.make("secret-of-the-vault"))
      const lines: Array<string> = []
      const logger = Logger.layer([Logger.make((options) => void lines.push(Logger.formatLogFmt.log(options)))])
      const refused = new TransientError({ message: "The vault refused secret-of-the-vault", applied: "no" })
      const obtain = Effect.andThen(Effect.logInfo("asked with secret-of-the-vault"), Effect.fail(refused))
      const { token } = yield* Effect.provide(Credential.make(obtain), logger)
      yield* Effect.flip(token)
      assert.lengthOf(lines, 2)
      assert.include(lines[0], "asked with <redacted>")
      assert.include(lines[1], "The vault refused <redacted>")
    }).pipe(Effect.provide(Scrubber.layer))
  )
})
