import { AuthorizationError, type ConnectorError, TransientError, Upstream, ValidationError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import * as CircuitBreaker from "../src/CircuitBreaker.ts"

const down = new TransientError({ message: "The desk did not answer in time" })

/** A breaker around an upstream that counts what it is asked, and answers as it is told. */
const open = Effect.fnUntraced(function* (options: Partial<CircuitBreaker.Options> = {}) {
  const breaker = yield* CircuitBreaker.make({ name: "The desk", failures: 3, openFor: "10 seconds", ...options })
  const desk = { asked: 0, answer: Effect.succeed("ticket") as Effect.Effect<string, ConnectorError> }
  const ask = breaker(
    Effect.suspend(() => {
      desk.asked++
      return desk.answer
    })
  )
  const askTimes = (times: number) => Effect.forEach(Array(times), () => Effect.exit(ask))
  return { desk, ask, askTimes }
})

describe("a circuit breaker", () => {
  it.effect("that is closed lets every call ask, and opens after so many transient errors in a row", () =>
    Effect.gen(function* () {
      const { ask, askTimes, desk } = yield* open()
      yield* askTimes(5)
      desk.answer = Effect.fail(down)
      yield* askTimes(3)
      assert.strictEqual(desk.asked, 8)
      yield* askTimes(50)
      assert.strictEqual(desk.asked, 8)
      yield* TestClock.adjust("4 seconds")
      const error = yield* Effect.flip(ask)
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.message, "The desk keeps failing, so it was not asked")
      assert.strictEqual(error.applied, "no")
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(6))
    })
  )

  it.effect("passes the upstream's own errors on as they are", () =>
    Effect.gen(function* () {
      const { ask, desk } = yield* open()
      desk.answer = Effect.fail(down)
      assert.strictEqual(yield* Effect.flip(ask), down)
    })
  )

  for (const [what, answer] of [
    ["an answer", Effect.succeed("ticket")],
    ["a validation error", Effect.fail(ValidationError.at("id", "names no ticket"))],
    ["an authorization error", Effect.fail(new AuthorizationError({ message: "No." }))]
  ] as const) {
    it.effect(`starts to count anew after ${what}`, () =>
      Effect.gen(function* () {
        const { askTimes, desk } = yield* open()
        for (let round = 0; round < 5; round++) {
          desk.answer = Effect.fail(down)
          yield* askTimes(2)
          desk.answer = answer
          yield* askTimes(1)
        }
        assert.strictEqual(desk.asked, 15)
      })
    )
  }

  for (const [what, answer] of [
    ["a defect", Effect.die(new Upstream.Fault({ upstream: "The desk", reason: "sent nonsense" }))],
    ["an interruption", Effect.interrupt]
  ] as const) {
    it.effect(`takes ${what} neither for a failure nor for an answer`, () =>
      Effect.gen(function* () {
        const { askTimes, desk } = yield* open()
        desk.answer = answer
        const [exit] = yield* askTimes(10)
        assert.isTrue(Exit.isFailure(exit) && (Cause.hasDies(exit.cause) || Cause.hasInterrupts(exit.cause)))
        desk.answer = Effect.fail(down)
        yield* askTimes(2)
        desk.answer = answer
        yield* askTimes(1)
        desk.answer = Effect.fail(down)
        yield* askTimes(2)
        assert.strictEqual(desk.asked, 14)
      })
    )
  }

  it.effect("lets one of 100 calls try when its time is over, and closes when that one is answered", () =>
    Effect.gen(function* () {
      const { ask, askTimes, desk } = yield* open()
      desk.answer = Effect.fail(down)
      yield* askTimes(3)
      yield* TestClock.adjust("10 seconds")
      const answered = yield* Deferred.make<string>()
      desk.answer = Deferred.await(answered)
      const calls = yield* Effect.forEach(Array(100), () => Effect.forkChild(Effect.exit(ask)))
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(desk.asked, 4)
      yield* Deferred.succeed(answered, "ticket")
      const exits = yield* Effect.forEach(calls, Fiber.join)
      const refused = exits.flatMap((exit) => (Exit.isFailure(exit) ? [Cause.squash(exit.cause)] : []))
      assert.strictEqual(refused.length, 99)
      assert.deepStrictEqual(
        new Set(refused.map((error) => [(error as TransientError).message, (error as TransientError).applied].join())),
        new Set(["The desk kept failing and is being tried by another call,no"])
      )
      yield* askTimes(10)
      assert.strictEqual(desk.asked, 14)
    })
  )

  it.effect("opens again when the try fails", () =>
    Effect.gen(function* () {
      const { ask, askTimes, desk } = yield* open()
      desk.answer = Effect.fail(down)
      yield* askTimes(3)
      yield* TestClock.adjust("10 seconds")
      yield* askTimes(10)
      assert.strictEqual(desk.asked, 4)
      const error = yield* Effect.flip(ask)
      assert.deepStrictEqual(error._tag === "TransientError" && error.retryAfter, Duration.seconds(10))
    })
  )

  it.effect("lets the next call try when the one that tried was given up", () =>
    Effect.gen(function* () {
      const { ask, askTimes, desk } = yield* open()
      desk.answer = Effect.fail(down)
      yield* askTimes(3)
      yield* TestClock.adjust("10 seconds")
      desk.answer = Effect.never
      const tried = yield* Effect.forkChild(ask, { startImmediately: true })
      yield* Fiber.interrupt(tried)
      desk.answer = Effect.succeed("ticket")
      assert.strictEqual(yield* ask, "ticket")
    })
  )

  it.effect("stays open as long as the upstream asks for, and not forever", () =>
    Effect.gen(function* () {
      for (const [asked, kept] of [
        ["1 minute", "1 minute"],
        ["1 day", "5 minutes"],
        ["1 second", "10 seconds"]
      ] as const) {
        const { ask, askTimes, desk } = yield* open()
        desk.answer = Effect.fail(
          new TransientError({ message: "Busy", retryAfter: Duration.fromInputUnsafe(asked), applied: "no" })
        )
        yield* askTimes(3)
        const error = yield* Effect.flip(ask)
        assert.deepStrictEqual(error._tag === "TransientError" && error.retryAfter, Duration.fromInputUnsafe(kept))
      }
    })
  )

  it.effect("logs and counts its changes", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
      yield* Effect.gen(function* () {
        const { askTimes, desk } = yield* open()
        desk.answer = Effect.fail(down)
        yield* askTimes(3)
        yield* TestClock.adjust("10 seconds")
        desk.answer = Effect.succeed("ticket")
        yield* askTimes(1)
        yield* TestClock.adjust("1 millis")
        const counted = (yield* Metric.snapshot).map(({ attributes, state }) => [attributes?.["ferrule.state"], state])
        assert.deepStrictEqual(counted, [
          ["Open", { count: 1, incremental: true }],
          ["HalfOpen", { count: 1, incremental: true }],
          ["Closed", { count: 1, incremental: true }]
        ])
      }).pipe(Effect.provide(logger), Effect.provideService(Metric.MetricRegistry, new Map()))
      assert.deepStrictEqual(logged.flat(), [
        "An upstream keeps failing and is left alone",
        "An upstream is asked again",
        "An upstream is asked again"
      ])
    })
  )
})
