/**
 * Trying again, for the one class of error that it can help.
 *
 * `transient` repeats an effect after a `TransientError`, by a `Schedule` that is fed nothing else. A `ValidationError`, an
 * `AuthorizationError`, a defect and an interruption end it at once. What may have been written is repeated only when
 * its caller says that another attempt is safe. Until something fails, no schedule is built and no random number is drawn.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import { type ConnectorError, TransientError } from "./ConnectorError.ts"

/**
 * Describes a failed attempt that is about to be repeated: its number, counted from 1, what it failed with, and the wait
 * before the next one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retrying {
  readonly attempt: number
  readonly error: TransientError
  readonly delay: Duration.Duration
}

/**
 * `safe` says that another attempt can't write twice: it is true for a read, for a repeatable write, and for one that
 * hands its idempotency key to the upstream. Otherwise an attempt is repeated only after `applied: "no"`.
 *
 * `within` (10 seconds) counts from the start of the first attempt. A wait that would end later is not begun.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly safe: boolean
  readonly within?: Duration.Input
  /** Runs before each wait, so that attempts can be counted and recorded. */
  readonly onRetry?: (retrying: Retrying) => Effect.Effect<void>
}

/**
 * Repeats three times after about 200, 400 and 800 milliseconds (each 20% more or less), and not after ten seconds.
 *
 * @category schedules
 * @since 0.1.0
 */
export const defaultSchedule: Schedule.Schedule<Duration.Duration, TransientError> = Schedule.exponential(
  "200 millis"
).pipe(Schedule.jittered, Schedule.upTo({ times: 3, duration: "10 seconds" }))

const defaultWithin = Duration.seconds(10)

/**
 * Repeats an effect after a `TransientError`, for as long as the schedule says so.
 *
 * Each wait is the schedule's delay, or the error's `retryAfter` when that is longer. Where `retryAfter` leads past
 * `within` the error is passed on at once, so that the caller is told how long to wait instead of being kept waiting.
 *
 * The error passed on is that of the last attempt. It says `applied: "unknown"` when any attempt did, since what was cut
 * off first may have happened whatever became of the attempts after it.
 *
 * @category combinators
 * @since 0.1.0
 */
export const transient: {
  <R2 = never>(
    schedule: Schedule.Schedule<unknown, TransientError, never, R2>,
    options: Options
  ): <A, R>(self: Effect.Effect<A, ConnectorError, R>) => Effect.Effect<A, ConnectorError, R | R2>
  <A, R, R2 = never>(
    self: Effect.Effect<A, ConnectorError, R>,
    schedule: Schedule.Schedule<unknown, TransientError, never, R2>,
    options: Options
  ): Effect.Effect<A, ConnectorError, R | R2>
} = dual(
  3,
  <A, R, R2>(
    self: Effect.Effect<A, ConnectorError, R>,
    schedule: Schedule.Schedule<unknown, TransientError, never, R2>,
    options: Options
  ): Effect.Effect<A, ConnectorError, R | R2> =>
    Clock.clockWith((clock) => {
      // Not the time of day, which an operator or a time server may set.
      const start = clock.monotonicTimeNanosUnsafe()
      return Effect.catchCause(self, (cause) =>
        transientOf(cause) === undefined
          ? Effect.failCause(cause)
          : repeat(self, schedule, options, clock, start, cause)
      )
    })
)

type Step<R> = (now: number, error: TransientError) => Pull.Pull<[unknown, Duration.Duration], never, unknown, R>

/** Goes on after the first failure. */
const repeat = Effect.fnUntraced(function* <A, R, R2>(
  self: Effect.Effect<A, ConnectorError, R>,
  schedule: Schedule.Schedule<unknown, TransientError, never, R2>,
  options: Options,
  clock: Clock.Clock,
  start: bigint,
  first: Cause.Cause<ConnectorError>
): Effect.fn.Return<A, ConnectorError, R | R2> {
  const within = options.within === undefined ? defaultWithin : Duration.fromInputUnsafe(options.within)
  const step: Step<R2> = yield* Schedule.toStep(schedule)
  let cause = first
  let uncertain = false
  for (let attempt = 1; ; attempt++) {
    const error = transientOf(cause)
    if (error === undefined) return yield* Effect.failCause(cause)
    uncertain ||= error.applied === "unknown"
    const delay = options.safe || !uncertain ? yield* delayAfter(error, step, clock) : undefined
    const elapsed = Duration.nanos(clock.monotonicTimeNanosUnsafe() - start)
    if (delay === undefined || Duration.isGreaterThan(Duration.sum(elapsed, delay), within)) {
      return yield* uncertain && error.applied === "no" ? unsure(error) : error
    }
    if (options.onRetry !== undefined) yield* options.onRetry({ attempt, error, delay })
    yield* Effect.sleep(delay)
    const exit = yield* Effect.exit(self)
    if (exit._tag === "Success") return exit.value
    cause = exit.cause
  }
})

/** How long to wait, or nothing when the schedule has run out. */
const delayAfter = <R>(error: TransientError, step: Step<R>, clock: Clock.Clock) =>
  Pull.matchEffect(step(clock.currentTimeMillisUnsafe(), error), {
    onSuccess: ([, delay]) =>
      Effect.succeed(error.retryAfter === undefined ? delay : Duration.max(delay, error.retryAfter)),
    onFailure: (cause) => Effect.failCause(cause),
    onDone: () => Effect.succeed<Duration.Duration | undefined>(undefined)
  })

const unsure = ({ message, retryAfter }: TransientError) =>
  new TransientError({ message, applied: "unknown", ...(retryAfter !== undefined && { retryAfter }) })

/**
 * The one error that another attempt may help. Effects that ran side by side can fail together; then the error is that of
 * the first, as unsure as the least sure of them, and anything other than a transient error among them decides.
 */
const transientOf = (cause: Cause.Cause<ConnectorError>): TransientError | undefined => {
  let found: TransientError | undefined
  for (const reason of cause.reasons) {
    if (reason._tag !== "Fail" || reason.error._tag !== "TransientError") return undefined
    if (found === undefined || (found.applied === "no" && reason.error.applied === "unknown")) found = reason.error
  }
  return found
}
