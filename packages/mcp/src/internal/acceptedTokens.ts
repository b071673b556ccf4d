/**
 * Remembers what was found of a token, so that it is not looked into for each call. A token is known by its hash alone, and
 * calls that come with the same one at the same time share one look.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Cache from "effect/Cache"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { hash } from "node:crypto"
import { type IdentityUnavailable, Unauthenticated } from "../IdentityError.ts"

export type Token = Redacted.Redacted<string>

/** What a look found, and for how long that holds. */
export interface Accepted {
  readonly principal: PrincipalData
  readonly holdsFor: Duration.Duration
}

export interface AcceptedTokens {
  readonly principalOf: (token: Token) => Effect.Effect<PrincipalData, Unauthenticated | IdentityUnavailable>
  /** Makes every token be looked into again. */
  readonly forget: Effect.Effect<void>
}

/** `refusalHoldsFor` is zero where a refused token may be good a moment later, or where it costs little to look again. */
export const make = Effect.fnUntraced(function* (
  look: (token: Token) => Effect.Effect<Accepted, Unauthenticated | IdentityUnavailable>,
  options: {
    readonly capacity: number
    readonly refusalHoldsFor: Duration.Duration
    readonly outageHoldsFor: Duration.Duration
  }
): Effect.fn.Return<AcceptedTokens> {
  const cache = yield* Cache.makeWith((_hash: string) => Effect.flatMap(Presented, look), {
    capacity: options.capacity,
    requireServicesAt: "lookup",
    timeToLive: (exit) => {
      if (exit._tag === "Success") return exit.value.holdsFor
      const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
      if (failure === undefined) return Duration.zero
      return failure._tag === "Unauthenticated" ? options.refusalHoldsFor : options.outageHoldsFor
    }
  })
  return {
    principalOf: (token) =>
      Effect.map(
        Effect.provideService(Cache.get(cache, hash("sha256", Redacted.value(token), "base64url")), Presented, token),
        ({ principal }) => principal
      ),
    forget: Cache.invalidateAll(cache)
  }
})

/** Ends a look. The reason is for those who run the server, and names no value. */
export const refused = (reason: string): Effect.Effect<never, Unauthenticated> =>
  Effect.andThen(
    Effect.logDebug(`A bearer token was refused: ${reason}`),
    Effect.fail(new Unauthenticated({ reason: "invalid" }))
  )

/** The token that is being looked into, which the cache does not keep. */
class Presented extends Context.Service<Presented, Token>()("@ferrule/mcp/internal/acceptedTokens/Presented") {}
