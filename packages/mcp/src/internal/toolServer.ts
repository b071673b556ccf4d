/**
 * The protocol side of one connector, made once and shared by every request. It answers plain requests directly, as one
 * serialized message, and makes SDK servers for all the rest. Both ways run the same tool host and give the same answers;
 * the direct way skips what the SDK sets up anew for each request, which over HTTP is most of the cost.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import type { CallToolResult, RequestId, ScopeChallengeHandler, Tool } from "@modelcontextprotocol/server"
import { McpServer, ProtocolError, ProtocolErrorCode, SERVER_INFO_META_KEY } from "@modelcontextprotocol/server"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import type { Authenticated } from "../Identity.ts"
import type { ToolHost, ToolRequest } from "../ToolHost.ts"
import { unpack } from "./anyArguments.ts"
import type { Era, PlainCall, PlainList } from "./plainRequest.ts"
import { withoutExceptions } from "./sdkRefusal.ts"
import { replayedKey } from "./toolResult.ts"

/** What a transport knows of a call beside the message. */
export interface Caller {
  readonly principal: PrincipalData
  readonly callerToken?: ToolRequest["callerToken"]
  readonly idempotencyKey: string | undefined
  readonly progress: ToolRequest["progress"]
}

/** One serialized JSON-RPC message. `replayed` says that it is the result of a write that an earlier call has done. */
export interface Answer {
  readonly json: string
  readonly replayed: boolean
}

export interface ToolServer {
  readonly host: ToolHost
  /** Answers a request, or is `undefined` when an SDK server has to answer this one. */
  readonly answer: (request: PlainList | PlainCall, caller: Caller) => Effect.Effect<Answer> | undefined
  /** Makes an SDK server for one visit: for one request over HTTP, for one connection elsewhere. */
  readonly sdkServer: (visit: Visit) => McpServer
}

/** A caller, and who wants to hear of a replay before its answer leaves. */
export interface Visit extends Authenticated {
  readonly onReplay?: () => void
}

/** What the protocol answers instead of a result; its text is fixed. */
class Fault {
  readonly code: number
  readonly message: string
  constructor(code: number, message: string) {
    this.code = code
    this.message = message
  }
}

/** The caller may keep a list this long; a role that it loses meanwhile still cannot call anything. */
const listTtlMs = 60_000

// One text for a tool that does not exist and for one hidden from this caller, so that the two cannot be told apart.
const unknownTool = new Fault(
  ProtocolErrorCode.InvalidParams,
  "Unknown tool: list the tools to see those available to you"
)
export const internalError = new Fault(ProtocolErrorCode.InternalError, "Internal error")
const unknownCursor = new Fault(ProtocolErrorCode.InvalidParams, "Unknown cursor: this list has one page")

/** Builds the server; `context` is what the fibers that the SDK starts run with, such as the logger. */
export const make = (host: ToolHost, context: Context.Context<never>): ToolServer => {
  const info = { name: host.name, version: host.version, ...(host.title === undefined ? {} : { title: host.title }) }
  const listJson = listSerializer(info)
  const isDirect = directTools(host)

  /**
   * Runs the call, and answers by what has become of it. A defect, of which the pipeline leaves none, is logged here and
   * never described to the client.
   */
  const callHost = <A>(request: ToolRequest, answer: (result: CallToolResult | Fault) => A): Effect.Effect<A> =>
    Effect.matchCauseEffect(
      orDefect(() => runWhileRising(host, request)),
      {
        onSuccess: (result) => Effect.succeed(answer(result ?? unknownTool)),
        onFailure: (cause) =>
          Effect.map(Effect.logError("A tool call died outside the pipeline", cause), () => answer(internalError))
      }
    )

  const answer: ToolServer["answer"] = (request, caller) => {
    const { era, id } = request
    if (request.method === "tools/list") {
      const json = listJson(host.list(caller.principal), era)
      return json === undefined ? undefined : Effect.succeed(resultMessage(id, json, false))
    }
    const { name, arguments: args, meta } = request
    if (!isDirect(name, caller.principal)) return undefined
    return callHost({ ...caller, name, arguments: args, meta }, (result) => {
      if (result instanceof Fault) return errorMessage(id, result)
      return resultMessage(id, JSON.stringify(era === "modern" ? complete(result, info) : result), isReplay(result))
    })
  }

  const run = Effect.runPromiseWith(context)

  const sdkServer: ToolServer["sdkServer"] = ({ onReplay, principal, token: callerToken }) => {
    const server = new McpServer(info, {
      capabilities: { tools: { listChanged: false } },
      cacheHints: { "tools/list": { ttlMs: listTtlMs, cacheScope: "private" } },
      ...(host.instructions === undefined ? {} : { instructions: host.instructions })
    })
    const tools = host.list(principal)
    // Registered for the checks that the SDK does by tool, on headers and scopes; the handlers below replace its own.
    for (const tool of tools) {
      const scopeChallenge: ScopeChallengeHandler = async ({ request }) => {
        const { arguments: args, _meta: meta } = request.params ?? {}
        const given = unpack(args, meta)
        const [scope, ...scopes] = host.missingScopes(tool.name, given, principal)
        if (scope === undefined) return undefined
        // The host refuses it for the same reason, before anything runs, and leaves the record that every call leaves.
        await run(callHost({ ...noContext, name: tool.name, arguments: given, principal }, () => undefined))
        return { scopes: [scope, ...scopes] }
      }
      server.registerTool(tool.name, { inputSchema: passThrough(tool.inputSchema), scopeChallenge }, neverCalled)
    }
    server.server.setRequestHandler("tools/list", (request) => {
      if (request.params?.cursor !== undefined) throw protocolError(unknownCursor)
      return { tools }
    })
    server.server.setRequestHandler("tools/call", async ({ params }, { mcpReq, http }) => {
      const headers = http?.req?.headers
      const token = mcpReq._meta?.progressToken
      const request: ToolRequest = {
        name: params.name,
        arguments: unpack(params.arguments, mcpReq._meta),
        principal,
        callerToken,
        meta: withTrace({ ...mcpReq.envelope, ...mcpReq._meta }, (name) => headers?.get(name) ?? undefined),
        idempotencyKey: headers?.get("idempotency-key") ?? undefined,
        progress:
          token === undefined
            ? undefined
            : (...report) => {
                const notification = { method: "notifications/progress", params: progressParams(token, ...report) }
                // Progress for a client that has gone is nobody's concern.
                mcpReq.notify(notification).catch(() => undefined)
              }
      }
      // After an abort the SDK drops whatever this gives, so a rejection says nothing to anybody.
      const call = callHost<CallToolResult | Fault>(request, identity)
      const result = await run(call, { signal: mcpReq.signal }).catch(() => internalError)
      if (result instanceof Fault) throw protocolError(result)
      if (isReplay(result)) onReplay?.()
      return server.server.projectCallToolResult(result, tools.find(({ name }) => name === params.name)?.outputSchema)
    })
    return withoutExceptions(server)
  }

  return { host, answer, sdkServer }
}

const isReplay = ({ _meta }: CallToolResult): boolean => _meta !== undefined && replayedKey in _meta

const orDefect = <A>(begin: () => Effect.Effect<A>): Effect.Effect<A> => {
  try {
    return begin()
  } catch (defect) {
    return Effect.die(defect)
  }
}

// Progress must rise, and must end with the call, so nothing that a handler left running reports any more.
const runWhileRising = (host: ToolHost, request: ToolRequest): Effect.Effect<CallToolResult | undefined> => {
  const report = request.progress
  if (report === undefined) return host.call(request)
  let last = Number.NEGATIVE_INFINITY
  const progress: ToolRequest["progress"] = (value, total, message) => {
    if (!(value > last)) return
    last = value
    report(value, total, message)
  }
  return Effect.ensuring(
    host.call({ ...request, progress }),
    Effect.sync(() => {
      last = Number.POSITIVE_INFINITY
    })
  )
}

export const progressParams = (progressToken: string | number, progress: number, total?: number, message?: string) => ({
  progressToken,
  progress,
  ...(total === undefined ? {} : { total }),
  ...(message === undefined ? {} : { message })
})

const traceKeys = ["traceparent", "tracestate", "baggage"]

/** Adds the W3C trace headers to a request's `_meta`, where the protocol carries them; what `_meta` says wins. */
export const withTrace = (
  meta: Readonly<Record<string, unknown>> | undefined,
  header: (name: string) => string | ReadonlyArray<string> | undefined
): Readonly<Record<string, unknown>> | undefined => {
  if (header("traceparent") === undefined || meta?.["traceparent"] !== undefined) return meta
  const traced: Record<string, unknown> = { ...meta }
  for (const key of traceKeys) {
    const value = header(key)
    if (value !== undefined) traced[key] = value
  }
  return traced
}

const protocolError = ({ code, message }: Fault) => new ProtocolError(code, message)

const resultMessage = (id: RequestId, result: string, replayed: boolean): Answer => ({
  json: `{"jsonrpc":"2.0","id":${idText(id)},"result":${result}}`,
  replayed
})

const idText = (id: RequestId): string => (typeof id === "string" ? JSON.stringify(id) : `${id}`)

const errorMessage = (id: RequestId, error: Fault): Answer => ({
  json: `{"jsonrpc":"2.0","id":${idText(id)},"error":${JSON.stringify(error)}}`,
  replayed: false
})

const complete = (result: CallToolResult, info: object): object => ({
  ...result,
  resultType: "complete",
  _meta: { ...result._meta, [SERVER_INFO_META_KEY]: info }
})

// The host gives the same array for the same visible set, so the serialized list lives as long as that array.
const listSerializer = (info: object) => {
  const cache = new WeakMap<Array<Tool>, Partial<Record<Era, string>>>()
  return (tools: Array<Tool>, era: Era): string | undefined => {
    // Before 2026-07-28 an output that is no object has to be wrapped, which only the SDK knows how to do.
    if (era === "legacy" && !tools.every(hasObjectOutput)) return undefined
    let entry = cache.get(tools)
    if (entry === undefined) cache.set(tools, (entry = {}))
    return (entry[era] ??= JSON.stringify(
      era === "legacy"
        ? { tools }
        : {
            tools,
            resultType: "complete",
            ttlMs: listTtlMs,
            cacheScope: "private",
            _meta: { [SERVER_INFO_META_KEY]: info }
          }
    ))
  }
}

const hasObjectOutput = (tool: Tool): boolean =>
  tool.outputSchema === undefined || tool.outputSchema["type"] === "object"

// A tool with header parameters needs the SDK's header check, and one with another output its wrapping. That is a property
// of the tool and not of the caller, so it is learned once for each name.
const directTools = (host: ToolHost) => {
  const known = new Map<string, boolean>()
  return (name: string, principal: PrincipalData): boolean => {
    const direct = known.get(name)
    if (direct === true) return true
    const tool = host.list(principal).find((tool) => tool.name === name)
    // Hidden or unknown: the same way for both, whatever others have learned of the name.
    if (tool === undefined) return true
    if (direct === false) return false
    const answer = hasObjectOutput(tool) && !JSON.stringify(tool.inputSchema).includes('"x-mcp-header"')
    known.set(name, answer)
    return answer
  }
}

const passThrough = (schema: Record<string, unknown>) => ({
  "~standard": {
    version: 1 as const,
    vendor: "ferrule",
    validate: (value: unknown) => ({ value }),
    jsonSchema: { input: () => schema, output: () => schema }
  }
})

const noContext = { meta: undefined, idempotencyKey: undefined, progress: undefined }

const neverCalled = () => {
  throw new Error("The tool handler of the tool host replaces this one")
}
