/**
 * Calls a connector's tools in memory, through the whole pipeline, as any principal, and gets the typed refusal.
 *
 * The layers of a test stand for the real ones: a desk in memory, `IdempotencyStore.layerMemory`, a trail that collects.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Connector from "../Connector.ts"
import type { DefinitionError, Refusal } from "../ConnectorError.ts"
import * as Pipeline from "../Pipeline.ts"
import type { PrincipalData } from "../Principal.ts"
import type * as Tool from "../Tool.ts"

/**
 * Says that the principal has no such tool: it does not exist, or it is hidden.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoSuchTool extends Data.TaggedError("NoSuchTool")<{ readonly tool: string }> {}

/**
 * A result in the form that it has on the wire, and when it was done if an earlier call did it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Called<Result> {
  readonly result: Result
  readonly replay: Pipeline.Replay | undefined
}

type ResultOf<Tools extends Tool.Any, Name> =
  Extract<Tools, { readonly name: Name }> extends
    | Tool.Read<string, infer _Input, infer Output, unknown>
    | Tool.Write<string, infer _Input, infer Output, Tool.Recovery, unknown>
    ? Output["Encoded"]
    : never

/**
 * @category models
 * @since 0.1.0
 */
export interface TestClient<Tools extends Tool.Any> {
  /** Calls as this principal. Arguments are `unknown`, since a model may send anything. */
  readonly as: (principal: PrincipalData) => {
    readonly call: <Name extends Tools["name"]>(
      tool: Name,
      args: unknown,
      options?: Pick<Pipeline.Call, "idempotencyKey" | "progress">
    ) => Effect.Effect<Called<ResultOf<Tools, Name>>, Refusal | NoSuchTool>
  }
}

/**
 * Makes a client over the connector's handlers and store.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Name extends string, Tools extends Tool.Any>(
  connector: Connector.Connector<Name, Tools>
): Effect.Effect<
  TestClient<Tools>,
  DefinitionError,
  Connector.Requirements<Connector.Connector<Name, Tools>> | Scope.Scope
> =>
  Effect.map(Pipeline.make(connector), (pipeline) => ({
    as: (principal) => ({
      call: (tool, args, options) =>
        Effect.flatMap(
          pipeline.call({ tool, arguments: args, principal, ...options }),
          (outcome): Effect.Effect<Called<never>, Refusal | NoSuchTool> => {
            switch (outcome._tag) {
              case "Completed":
                // The pipeline has encoded it by the output schema that this type is taken from.
                return Effect.succeed({ result: outcome.answer.value as never, replay: outcome.replay })
              case "Refused":
                return Effect.fail(outcome.refusal)
              case "NoSuchTool":
                return Effect.fail(new NoSuchTool({ tool }))
            }
          }
        )
    })
  }))
