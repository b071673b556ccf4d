/**
 * The token that proved the caller of the current call, for what exchanges it for one that an upstream takes (RFC 8693).
 *
 * The pipeline provides it for the length of a call and takes it away before a handler runs, so that nothing an author
 * writes can find it, log it or send it on. A handler gets the right to act for the caller instead: see `onBehalf`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"

/** No token unless the transport had one that an identity accepted. */
export const CallerToken = Context.Reference<Option.Option<Redacted.Redacted<string>>>(
  "@ferrule/core/internal/callerToken",
  { defaultValue: Option.none }
)

/** Runs a call with the token that it came with. */
export const provide = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  token: Redacted.Redacted<string> | undefined
): Effect.Effect<A, E, R> =>
  token === undefined ? effect : Effect.provideService(effect, CallerToken, Option.some(token))

/** Gives the context in which an author's code may run. */
export const takenFrom = <R>(context: Context.Context<R>): Context.Context<R> =>
  context.mapUnsafe.has(CallerToken.key) ? omit(context) : context

const omit = Context.omit(CallerToken)
