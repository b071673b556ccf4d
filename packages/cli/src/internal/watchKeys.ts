/**
 * Takes down the keys that handlers ask for to send them to an upstream, by which it recognises a repeat.
 */
import type * as Connector from "@ferrule/core/Connector"
import { Operation } from "@ferrule/core/Operation"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** What one run of a handler was given: no key where it asked for none. */
export interface Run {
  readonly tool: string
  readonly keys: ReadonlyArray<string>
}

export interface KeyWatch {
  readonly runs: ReadonlyArray<Run>
  readonly program: (tool: Tool.Any, program: Connector.Program) => Connector.Program
}

export const watchKeys = (): KeyWatch => {
  const runs: Array<Run> = []
  return {
    runs,
    program: (tool, program) => ({
      ...program,
      execute: (input) => {
        const keys: Array<string> = []
        runs.push({ tool: tool.name, keys })
        return watched(program.execute(input), keys)
      }
    })
  }
}

/** The pipeline gives each run its `Operation`, which no type of a program says. */
const watched = <A, E, R>(execution: Effect.Effect<A, E, R>, keys: Array<string>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Effect.serviceOption(Operation),
    Option.match({
      onNone: () => execution,
      onSome: (operation) => Effect.provideService(execution, Operation, keeping(operation, keys))
    })
  )

const keeping = (operation: Operation["Service"], keys: Array<string>): Operation["Service"] => ({
  ...operation,
  idempotencyKey: (provider) =>
    Effect.tap(operation.idempotencyKey(provider), (key) => Effect.sync(() => keys.push(key))),
  // A step has an operation of its own.
  step: (name, schema, effect) => operation.step(name, schema, watched(effect, keys))
})
