/** A tool host with one tool for each thing that a transport has to get right. */
import type { PrincipalData } from "@ferrule/core/Principal"
import { Principal } from "@ferrule/core/Principal"
import { Identity } from "@ferrule/mcp/Identity"
import type { ToolHost } from "@ferrule/mcp/ToolHost"
import type { Tool } from "@modelcontextprotocol/server"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Deferred, Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer, request as httpRequest } from "node:http"
import type { IncomingHttpHeaders } from "node:http"
import * as Serve from "../src/internal/serve.ts"

export const ada = Principal.make({ id: "ada", roles: ["admin"], scopes: ["tickets:read", "tickets:write"] })
export const vic = Principal.make({ id: "vic", roles: ["viewer"] })
export const adaToken = "ada-token-0123456789"
export const vicToken = "vic-token-0123456789"

const object = (properties: Record<string, Record<string, string>>) => ({
  type: "object" as const,
  properties,
  additionalProperties: false
})

export const tools: Array<Tool> = [
  { name: "echo", description: "Gives its arguments back.", inputSchema: object({ text: { type: "string" } }) },
  {
    name: "whoami",
    inputSchema: object({}),
    outputSchema: object({ id: { type: "string" } })
  },
  { name: "steps", inputSchema: object({}) },
  { name: "slow", inputSchema: object({}) },
  { name: "broken", inputSchema: object({}) },
  { name: "scoped", inputSchema: object({ text: { type: "string" } }) },
  { name: "region", inputSchema: object({ region: { type: "string", "x-mcp-header": "Region" } }) },
  { name: "count", inputSchema: object({}), outputSchema: { type: "integer" } }
]

const secretTool: Tool = { name: "secret", inputSchema: object({}) }
const adminTools = [...tools, secretTool]

const text = (value: unknown) => ({ content: [{ type: "text" as const, text: JSON.stringify(value) }] })

/** Says when the slow tool has started and when it was interrupted; `open` lets it finish. */
export const makeHost = Effect.gen(function* () {
  const started = yield* Deferred.make<void>()
  const interrupted = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  const host: ToolHost = {
    name: "test-desk",
    version: "1.2.3",
    title: "Test desk",
    instructions: "Ask before you delete.",
    scopes: ["tickets:read", "tickets:write"],
    list: (principal) => (isAdmin(principal) ? adminTools : tools),
    missingScopes: (name, args, principal) =>
      name === "scoped" && typeof args === "object"
        ? ["tickets:read", "tickets:write"].filter((scope) => !principal.scopes.includes(scope))
        : [],
    call: ({ name, arguments: args, principal, meta, idempotencyKey, progress }) => {
      switch (name) {
        case "echo":
          return Effect.succeed(text(args))
        case "whoami":
          return Effect.succeed({
            ...text({ id: principal.id, traceparent: meta?.["traceparent"], idempotencyKey }),
            structuredContent: { id: principal.id },
            _meta: { "ferrule/test": true }
          })
        case "steps":
          return Effect.sync(() => {
            progress?.(10, 100, "a tenth")
            progress?.(10)
            progress?.(5)
            progress?.(50, 100)
            setImmediate(() => progress?.(100))
            return text({ reported: progress !== undefined })
          })
        case "slow":
          return Deferred.succeed(started, undefined).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.as(text("finished")),
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
        case "broken":
          return Effect.die(new Error("dsn=postgres://root:hunter2@db"))
        case "scoped":
          return Effect.succeed(text("allowed"))
        case "region":
          return Effect.succeed(text(args))
        case "count":
          return Effect.succeed({ content: [], structuredContent: 7 as never })
        case "secret":
          return isAdmin(principal) ? Effect.succeed(text("secret")) : Effect.succeed(undefined)
        default:
          return Effect.succeed(undefined)
      }
    }
  }
  return { host, started, interrupted, gate }
})

const isAdmin = (principal: PrincipalData) => principal.roles.includes("admin")

export const tokens = Identity.layerTokens([
  { token: Redacted.make(adaToken), principal: ada },
  { token: Redacted.make(vicToken), principal: vic }
])

const makeServer: Parameters<typeof NodeHttpServer.layer>[0] = () => createServer()

/** Serves a host on a port of its own until the scope closes, and gives the endpoint's URL. */
export const serve = (
  host: ToolHost,
  options: Partial<Serve.HttpOptions> = {},
  identity = tokens,
  create = makeServer
) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      HttpRouter.serve(Serve.layerHttp(Effect.succeed(host), { path: "/mcp", ...options }), {
        disableListenLog: true
      }).pipe(
        Layer.provide(identity),
        Layer.provideMerge(NodeHttpServer.layer(create, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }))
      )
    )
    const { address } = Context.get(services, HttpServer.HttpServer)
    if (address._tag === "UnixPathAddress") return yield* Effect.die("no port")
    return new URL(`http://127.0.0.1:${address.port}/mcp`)
  })

/** `json` is the answer itself, also when it came as the last event of a stream. */
export interface RawResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- each test reads the fields that it is about
  readonly json: any
}

/** Sends one request as written, on a connection of its own. An interruption closes the connection. */
export const send = (
  url: URL,
  options: { method?: string; headers?: Record<string, string | Array<string>>; body?: string | Buffer }
) =>
  Effect.callback<RawResponse, Error>((resume) => {
    const request = httpRequest(
      url,
      { method: options.method ?? "POST", headers: options.headers, agent: false },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (chunk) => (text += chunk))
        response.on("error", (error) => resume(Effect.fail(error)))
        response.on("end", () => {
          const last = text.startsWith("event: ") ? text.trimEnd().split("\ndata: ").at(-1) : text
          const json = last?.startsWith("{") ? JSON.parse(last) : undefined
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text, json }))
        })
      }
    )
    request.on("error", (error) => resume(Effect.fail(error)))
    // A client that expects a 100 sends its body only after that.
    if (options.headers?.["expect"] === undefined) request.end(options.body)
    else {
      request.flushHeaders()
      request.on("continue", () => request.end(options.body))
    }
    return Effect.sync(() => request.destroy())
  })

export const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" }
}

export const baseHeaders = (token: string | undefined = adaToken) => ({
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  ...(token === "" ? {} : { authorization: `Bearer ${token}` })
})

/** A well-formed request of revision 2026-07-28 with the headers that belong to it. */
export const modern = (method: string, params: Record<string, unknown> = {}, token?: string) => ({
  headers: {
    ...baseHeaders(token),
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof params["name"] === "string" ? { "mcp-name": params["name"] } : {})
  } as Record<string, string>,
  body: JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method,
    params: { ...params, _meta: { ...envelope, ...(params["_meta"] as object | undefined) } }
  })
})

/** A well-formed request of revision 2025-11-25. */
export const legacy = (method: string, params?: Record<string, unknown>, token?: string) => ({
  headers: { ...baseHeaders(token), "mcp-protocol-version": "2025-11-25" } as Record<string, string>,
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, ...(params === undefined ? {} : { params }) })
})
