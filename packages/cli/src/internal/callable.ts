/**
 * What a probe can call: each tool with someone who may call it, and arguments that it accepts.
 */
import type * as Tool from "@ferrule/core/Tool"
import type { Bench, Caller, Era } from "./Bench.ts"
import { eras } from "./Bench.ts"
import type { Arguments } from "./Call.ts"

export interface Callable<T extends Tool.Any = Tool.Any> {
  readonly tool: T
  readonly caller: Caller
  readonly arguments: Arguments
  /** The revisions of the protocol take turns. */
  readonly era: Era
}

/** The tools of the connector's handlers. One that nobody may call is left out. */
export const callable = (bench: Bench): ReadonlyArray<Callable> =>
  (bench.connector.tools as ReadonlyArray<Tool.Any>).flatMap((tool, index) => {
    const caller = bench.callerOf(tool)
    return caller === undefined
      ? []
      : [{ tool, caller, arguments: bench.argumentsOf(tool), era: eras[index % eras.length]! }]
  })

export const callableWrites = (bench: Bench): ReadonlyArray<Callable<Tool.AnyWrite>> =>
  callable(bench).flatMap(({ tool, ...rest }) => (tool.kind === "write" ? [{ tool, ...rest }] : []))

/** Someone else whom every policy sees as this caller. */
export const another = ({ name, principal }: Caller, change: { readonly tenant?: string } = {}): Caller => ({
  name: `${name}, somebody else`,
  principal: change.tenant === undefined ? { ...principal, id: `${principal.id}-2` } : { ...principal, ...change }
})
