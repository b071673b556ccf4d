/**
 * A connector as a `ToolHost`: its pipeline between the protocol's request and result.
 */
import * as Connector from "@ferrule/core/Connector"
import type { DefinitionError } from "@ferrule/core/ConnectorError"
import { ValidationError } from "@ferrule/core/ConnectorError"
import * as Pipeline from "@ferrule/core/Pipeline"
import * as Policy from "@ferrule/core/Policy"
import type { PrincipalData } from "@ferrule/core/Principal"
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
import { ofTool } from "../ToolDefinition.ts"
import { ofOutcome } from "./toolResult.ts"

export const make = Effect.fnUntraced(function* <C extends Connector.Any>(
  connector: C
): Effect.fn.Return<ToolHost, DefinitionError, Connector.Requirements<C> | Scope.Scope> {
  const pipeline = yield* Pipeline.make(connector)
  const tools = Connector.toolsOf(connector)
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
    const missing = Policy.missingScopes(tool.allow, principal, input.success)
    if (missing.length === 0) return []
    // A client asks for what the challenge names and nothing more, so what it has already must be in it.
    return Policy.scopesOf(tool.allow).filter((scope) => missing.includes(scope) || principal.scopes.includes(scope))
  }

  const run = (request: ToolRequest) => {
    const { progress } = request
    const inMeta = request.meta?.["ferrule/idempotencyKey"]
    // The header's draft has it as a quoted string.
    const inHeader = request.idempotencyKey?.replace(/^"(.*)"$/, "$1")
    const twoKeys = inMeta !== undefined && inHeader !== undefined && inMeta !== inHeader
    const key = inMeta ?? inHeader
    const outcome = pipeline.call({
      tool: request.name,
      arguments: request.arguments,
      principal: request.principal,
      callerToken: request.callerToken,
      // What is no key is refused as any bad key is, at the same step and with the same record.
      idempotencyKey: twoKeys || (key !== undefined && typeof key !== "string") ? "" : key,
      progress: progress && ((...update) => Effect.sync(() => progress(...update)))
    })
    return twoKeys ? Effect.map(outcome, sayTwoKeys) : outcome
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
        outcome._tag === "NoSuchTool" ? undefined : ofOutcome(request.name, outcome, connector.operationStatus?.name)
      )
    })

  return {
    name: connector.name,
    version: connector.version,
    title: connector.title,
    instructions: connector.instructions,
    scopes: [...new Set(tools.flatMap((tool) => Policy.scopesOf(tool.allow)))],
    list,
    missingScopes,
    call
  }
})

/** Two keys stand for two operations, and nobody can know which one the call means. */
const sayTwoKeys = (outcome: Pipeline.Outcome): Pipeline.Outcome => {
  if (outcome._tag !== "Refused" || outcome.refusal._tag !== "ValidationError") return outcome
  return outcome.refusal.issues[0].path === "idempotencyKey" ? { ...outcome, refusal: twoKeysRefusal } : outcome
}

const twoKeysRefusal = ValidationError.at(
  "idempotencyKey",
  'is another in the Idempotency-Key header than in _meta["ferrule/idempotencyKey"]',
  "one key, in one of the two or the same in both"
)

const parentOf = ({ meta }: ToolRequest): Tracer.ExternalSpan | undefined => {
  const traceparent = meta?.["traceparent"]
  return typeof traceparent === "string"
    ? Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromInput({ traceparent })))
    : undefined
}

/** The tracer of a program that has none: its spans end in this process. */
const noTracer = Context.get(Context.empty(), Tracer.Tracer)
