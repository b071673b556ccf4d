import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Random, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { AuthorizationError, type ConnectorError, TransientError, ValidationError } from "../src/ConnectorError.ts"
import * as Retry from "../src/Retry.ts"

/** Draws the middle of every range, so that jitter leaves a delay as it is. */
const middle = Effect.provideService(Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => 0.5 })

const notApplied = new TransientError({ message: "The desk can't be reached", applied: "no" })
const unknown = new TransientError({ message: "The desk did not answer in time", applied: "unknown" })
const after = (retryAfter: Duration.Input, applied: "no" | "unknown" = "no") =>
  new TransientError({ message: "The desk is busy", applied, retryAfter: Duration.fromInputUnsafe(retryAfter) })

/** An upstream that gives these answers in turn, the last one for good, and notes how long after the first it is asked. */
const scripted = (...answers: ReadonlyArray<Effect.Effect<string, ConnectorError>>) => {
  const asked: Array<number> = []
  let first: number | undefined
  const ask = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    first ??= now
    asked.push(now - first)
    return answers[Math.min(asked.length, answers.length) - 1]!
  })
  return { ask, asked }
}

/** Runs to the end while an hour passes. */
const overAnHour = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.await(fiber)
  }).pipe(middle)

const errorOf = <A>(exit: Exit.Exit<A, ConnectorError>) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit)

const read: Retry.Options = { safe: true }
const write: Retry.Options = { safe: false }

describe("Retry", () => {
  it.effect("waits 200, 400 and 800 ms and then passes the error on", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(notApplied))
      const exit = yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, write))
      assert.deepStrictEqual(desk.asked, [0, 200, 600, 1400])
      assert.strictEqual(errorOf(exit), notApplied)
    })
  )

  it.effect("spreads the waits by 20% either way", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(notApplied))
      const fiber = yield* Retry.transient(desk.ask, Retry.defaultSchedule, write).pipe(
        Effect.provideService(Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => 0 }),
        Effect.exit,
        Effect.forkChild
      )
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(desk.asked, [0, 160, 480, 1120])
    })
  )

  it.effect("ends with the first success", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(notApplied), Effect.fail(notApplied), Effect.succeed("T-1"))
      const exit = yield* overAnHour(desk.ask.pipe(Retry.transient(Retry.defaultSchedule, write)))
      assert.deepStrictEqual(exit, Exit.succeed("T-1"))
      assert.deepStrictEqual(desk.asked, [0, 200, 600])
    })
  )

  it.effect("passes a validation or an authorization error on at once, after a retry too", () =>
    Effect.gen(function* () {
      const invalid = ValidationError.at("queue", "names no queue")
      const forbidden = new AuthorizationError({ message: "The desk refuses" })
      for (const error of [invalid, forbidden]) {
        const first = scripted(Effect.fail(error))
        assert.strictEqual(errorOf(yield* overAnHour(Retry.transient(first.ask, Retry.defaultSchedule, read))), error)
        assert.strictEqual(first.asked.length, 1)
        const second = scripted(Effect.fail(notApplied), Effect.fail(error))
        assert.strictEqual(errorOf(yield* overAnHour(Retry.transient(second.ask, Retry.defaultSchedule, read))), error)
        assert.strictEqual(second.asked.length, 2)
      }
    })
  )

  it.effect("never repeats a defect or an interruption, nor a transient error beside one", () =>
    Effect.gen(function* () {
      const besides = Cause.combine(Cause.fail<ConnectorError>(notApplied), Cause.die("bug"))
      const interrupted = Cause.combine(Cause.fail<ConnectorError>(notApplied), Cause.interrupt(1))
      for (const end of [
        Effect.die("bug"),
        Effect.interrupt,
        Effect.failCause(besides),
        Effect.failCause(interrupted)
      ]) {
        const desk = scripted(end)
        assert.isTrue(Exit.isFailure(yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, read))))
        assert.strictEqual(desk.asked.length, 1)
      }
    })
  )

  it.effect("does not repeat a write that may have been applied", () =>
    Effect.gen(function* () {
      const first = scripted(Effect.fail(unknown))
      assert.strictEqual(errorOf(yield* overAnHour(Retry.transient(first.ask, Retry.defaultSchedule, write))), unknown)
      assert.deepStrictEqual(first.asked, [0])
      const second = scripted(Effect.fail(notApplied), Effect.fail(unknown))
      assert.strictEqual(errorOf(yield* overAnHour(Retry.transient(second.ask, Retry.defaultSchedule, write))), unknown)
      assert.deepStrictEqual(second.asked, [0, 200])
    })
  )

  it.effect("does not repeat a write when one of several parts may have been applied", () =>
    Effect.gen(function* () {
      const both = Cause.combine(Cause.fail(notApplied), Cause.fail(unknown))
      const desk = scripted(Effect.failCause(both))
      assert.strictEqual(errorOf(yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, write))), unknown)
      assert.deepStrictEqual(desk.asked, [0])
    })
  )

  it.effect("repeats what is safe to repeat although it may have been applied", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(unknown), Effect.succeed("T-1"))
      const exit = yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, read))
      assert.deepStrictEqual(exit, Exit.succeed("T-1"))
      assert.deepStrictEqual(desk.asked, [0, 200])
    })
  )

  it.effect("stays unsure when only an earlier attempt may have been applied", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(unknown), Effect.fail(after("3 seconds")))
      const error = errorOf(yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, read)))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.applied, "unknown")
      assert.strictEqual(error.message, "The desk is busy")
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(3))
    })
  )

  it.effect("waits as long as the upstream asks when that is longer than the schedule's delay", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(after("3 seconds")), Effect.fail(after("1 milli")), Effect.succeed("T-1"))
      yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, write))
      assert.deepStrictEqual(desk.asked, [0, 3000, 3400])
    })
  )

  it.effect("passes the error on at once when the upstream asks for a longer wait than there is time", () =>
    Effect.gen(function* () {
      const busy = after("11 seconds")
      const desk = scripted(Effect.fail(busy))
      const fiber = yield* Effect.forkChild(Effect.exit(Retry.transient(desk.ask, Retry.defaultSchedule, write)))
      yield* TestClock.adjust(0)
      assert.isDefined(fiber.pollUnsafe())
      assert.strictEqual(errorOf(yield* Fiber.join(fiber)), busy)
      assert.deepStrictEqual(desk.asked, [0])
    })
  )

  it.effect("counts the time from the start of the first attempt", () =>
    Effect.gen(function* () {
      const slow = scripted(Effect.delay(Effect.fail(after("3 seconds")), "4 seconds"))
      yield* overAnHour(Retry.transient(slow.ask, Schedule.spaced("1 milli"), write))
      assert.deepStrictEqual(slow.asked, [0, 7000])
      const longer = scripted(Effect.delay(Effect.fail(after("3 seconds")), "4 seconds"))
      yield* overAnHour(Retry.transient(longer.ask, Schedule.spaced("1 milli"), { safe: false, within: "20 seconds" }))
      assert.deepStrictEqual(longer.asked, [0, 7000, 14_000])
    })
  )

  it.effect("tells of each retry before its wait: which attempt failed, with what, and how long it waits", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(notApplied), Effect.fail(after("2 seconds")), Effect.succeed("T-1"))
      const told: Array<readonly [at: number, attempt: number, message: string, delay: number]> = []
      const onRetry = ({ attempt, error, delay }: Retry.Retrying) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          told.push([now, attempt, error.message, Duration.toMillis(delay)])
        })
      yield* overAnHour(Retry.transient(desk.ask, Retry.defaultSchedule, { safe: false, onRetry }))
      assert.deepStrictEqual(told, [
        [0, 1, "The desk can't be reached", 200],
        [200, 2, "The desk is busy", 2000]
      ])
    })
  )

  it.effect("builds a schedule only after a failure, and anew for each run", () =>
    Effect.gen(function* () {
      let built = 0
      const counted = Schedule.fromStep(
        Effect.sync(() => {
          built++
          let left = 1
          return () => (left-- > 0 ? Effect.succeed<[number, Duration.Duration]>([0, Duration.zero]) : Cause.done(0))
        })
      )
      const works = scripted(Effect.succeed("T-1"))
      yield* overAnHour(Retry.transient(works.ask, counted, write))
      assert.strictEqual(built, 0)
      const refuses = scripted(Effect.fail(ValidationError.at("queue", "names no queue")))
      yield* overAnHour(Retry.transient(refuses.ask, counted, write))
      assert.strictEqual(built, 0)
      const fails = scripted(Effect.fail(notApplied))
      const retried = Retry.transient(fails.ask, counted, write)
      yield* overAnHour(retried)
      yield* overAnHour(retried)
      assert.strictEqual(built, 2)
      assert.strictEqual(fails.asked.length, 4)
    })
  )

  it.effect("stops waiting when it is interrupted", () =>
    Effect.gen(function* () {
      const desk = scripted(Effect.fail(notApplied))
      const fiber = yield* Effect.forkChild(Retry.transient(desk.ask, Retry.defaultSchedule, write))
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(desk.asked, [0])
    }).pipe(middle)
  )

  it("compiles only with a schedule that is fed transient errors, and keeps the error type closed", () => {
    type Given = Parameters<typeof Retry.transient>
    type Fits<Position extends 0 | 1 | 2, A> = [A] extends [Given[Position]] ? true : false
    type Input<A> = Schedule.Schedule<number, A>
    const schedules: [
      Fits<1, Input<TransientError>>,
      Fits<1, Input<ConnectorError>>,
      Fits<1, Input<unknown>>,
      Fits<1, Input<ValidationError>>,
      Fits<1, Input<AuthorizationError>>,
      Fits<1, Schedule.Schedule<number, TransientError, "an error of its own">>
    ] = [true, true, true, false, false, false]
    const effects: [Fits<0, Effect.Effect<string, ValidationError>>, Fits<0, Effect.Effect<string, Error>>] = [
      true,
      false
    ]
    const options: [Fits<2, { readonly safe: true }>, Fits<2, {}>] = [true, false]
    const closed: [ReturnType<typeof Retry.transient>] extends [Effect.Effect<unknown, ConnectorError, unknown>]
      ? true
      : false = true
    assert.isTrue([schedules, effects, options, closed].length === 4)
  })
})
