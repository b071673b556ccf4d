/**
 * Stands a fetch of the bench's in for the global one where a handler calls it, also after it has waited for something:
 * each step of a fiber runs in the async context of its handler, which promises and timers carry on.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Tracer } from "effect/Tracer"
import { AsyncLocalStorage } from "node:async_hooks"

type Fetch = typeof globalThis.fetch

/** Node's own, for the bench. */
export const own: Fetch = globalThis.fetch

/** The global one as the module has left it, which may have put a double in its place. */
let given: Fetch = own

/** What the global fetch is to the handler that runs. */
export const InHandler = Context.Reference<Fetch | undefined>("@ferrule/cli/bench/InHandler", {
  defaultValue: () => undefined
})

const current = new AsyncLocalStorage<Fetch | undefined>()

const replacement: Fetch = (input, init) => (current.getStore() ?? given)(input, init)

/** For the tracer of fibers that handlers may run in. */
export const context: Tracer["context"] = (primitive, fiber) =>
  current.run(fiber.getRef(InHandler), () => primitive["~effect/Effect/evaluate"](fiber))

/** Runs what the stand-in asks itself, for which the global fetch is as the module has left it. */
export const outside = <A>(run: () => A): A => current.run(undefined, run)

/** Without the stand-in, which may have been taken for the given one. */
export const original = (fetch: Fetch): Fetch => (fetch === replacement ? given : fetch)

let users = 0

/** Replaces the global fetch until the scope closes. */
export const replaced: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    if (users++ > 0) return
    given = globalThis.fetch
    globalThis.fetch = replacement
  }),
  () =>
    Effect.sync(() => {
      if (--users === 0 && globalThis.fetch === replacement) globalThis.fetch = given
    })
)
