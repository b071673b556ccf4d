/**
 * A call whose arguments are no object is answered like every other faulty one, on every way in, and nothing runs.
 */
import { AuditTrail, Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Identity } from "@ferrule/mcp"
import type { ToolHost } from "@ferrule/mcp/ToolHost"
import { Client } from "@modelcontextprotocol/client"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema, type Scope } from "effect"
import { PassThrough } from "node:stream"
import { createInterface } from "node:readline"
import * as ConnectorHost from "../src/internal/connectorHost.ts"
import * as InMemory from "../src/internal/inMemory.ts"
import * as Serve from "../src/internal/serve.ts"
import { ada, envelope, legacy, modern, send, serve, tokens, vicToken } from "./testHost.ts"

const Name = Schema.String.check(Schema.isBetweenLength(1, 20)).annotate({ description: "A name, 1 to 20 characters." })
const fields = Schema.Struct({ name: Name })
const Make = Tool.write("make", {
  title: "Make",
  description: "Stands for a write, in a test of arguments.",
  input: fields,
  output: fields,
  allow: Policy.all(Policy.role("admin"), Policy.scope("tickets:read")),
  idempotency: { identity: ["name"], recovery: "repeatable" }
})
const Desk = Connector.make("arguments-desk", { version: "1.0.0", tools: [Make] })

type Tools = ReturnType<ToolHost["list"]>

/** Which tools the direct way leaves to the SDK, and one that it does not. */
const kinds: Record<string, (tools: Tools) => Tools> = {
  "a plain tool": (tools) => tools,
  "a tool with a header parameter": (tools) =>
    tools.map((tool) => ({
      ...tool,
      inputSchema: { ...tool.inputSchema, properties: { name: { type: "string", "x-mcp-header": "Name" } } }
    })),
  "a tool with a list as its output": (tools) =>
    tools.map((tool) => ({ ...tool, outputSchema: { type: "array", items: { type: "string" } } }))
}

const records: Array<AuditTrail.AuditRecord> = []
let executed = 0

const makeHost = (kind: string) =>
  ConnectorHost.make(Desk).pipe(
    Effect.provide([
      Desk.toLayer({
        make: (input) =>
          Effect.sync(() => {
            executed++
            return input
          })
      }),
      IdempotencyStore.layerMemory
    ]),
    Effect.map((host): ToolHost => {
      const lists = new Map<Tools, Tools>()
      const list: ToolHost["list"] = (principal) => {
        const tools = host.list(principal)
        if (!lists.has(tools)) lists.set(tools, kinds[kind](tools))
        return lists.get(tools) ?? []
      }
      return { ...host, list }
    })
  )

interface Params {
  readonly name: string
  readonly arguments: unknown
  readonly _meta?: Record<string, unknown>
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly result?: {
    readonly isError?: boolean
    readonly structuredContent?: unknown
    readonly content: ReadonlyArray<{ readonly type: string; readonly text: string }>
    readonly _meta?: Record<string, { readonly issues: unknown }>
  }
  readonly error?: { readonly code: number; readonly message: string }
}

/** Sends a call of an era, and gives its answer, which must be the only message. */
type Call = (era: "modern" | "legacy", params: Params, token?: string) => Effect.Effect<Message, unknown, Scope.Scope>

const request = { modern, legacy }

const ways: Record<string, (host: ToolHost) => Effect.Effect<Call, unknown, Scope.Scope>> = {
  "HTTP on Node": (host) =>
    Effect.map(serve(host), (url): Call => (era, params, token) => {
      const call = request[era]("tools/call", { ...params }, token)
      return Effect.map(send(url, call), ({ json }) => json)
    }),
  "a fetch handler": (host) =>
    Effect.map(
      Effect.provide(Serve.fetchHandler(Effect.succeed(host)), tokens),
      (handle): Call =>
        (era, params, token) =>
          Effect.promise(async () => {
            const { body, headers } = request[era]("tools/call", { ...params }, token)
            const url = "http://localhost/mcp"
            const answer = await handle(
              new Request(url, { method: "POST", headers: { ...headers, host: "localhost" }, body })
            )
            const text = await answer.text()
            const events = text.startsWith("event: ") ? text.trimEnd().split("\n\n") : [text]
            assert.lengthOf(events, 1)
            return JSON.parse(events[0].replace("event: message\ndata: ", ""))
          })
    ),
  stdio: (host) =>
    Effect.sync((): Call => (era, params) => {
      const stdin = new PassThrough()
      const stdout = new PassThrough()
      const lines: Array<Message> = []
      createInterface({ input: stdout }).on("line", (line) => lines.push(JSON.parse(line)))
      if (era === "legacy") {
        const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
        stdin.write(JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params: hello }) + "\n")
        stdin.write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }) + "\n")
      }
      const _meta = era === "modern" ? { ...envelope, ...params._meta } : params._meta
      const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { ...params, _meta } }
      stdin.end(JSON.stringify(call) + "\n")
      return Serve.runStdio(Effect.succeed(host), { stdin, stdout }).pipe(
        Effect.provide(Identity.layerDeclared(ada)),
        Effect.andThen(Effect.promise(() => new Promise((resolve) => stdout.end(() => setImmediate(resolve))))),
        Effect.map(() => {
          const answers = lines.filter(({ id }) => id !== 0)
          assert.lengthOf(answers, 1)
          return answers[0]
        })
      )
    }),
  "a client in memory": (host) =>
    Effect.sync(
      (): Call => (era, params) =>
        Effect.gen(function* () {
          const transport = yield* InMemory.connect(host, ada)
          const mode = era === "modern" ? { pin: "2026-07-28" as const } : "legacy"
          const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } })
          yield* Effect.promise(() => client.connect(transport))
          const reports: Array<unknown> = []
          const options = params._meta === undefined ? {} : { onprogress: (report: unknown) => reports.push(report) }
          const answer = yield* Effect.promise(() => client.callTool(params as never, options))
          assert.deepStrictEqual(reports, [])
          return { result: answer as unknown as NonNullable<Message["result"]> }
        })
    )
}

const noObjects: ReadonlyArray<unknown> = [["canary"], "canary", 4711, null, true]

const quiet = Layer.merge(
  Logger.layer([]),
  AuditTrail.layer((record) => Effect.sync(() => void records.push(record)))
)

describe.each(Object.keys(kinds))("arguments that are no object, for %s", (kind) => {
  it.live.each(Object.keys(ways))("over %s: the fault by field, and nothing has run", (way) =>
    Effect.gen(function* () {
      const call = yield* ways[way](yield* makeHost(kind))
      for (const era of ["modern", "legacy"] as const) {
        for (const args of noObjects) {
          for (const meta of [{}, { _meta: { progressToken: "p" } }]) {
            records.length = 0
            const { result } = yield* call(era, { name: "make", arguments: args, ...meta })
            const about = `${era} ${JSON.stringify(args)} ${JSON.stringify(meta)}`
            assert.strictEqual(result?.isError, true, about)
            assert.strictEqual(
              result?.content[0].text,
              `make was not executed: an argument is wrong.
Class: ValidationError
Next: fix these arguments, then call again.
- the arguments: must be an object of arguments (expected: an object with name)`,
              about
            )
            assert.lengthOf(result?.content ?? [], 1)
            assert.isUndefined(result?.structuredContent)
            assert.deepStrictEqual(result?._meta?.["ferrule/error"].issues, [
              { path: "", message: "must be an object of arguments", expected: "an object with name" }
            ])
            assert.notInclude(JSON.stringify(result), "canary")
            assert.notInclude(JSON.stringify(result), "4711")
            assert.deepStrictEqual(
              records.map(({ decision, outcome, attempts }) => [decision, outcome, attempts]),
              [["invalid", "ValidationError", 0]]
            )
          }
        }
      }
      assert.strictEqual(executed, 0)
    }).pipe(Effect.provide(quiet))
  )

  it.live.each(Object.keys(ways).slice(0, 2))("over %s: who may not see the tool learns nothing", (way) =>
    Effect.gen(function* () {
      const call = yield* ways[way](yield* makeHost(kind))
      for (const era of ["modern", "legacy"] as const) {
        const hidden = yield* call(era, { name: "make", arguments: ["canary"] }, vicToken)
        const unknown = yield* call(era, { name: "nothing", arguments: ["canary"] }, vicToken)
        assert.deepStrictEqual(hidden.error, {
          code: -32602,
          message: "Unknown tool: list the tools to see those available to you"
        })
        assert.deepStrictEqual(hidden, unknown)
      }
    }).pipe(Effect.provide(quiet))
  )
})

describe("arguments that are no object", () => {
  it.live("are looked at only once the protocol's own checks have passed", () =>
    Effect.gen(function* () {
      for (const kind of Object.keys(kinds)) {
        const url = yield* serve(yield* makeHost(kind))
        const params = { name: "make", arguments: ["canary"] }
        const { body, headers } = modern("tools/call", params)
        const outcome = (change: { headers?: Record<string, string>; body?: string }) =>
          Effect.map(
            send(url, { headers: { ...headers, ...change.headers }, body: change.body ?? body }),
            ({ status, json }) => [status, json.error?.code]
          )
        assert.deepStrictEqual(yield* outcome({ headers: { "mcp-name": "other" } }), [400, -32020])
        assert.deepStrictEqual(yield* outcome({ headers: { "mcp-protocol-version": "2025-11-25" } }), [400, -32020])
        const future = body.replaceAll("2026-07-28", "2030-01-01")
        const version = { "mcp-protocol-version": "2030-01-01" }
        assert.deepStrictEqual(yield* outcome({ headers: version, body: future }), [400, -32022])
        const incomplete = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params })
        assert.deepStrictEqual(yield* outcome({ body: incomplete }), [400, -32602])
        assert.strictEqual((yield* outcome({ headers: { authorization: "" } }))[0], 401)
        // The header's other form is the SDK's to decode; the answer is the same.
        const encoded = yield* send(url, { headers: { ...headers, "mcp-name": "=?base64?bWFrZQ==?=" }, body })
        assert.include(encoded.json.result.content[0].text, "- the arguments: must be an object of arguments")
      }
    }).pipe(Effect.provide(quiet))
  )

  it.live("come before the scopes that the caller lacks, and missing arguments stay an empty object", () =>
    Effect.gen(function* () {
      const principal = Principal.make({ id: "zoe", roles: ["admin"] })
      const identity = Layer.succeed(Identity, Identity.of({ authenticate: () => Effect.succeed({ principal }) }))
      for (const kind of Object.keys(kinds)) {
        const url = yield* serve(yield* makeHost(kind), {}, identity)
        for (const era of [modern, legacy]) {
          const poor = yield* send(url, era("tools/call", { name: "make", arguments: [] }))
          assert.deepStrictEqual([poor.status, poor.json.result.isError], [200, true])
          const absent = yield* send(url, era("tools/call", { name: "make" }))
          assert.include(absent.json.result.content[0].text, "- name: is required")
          // Zoe lacks the scope, which only valid arguments bring to light.
          if (kind === "a tool with a header parameter") continue
          const valid = yield* send(url, era("tools/call", { name: "make", arguments: { name: "vase" } }))
          assert.strictEqual(valid.status, 403)
        }
      }
    }).pipe(Effect.provide(quiet))
  )
})
