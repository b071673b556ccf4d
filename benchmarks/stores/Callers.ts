/**
 * The closed loop of callers, for clients that are effects and for those that are promises.
 */
import { Effect, Exit, Layer, Scope } from "effect"
import { type Measured, Progress } from "../Load.ts"
import { newKey, replayed } from "./Sample.ts"
import type { Opened } from "./Store.ts"

/** What a side can do with one key. */
export interface Calls<A> {
  readonly first: (key: string) => A
  readonly replay: (key: string) => A
}

/** A side whose client is a service: it lives in the layer's scope until it is closed. */
export const openEffect = async <R, E>(
  layer: Layer.Layer<R, E>,
  make: Effect.Effect<Calls<Effect.Effect<void, unknown>>, unknown, R>
): Promise<Opened> => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
    const calls = await Effect.runPromise(Effect.provideContext(make, context))
    const keys = await settled((key) => Effect.runPromise(calls.first(key)))
    return {
      run: (work, { concurrency, ...window }) => {
        const next = work === "first" ? newKey : around(keys)
        const progress = new Progress({ concurrency, ...window })
        const caller = Effect.whileLoop({
          while: () => progress.mayStart(),
          body: () => calls[work](next()),
          step: () => progress.calls++
        })
        const callers = Array.from({ length: concurrency }, () => caller)
        return Effect.all(callers, { concurrency: "unbounded", discard: true }).pipe(
          Effect.map(() => progress.measured()),
          Effect.runPromise
        )
      },
      close
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A side whose client is made of promises. */
export const openPromise = async (calls: Calls<Promise<void>>, close: () => Promise<void>): Promise<Opened> => {
  const keys = await settled(calls.first)
  return {
    run: async (work, window): Promise<Measured> => {
      const next = work === "first" ? newKey : around(keys)
      const progress = new Progress(window)
      const caller = async (): Promise<void> => {
        while (progress.mayStart()) {
          await calls[work](next())
          progress.calls++
        }
      }
      await Promise.all(Array.from({ length: window.concurrency }, caller))
      return progress.measured()
    },
    close
  }
}

/** The keys of records that are done. */
export const settled = async (first: (key: string) => Promise<void>): Promise<ReadonlyArray<string>> => {
  const keys = Array.from({ length: replayed }, newKey)
  for (const key of keys) await first(key)
  return keys
}

/** Gives the keys one after the other, over and over. */
export const around = (keys: ReadonlyArray<string>): (() => string) => {
  let index = 0
  return () => keys[index++ % keys.length]
}
