/**
 * Runs an effect in a fiber of its own, which what has started it does not take along when it ends. What ends at once is
 * spared all that waiting for a fiber costs.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/**
 * Starts the effect in this context, now. Gives its exit when that comes before the effect has to wait for something, or else
 * what `otherwise` makes of its fiber. To be called where nothing interrupts, or the fiber may be left to itself.
 */
export const atOnce = <A, E, B, E2>(
  context: Context.Context<never>,
  effect: Effect.Effect<A, E>,
  otherwise: (fiber: Fiber.Fiber<A, E>) => Effect.Effect<B, E2>,
  options?: { readonly uninterruptible: boolean }
): Effect.Effect<A | B, E | E2> => {
  const fiber = Effect.runForkWith(context)(effect, options)
  return fiber.pollUnsafe() ?? otherwise(fiber)
}
