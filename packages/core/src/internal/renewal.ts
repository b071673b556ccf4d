/**
 * Keeps one token usable: hands out the one at hand, and gets the next one ahead of its end.
 *
 * However many ask, one renewal runs at a time. It runs on its own, in the context of the layer and not in that of the call
 * which happened to start it, so a caller who leaves takes nothing from the others. Nothing runs while nobody asks.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { type ConnectorError, TransientError } from "../ConnectorError.ts"
import * as Scrubber from "../Scrubber.ts"
import * as Upstream from "../Upstream.ts"

/** A secret that an upstream takes, and when it says that it ends. */
export interface Token {
  readonly value: Redacted.Redacted<string>
  readonly expiresAt?: DateTime.Utc | undefined
}

/** A token that was just obtained, when to look for the next one, and from when on it is not used, in epoch milliseconds. */
export interface Obtained {
  readonly token: Token
  readonly renewAt: number
  readonly until: number
}

export type Obtain = Effect.Effect<Obtained, ConnectorError>

export interface Renewal {
  /** A token that may be sent now. `obtain` gets the next one where that is due. */
  readonly token: (obtain: Obtain) => Effect.Effect<Token, ConnectorError>
  /** Drops this token, which an upstream refused, unless it is no longer the one at hand. */
  readonly refused: (token: Token) => Effect.Effect<void>
  /** Ends the use of whatever was obtained, or asked for, up to now. */
  readonly revoke: (deadline: number) => Effect.Effect<void>
  /** Whether there is nothing left to hand out and nothing on its way. */
  readonly isSpent: (now: number) => boolean
  /** Forgets the token. */
  readonly close: Effect.Effect<void>
}

export interface Single {
  readonly token: Effect.Effect<Token, ConnectorError>
  readonly refused: (token: Token) => Effect.Effect<void>
  readonly revoke: (within?: Duration.Input) => Effect.Effect<void>
}

/** A token is renewed after 70 to 90% of its life, so that instances that started together do not renew together. */
export const untilExpiry = (token: Token, obtainedAt: number): Effect.Effect<Obtained> => {
  if (token.expiresAt === undefined) return Effect.succeed({ token, renewAt: Infinity, until: Infinity })
  const end = DateTime.toEpochMillis(token.expiresAt)
  const life = end - obtainedAt
  return Effect.map(Random.nextBetween(0.7, 0.9), (share) => ({
    token,
    renewAt: obtainedAt + life * share,
    until: end - travel(life)
  }))
}

/** A request takes its time to arrive: how long before its end a token is no longer sent. */
const travel = (life: number): number => Math.min(life * 0.1, 10_000)

/** The successor of a refused token that is refused this early, in milliseconds, is not what the upstream minds. */
const settling = 30_000

interface Held extends Obtained {
  readonly ready: Effect.Effect<Token>
  readonly obtainedAt: number
  readonly succeedsRefused: boolean
  readonly known: Scope.Closeable
}

/** A renewal that runs. It gives nothing when what it got was revoked meanwhile: look anew. */
interface Flight {
  readonly done: Deferred.Deferred<Token | undefined, ConnectorError>
  until: number
}

/** Why the last renewal failed, and when the next may be tried, in epoch milliseconds. */
interface Failure {
  readonly cause: Cause.Cause<ConnectorError>
  readonly count: number
  readonly pausedUntil: number
}

/**
 * `name` begins a sentence about the credential. `waits` says that whoever asks when a renewal is due waits for it, and gets
 * the token at hand only if it fails; otherwise it runs in the background.
 */
export interface Options {
  readonly name: string
  readonly waits: boolean
}

/** Gives a maker of renewals, which have their scope and what was revoked in common. */
export const make = (options: Options): Effect.Effect<() => Renewal, never, Scope.Scope> =>
  Effect.map(Effect.context<Scope.Scope>(), (context) => {
    const common: Common = { revoked: new Map(), flights: new Set() }
    return () => makeUnsafe(options, Context.omit(Tracer.ParentSpan)(context), common)
  })

/** The one token of a credential that is everybody's. */
export const single = (options: Options, obtain: Obtain): Effect.Effect<Single, never, Scope.Scope> =>
  Effect.map(make(options), (newRenewal) => {
    const { token, refused, revoke } = newRenewal()
    return { token: token(obtain), refused, revoke: (within) => Effect.flatMap(deadlineAfter(within), revoke) }
  })

/** Up to when a token is sent that must not arrive once `within` is over. */
export const deadlineAfter = (within: Duration.Input = 0): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => now + Duration.toMillis(within) - travel(Duration.toMillis(within)))

/** What is known of a revoked token: from when on it must not be used, and when that can be forgotten. */
interface Revoked {
  readonly deadline: number
  readonly expiresAt: number
}

/** The flights are here too, since that of a renewal which was closed goes on for those who wait for it. */
interface Common {
  readonly revoked: Map<string, Revoked>
  readonly flights: Set<Flight>
}

const makeUnsafe = (
  { name, waits }: Options,
  services: Context.Context<Scope.Scope>,
  { flights, revoked }: Common
): Renewal => {
  const scope = Context.get(services, Scope.Scope)
  let held: Held | undefined
  let flight: Flight | undefined
  let failure: Failure | undefined
  let wasRefused = false
  let isClosed = false

  const token = (obtain: Obtain): Effect.Effect<Token, ConnectorError> =>
    Clock.clockWith((clock) => {
      const now = clock.currentTimeMillisUnsafe()
      if (held !== undefined && now < held.renewAt) return held.ready
      if (flight === undefined && failure !== undefined && now < failure.pausedUntil) {
        return atHand(clock) ?? Effect.failCause(paused(failure, now))
      }
      return Effect.flatMap(
        renew(obtain),
        ({ done }) => (waits ? undefined : atHand(clock)) ?? arrival(done, obtain, clock)
      )
    })

  /** What may be used right now: since it was looked at last, the token may have been revoked. */
  const atHand = (clock: Clock.Clock) =>
    held !== undefined && clock.currentTimeMillisUnsafe() < held.until ? held.ready : undefined

  const arrival = (done: Flight["done"], obtain: Obtain, clock: Clock.Clock) =>
    Effect.matchCauseEffect(Deferred.await(done), {
      onSuccess: (arrived) => (arrived === undefined ? token(obtain) : Effect.succeed(arrived)),
      onFailure: (cause) => atHand(clock) ?? Effect.failCause(cause)
    })

  /** Starts a renewal, or joins the one that runs. Between the look and the start nobody else gets a turn. */
  const renew = (obtain: Obtain): Effect.Effect<Flight> =>
    Effect.uninterruptible(
      Effect.suspend(() => {
        if (flight !== undefined) return Effect.succeed(flight)
        const own: Flight = { done: Deferred.makeUnsafe(), until: Infinity }
        flight = own
        flights.add(own)
        const run = Effect.matchCauseEffect(obtain, {
          onSuccess: (obtained) => keep(own, obtained),
          onFailure: (cause) => fail(own, cause)
        })
        const alone: Effect.Effect<void> = Effect.updateContext(Scrubber.guarded(run), () => services)
        return Effect.map(Effect.forkIn(alone, scope, { startImmediately: true }), (fiber) => {
          // Where the layer has ended, it is interrupted before it has begun.
          fiber.addObserver((exit) => land(own, Exit.isFailure(exit) ? Effect.failCause(exit.cause) : Effect.undefined))
          return own
        })
      })
    )

  const land = (own: Flight, outcome: Effect.Effect<Token | undefined, ConnectorError>): void => {
    if (flight === own) flight = undefined
    flights.delete(own)
    Deferred.doneUnsafe(own.done, outcome)
  }

  const keep = Effect.fnUntraced(function* (own: Flight, { token, renewAt, until }: Obtained) {
    // Known before anybody can send it, let alone get it back in an answer.
    const known = yield* Scope.fork(scope)
    yield* Scope.provide(Scrubber.watch(token.value), known)
    const now = yield* Clock.currentTimeMillis
    const end = Math.min(until, revoked.get(Redacted.value(token.value))?.deadline ?? Infinity)
    if (end <= now) {
      yield* Scope.close(known, Exit.void)
      return yield* fail(own, Cause.die(unusable(name)))
    }
    if (isClosed || own.until <= now) {
      yield* Scope.close(known, Exit.void)
      return land(own, own.until <= now ? Effect.undefined : Effect.succeed(token))
    }
    const previous = held
    const bound = Math.min(end, own.until)
    held = {
      token,
      renewAt: own.until === Infinity ? Math.min(renewAt, bound) : now,
      until: bound,
      ready: Effect.succeed(token),
      obtainedAt: now,
      succeedsRefused: wasRefused,
      known
    }
    failure = undefined
    wasRefused = false
    land(own, held.ready)
    if (previous !== undefined) yield* Scope.close(previous.known, Exit.void)
  })

  const fail = Effect.fnUntraced(function* (own: Flight, cause: Cause.Cause<ConnectorError>) {
    if (Cause.hasInterruptsOnly(cause)) return land(own, Effect.failCause(cause))
    const now = yield* Clock.currentTimeMillis
    const count = (failure?.count ?? 0) + 1
    // What is waited for costs its source next to nothing.
    const backoff = Math.min(1000 * 2 ** (count - 1), waits ? 1000 : 30_000) * (yield* Random.nextBetween(0.8, 1.2))
    failure = { cause, count, pausedUntil: now + Math.max(backoff, retryAfterOf(cause)) }
    if (Number.isInteger(Math.log2(count))) yield* report(name, cause, count)
    land(own, Effect.failCause(paused(failure, now)))
  })

  const drop: Effect.Effect<void> = Effect.suspend(() => {
    if (held === undefined) return Effect.void
    const { known } = held
    held = undefined
    return Scope.close(known, Exit.void)
  })

  return {
    token,
    refused: (token) =>
      Clock.clockWith((clock) => {
        if (held?.token !== token) return Effect.void
        if (held.succeedsRefused && clock.currentTimeMillisUnsafe() < held.obtainedAt + settling) return Effect.void
        wasRefused = true
        return drop
      }),
    revoke: (deadline) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        for (const flight of flights) flight.until = Math.min(flight.until, deadline)
        if (held === undefined) return Effect.void
        const { token } = held
        for (const [value, { expiresAt }] of revoked) if (expiresAt <= now) revoked.delete(value)
        const text = Redacted.value(token.value)
        revoked.set(text, {
          deadline: Math.min(deadline, revoked.get(text)?.deadline ?? Infinity),
          expiresAt: token.expiresAt === undefined ? Infinity : DateTime.toEpochMillis(token.expiresAt)
        })
        if (deadline <= now) return drop
        held = { ...held, renewAt: now, until: Math.min(held.until, deadline) }
        return Effect.void
      }),
    isSpent: (now) =>
      flight === undefined &&
      (held === undefined || held.until <= now) &&
      (failure === undefined || failure.pausedUntil <= now),
    close: Effect.suspend(() => {
      isClosed = true
      return drop
    })
  }
}

/** A failed renewal is not tried again at once, and whoever asks meanwhile is told how long that takes. */
const paused = ({ cause, pausedUntil }: Failure, now: number): Cause.Cause<ConnectorError> =>
  Cause.map(cause, (error) =>
    error._tag === "TransientError"
      ? new TransientError({
          message: error.message,
          // The upstream has not been asked anything yet.
          applied: "no",
          retryAfter: Duration.millis(Math.ceil(Math.max(0, pausedUntil - now)))
        })
      : error
  )

const retryAfterOf = (cause: Cause.Cause<ConnectorError>): number =>
  cause.reasons.reduce(
    (longest, reason) =>
      reason._tag === "Fail" && reason.error._tag === "TransientError" && reason.error.retryAfter !== undefined
        ? Math.max(longest, Duration.toMillis(reason.error.retryAfter))
        : longest,
    0
  )

const unusable = (name: string) =>
  new Upstream.Fault({
    upstream: name,
    reason: "was given a token that is revoked or has expired; its operators have to put another in its place",
    applied: "no"
  })

/** What a defect of the author's own says is for the log of the calls that meet it, which is scrubbed. */
const report = (credential: string, cause: Cause.Cause<ConnectorError>, failures: number) => {
  const failed = Cause.squash(cause)
  const isKnown = failed instanceof Upstream.Fault || !Cause.hasDies(cause)
  const log = Cause.hasDies(cause) ? Effect.logError : Effect.logWarning
  return log("A credential could not be renewed").pipe(
    Effect.annotateLogs({
      credential,
      failures,
      reason: isKnown && failed instanceof Error ? failed.message : "a defect"
    }),
    // On stdio, stdout carries the protocol.
    Effect.provideService(Logger.LogToStderr, true)
  )
}
