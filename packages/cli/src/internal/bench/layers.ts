/**
 * The layers of an audit, built anew, with what stands around them: what comes out of them is taken down.
 */
import * as Connector from "@ferrule/core/Connector"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Audit } from "../../Audit.ts"
import type { StartOptions } from "../Bench.ts"
import type { BenchFault } from "../Check.ts"
import { building, scopeThatEnds } from "./building.ts"
import * as Egress from "./egress.ts"
import * as GlobalFetch from "./globalFetch.ts"
import * as Recorder from "./recorder.ts"
import * as Upstream from "./upstream.ts"

export interface Layers {
  readonly context: Context.Context<unknown>
  readonly programs: ReadonlyMap<string, Connector.Program>
  readonly recorder: Recorder.Recorder
  readonly recognition: ReturnType<typeof Egress.leaveOut>
  readonly upstream: Upstream.Upstream
}

export const make = Effect.fnUntraced(function* (
  { connector, layers }: Audit,
  patience: Duration.Input,
  answer: StartOptions["upstream"]
): Effect.fn.Return<Layers, BenchFault, Scope.Scope> {
  const scope = yield* scopeThatEnds(patience)
  const recorder = yield* Scope.provide(Recorder.make, scope)
  const recognition = Egress.leaveOut(yield* Scope.provide(Egress.watch, scope))
  yield* Scope.provide(GlobalFetch.replaced, scope)
  const upstream = Upstream.make(answer)
  const context = yield* building(scope, patience)(layers, `The layers of ${connector.name}`, upstream.memoMap).pipe(
    Effect.provideContext(recorder.context)
  )
  return { context, programs: Context.getUnsafe(context, connector.handlers), recorder, recognition, upstream }
})
