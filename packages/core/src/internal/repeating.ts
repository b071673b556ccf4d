/**
 * The attempts at an effect: a `Schedule` that is fed transient errors alone says how often they are repeated, and when. Until
 * something fails, no schedule is built and no random number is drawn.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import { type ConnectorError, TransientError } from "../ConnectorError.ts"
import type { Options } from "../Retry.ts"

/** Begins an attempt, and says what its failure is to those who wait for it. */
export interface Attempt<A, R = never> {
  readonly begin: () => Effect.Effect<A, ConnectorError, R>
  readonly failed: (cause: Cause.Cause<ConnectorError>) => Cause.Cause<ConnectorError>
}

/** Makes the attempts. `Retry.transient` has the rules. */
export const repeating = <A, R, R2>(
  attempt: Attempt<A, R>,
  schedule: Schedule.Schedule<unknown, TransientError, never, R2>,
  options: Options
): Effect.Effect<A, ConnectorError, R | R2> =>
  Clock.clockWith((clock) => {
    // Not the time of day, which an operator or a time server may set.
    const start = clock.monotonicTimeNanosUnsafe()
    return Effect.catchCause(attempt.begin(), (cause) => {
      const failure = attempt.failed(cause)
      return transientOf(failure) === undefined
        ? Effect.failCause(failure)
        : repeat(attempt, schedule, options, clock, start, failure)
    })
  })

type Step<R> = (now: number, error: TransientError) => Pull.Pull<[unknown, Duration.Duration], never, unknown, R>

/** Goes on after the first failure. */
const repeat = Effect.fnUntraced(function* <A, R, R2>(
  { begin, failed }: Attempt<A, R>,
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
    const exit = yield* Effect.exit(Effect.suspend(begin))
    if (exit._tag === "Success") return exit.value
    cause = failed(exit.cause)
  }
})

const defaultWithin = Duration.seconds(10)

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
