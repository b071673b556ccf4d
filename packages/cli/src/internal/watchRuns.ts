/**
 * Tells whether the handler of a call has begun, and so what it asks an upstream from what the rules of its policy have asked
 * before. It is for one call at a time.
 */
import type * as Connector from "@ferrule/core/Connector"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"

export interface RunWatch {
  readonly program: (tool: Tool.Any, program: Connector.Program) => Connector.Program
  readonly hasBegun: () => boolean
  /** Before another call. */
  readonly reset: () => void
}

export const watchRuns = (): RunWatch => {
  let begun = false
  const marked = <A, E>(run: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      begun = true
      return run
    })
  return {
    program: (_, { execute, find, services }) => ({
      services,
      execute: (input) => marked(Effect.suspend(() => execute(input))),
      find: find && ((input, earlier) => marked(Effect.suspend(() => find(input, earlier))))
    }),
    hasBegun: () => begun,
    reset: () => {
      begun = false
    }
  }
}
