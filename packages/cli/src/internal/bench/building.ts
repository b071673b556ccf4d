/**
 * Builds the layers of a module, which may never end, or fail, or not let go.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { BenchFault } from "../Check.ts"

/** Builds with nothing that another build has left, unless the map is given, and gives up on what does not come to an end. */
export const building =
  (scope: Scope.Scope, patience: Duration.Input) =>
  <A>(
    layer: Layer.Layer<A, unknown>,
    what: string,
    memoMap: Layer.MemoMap = Layer.makeMemoMapUnsafe()
  ): Effect.Effect<Context.Context<A>, BenchFault> =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkDetach(Layer.buildWithMemoMap(layer, memoMap, scope))
      const exit = yield* Effect.timeoutOption(Fiber.await(fiber), patience)
      if (Option.isNone(exit)) {
        yield* Effect.forkDetach(Fiber.interrupt(fiber))
        const time = Duration.format(Duration.fromInputUnsafe(patience))
        return yield* new BenchFault({
          message: `${what} can't be built: it took more than ${time}. Is the service that they wait for running?`
        })
      }
      if (Exit.isSuccess(exit.value)) return exit.value.value
      const cause = Cause.squash(exit.value.cause)
      return yield* new BenchFault({
        message: `${what} can't be built: ${sentenceOf(cause)} Is the service that they need running?`,
        cause
      })
    })

/** The first line of what went wrong, without what an address may hold of a password. */
const sentenceOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error)
  const line = text
    .replace(/\/\/[^/\s@]+@/g, "//<redacted>@")
    .trim()
    .split("\n")
    .slice(0, 2)
    .join(" ")
  return /[.!?]$/.test(line) ? line : `${line}.`
}

/** Closes with the scope around it, and lets go of what does not end. */
export const scopeThatEnds = Effect.fnUntraced(function* (patience: Duration.Input) {
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer((exit) =>
    Effect.gen(function* () {
      const closing = yield* Effect.forkDetach(Scope.close(scope, exit), { startImmediately: true })
      yield* Effect.interruptible(Effect.timeoutOption(Fiber.await(closing), patience))
    })
  )
  return scope
})
