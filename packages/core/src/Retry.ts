/**
 * Trying again, for the one class of error that it can help.
 *
 * `transient` repeats an effect after a `TransientError`, by a `Schedule` that is fed nothing else. A `ValidationError`, an
 * `AuthorizationError`, a defect and an interruption end it at once. What may have been written is repeated only when
 * its caller says that another attempt is safe.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import { dual, identity } from "effect/Function"
import * as Schedule from "effect/Schedule"
import type { ConnectorError, TransientError } from "./ConnectorError.ts"
import { repeating } from "./internal/repeating.ts"

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
  ): Effect.Effect<A, ConnectorError, R | R2> => repeating({ begin: () => self, failed: identity }, schedule, options)
)
