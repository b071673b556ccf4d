/**
 * A connector as a `ToolHost`: its pipeline between the protocol's request and result.
 */
import type * as Connector from "@ferrule/core/Connector"
import * as Pipeline from "@ferrule/core/Pipeline"
import * as Policy from "@ferrule/core/Policy"
import type { PrincipalData } from "@ferrule/core/Principal"
import type * as CoreTool from "@ferrule/core/Tool"
import type { Tool } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Headers from "effect/http/Headers"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import type { ToolHost, ToolRequest } from "../ToolHost.ts"
import { ofTool } from "./toolDefinition.ts"
import { ofOutcome } from "./toolResult.ts"

export const make = Effect.fnUntraced(function* <C extends Connector.Any>(
  connector: C
): Effect.fn.Return<ToolHost, never, Connector.Requirements<C> | Scope.Scope> {
  const pipeline = yield* Pipeline.make(connector)
  const tools: ReadonlyArray<CoreTool.Any> = connector.tools
  const names = new Set(tools.map((tool) => tool.name))
  const definitions = tools.map(ofTool)
  const listings = new Map<string, Array<Tool>>()

  const list = (principal: PrincipalData): Array<Tool> => {
    const visible = tools.map((tool) => Policy.isVisible(tool.allow, principal))
    const key = visible.join()
    const known = listings.get(key)
    if (known !== undefined) return known
    const listing = definitions.filter((_, index) => visible[index])
    listings.set(key, listing)
    return listing
  }

  // Decoding the arguments for the challenge is only worth it where a scope could be missing.
  const scoped = new Map(
    tools.filter((tool) => Policy.scopesOf(tool.allow).length > 0).map((tool) => [tool.name, tool])
  )

  const missingScopes = (name: string, args: unknown, principal: PrincipalData): ReadonlyArray<string> => {
    const tool = scoped.get(name)
    if (tool === undefined || !Policy.isVisible(tool.allow, principal)) return []
    const input = tool.input.decode(args)
    if (Result.isFailure(input)) return []
    const decision = Policy.decide(tool.allow, principal, input.success)
    return decision._tag === "MissingScopes" ? decision.scopes : []
  }

  const call = (request: ToolRequest) => {
    const { name, principal, progress } = request
    const outcome = Effect.useSpan(
      `tools/call ${names.has(name) ? name : "unknown"}`,
      { kind: "server", ...parentOf(request), attributes: { "mcp.method.name": "tools/call" } },
      (span) =>
        Effect.map(
          pipeline.call({
            tool: name,
            arguments: request.arguments,
            principal,
            idempotencyKey: keyOf(request),
            progress: progress && ((...update) => Effect.sync(() => progress(...update)))
          }),
          (outcome) => {
            if (outcome._tag !== "NoSuchTool") span.attribute("gen_ai.tool.name", name)
            if (outcome._tag === "Refused") span.attribute("error.type", outcome.refusal._tag)
            return outcome
          }
        )
    )
    return Effect.map(outcome, (outcome) => (outcome._tag === "NoSuchTool" ? undefined : ofOutcome(name, outcome)))
  }

  return {
    name: connector.name,
    version: connector.version,
    title: connector.title,
    instructions: connector.instructions,
    list,
    missingScopes,
    call
  }
})

/** The key of the request itself, before that of the connection; one that is no string is refused as any bad key is. */
const keyOf = ({ meta, idempotencyKey }: ToolRequest): string | undefined => {
  const key = meta?.["ferrule/idempotencyKey"]
  if (key === undefined) return idempotencyKey
  return typeof key === "string" ? key : ""
}

const parentOf = ({ meta }: ToolRequest) => {
  const traceparent = meta?.["traceparent"]
  if (typeof traceparent !== "string") return {}
  const parent = HttpTraceContext.w3c(Headers.fromInput({ traceparent }))
  return Option.isSome(parent) ? { parent: parent.value } : {}
}
