/**
 * Leaves an upstream alone that keeps failing, over Effect's `CircuitBreaker`.
 *
 * Use it where a system that is down would otherwise be asked by every call, each waiting for its timeout. Put it around
 * what `Upstream` has classified, and `Effect.timeout` inside, since a call that is cut off from outside says nothing of the
 * upstream. Each process learns on its own.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as EffectCircuitBreaker from "effect/persistence/CircuitBreaker"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type ConnectorError, TransientError } from "./ConnectorError.ts"
import { transitions } from "./internal/metrics.ts"

/**
 * - `name`: how a sentence about the upstream begins: `"The ledger"`.
 * - `failures`: how many transient errors in a row open the circuit, 5 unless given.
 * - `openFor`: how long it stays open, 30 seconds unless given. It stays open as long as the upstream's own `retryAfter`
 *   says, where that is longer, and not for more than 5 minutes.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly name: string
  readonly failures?: number
  readonly openFor?: Duration.Input
}

/**
 * Asks the upstream, unless it is to be left alone.
 *
 * @category models
 * @since 0.1.0
 */
export type CircuitBreaker = <A, R>(self: Effect.Effect<A, ConnectorError, R>) => Effect.Effect<A, ConnectorError, R>

/**
 * Makes the breaker of one upstream: `desk.get(url).pipe(Upstream.json(Ticket, desk), breaker)`. Make it once, where the
 * client is made.
 *
 * **Details**
 *
 * - Closed: every call asks. Only a `TransientError` counts; an answer, and that is what a `ValidationError` or an
 *   `AuthorizationError` is too, starts the count anew. A defect and an interruption do neither.
 * - Open: nobody asks. Each call fails with a `TransientError`, not applied, whose `retryAfter` is the time that is left.
 * - Half-open: when that is over, the next call asks, and the others fail as before until it has ended. An answer closes
 *   the circuit, a `TransientError` opens it again.
 *
 * Each change is logged, and counted in `ferrule.upstream.transitions`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options: Options) => Effect.Effect<CircuitBreaker, never, Scope.Scope> = Effect.fnUntraced(
  function* ({ failures = 5, name, openFor = "30 seconds" }) {
    const store = yield* Layer.build(EffectCircuitBreaker.layerStoreMemory())
    const breaker = yield* Effect.provide(
      EffectCircuitBreaker.make({
        tripPolicy: EffectCircuitBreaker.consecutive(failures),
        openDuration: openFor,
        maxOpenDuration: "5 minutes"
      }),
      store
    )
    yield* Effect.forkScoped(
      Stream.runForEach(breaker.transitions, ({ from, to }) =>
        Effect.andThen(Metric.update(transitions(name, to), 1), log(name, from, to))
      ),
      { startImmediately: true }
    )
    return (self) => Effect.catch(breaker.execute(self, { key: name, classify }), (error) => rejected(name, error))
  }
)

const rejected = (
  name: string,
  error: ConnectorError | EffectCircuitBreaker.CircuitBreakerError
): Effect.Effect<never, ConnectorError> => {
  if (error._tag !== "CircuitBreakerError") return Effect.fail(error)
  switch (error.reason._tag) {
    case "CircuitOpen":
      return Effect.fail(leftAlone(`${name} keeps failing, so it was not asked`, error.reason.retryAfter))
    case "CircuitHalfOpen":
      return Effect.fail(leftAlone(`${name} kept failing and is being tried by another call`, probing))
    case "CircuitBreakerStoreError":
      return Effect.die(error)
  }
}

const classify = (exit: Exit.Exit<unknown, ConnectorError>): EffectCircuitBreaker.Outcome => {
  if (exit._tag === "Success") return EffectCircuitBreaker.success
  if (exit.cause.reasons.some((reason) => reason._tag === "Die")) return EffectCircuitBreaker.ignored
  const errors = exit.cause.reasons.filter(Cause.isFailReason).map(({ error }) => error)
  const transient = errors.find((error) => error._tag === "TransientError")
  return transient === undefined
    ? EffectCircuitBreaker.success
    : EffectCircuitBreaker.failure({ retryAfter: transient.retryAfter })
}

const probing = Duration.seconds(1)

const leftAlone = (message: string, retryAfter: Duration.Duration) =>
  // A moment may be left that is over when it is read.
  new TransientError({ message, retryAfter: Duration.max(retryAfter, Duration.millis(1)), applied: "no" })

const log = (upstream: string, from: string, to: string) =>
  (to === "Open"
    ? Effect.logWarning("An upstream keeps failing and is left alone")
    : Effect.logInfo("An upstream is asked again")
  ).pipe(
    Effect.annotateLogs({ upstream, from, to }),
    // On stdio, stdout carries the protocol.
    Effect.provideService(Logger.LogToStderr, true)
  )
