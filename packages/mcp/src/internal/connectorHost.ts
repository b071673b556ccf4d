/**
 * A connector as a `ToolHost`: its pipeline between the protocol's request and result.
 */
import type * as Connector from "@ferrule/core/Connector"
import * as Pipeline from "@ferrule/core/Pipeline"
import * as Policy from "@ferrule/core/Policy"
import type { PrincipalData } from "@ferrule/core/Principal"
import type * as CoreTool from "@ferrule/core/Tool"
import type { Tool } from "@modelcontextprotocol/server"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
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
    try {
      const decision = Policy.decide(tool.allow, principal, input.success)
      return decision._tag === "MissingScopes" ? decision.scopes : []
    } catch {
      // A predicate that throws. The pipeline meets it too, and answers and logs it as a defect.
      return []
    }
  }

  const run = (request: ToolRequest) => {
    const { progress } = request
    return pipeline.call({
      tool: request.name,
      arguments: request.arguments,
      principal: request.principal,
      idempotencyKey: keyOf(request),
      progress: progress && ((...update) => Effect.sync(() => progress(...update)))
    })
  }

  /** A span as OpenTelemetry's conventions for MCP have it. It holds no arguments. */
  const traced = (request: ToolRequest, parent: Tracer.AnySpan | undefined) =>
    Effect.useSpan(
      `tools/call ${names.has(request.name) ? request.name : "unknown"}`,
      { kind: "server", ...(parent && { parent }), attributes: { "mcp.method.name": "tools/call" } },
      (span) =>
        Effect.map(Effect.withParentSpan(run(request), span), (outcome) => {
          if (outcome._tag !== "NoSuchTool") span.attribute("gen_ai.tool.name", request.name)
          if (outcome._tag === "Refused") span.attribute("error.type", outcome.refusal._tag)
          return outcome
        })
    )

  const call = (request: ToolRequest) =>
    Effect.withFiber((fiber) => {
      const parent = parentOf(request)
      // Nobody would see the span, and it costs as much as the rest of a read.
      const untraced = parent === undefined && fiber.getRef(Tracer.Tracer) === noTracer
      return Effect.map(untraced ? run(request) : traced(request, parent), (outcome) =>
        outcome._tag === "NoSuchTool" ? undefined : ofOutcome(request.name, outcome)
      )
    })

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
  // The header's draft has it as a quoted string.
  if (key === undefined) return idempotencyKey?.replace(/^"(.*)"$/, "$1")
  return typeof key === "string" ? key : ""
}

const parentOf = ({ meta }: ToolRequest): Tracer.ExternalSpan | undefined => {
  const traceparent = meta?.["traceparent"]
  return typeof traceparent === "string"
    ? Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromInput({ traceparent })))
    : undefined
}

/** The tracer of a program that has none: its spans end in this process. */
const noTracer = Context.get(Context.empty(), Tracer.Tracer)
