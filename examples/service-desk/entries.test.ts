import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as FlakyUpstream from "./FlakyUpstream.ts"
import * as Collector from "./testCollector.ts"
import { login } from "./testDesk.ts"

const messengerToken = "messenger-token-of-the-tests"
const tokens = {
  DESK_VIEWER_TOKEN: "token-of-vera-for-tests",
  DESK_AGENT_TOKEN: "token-of-ana-for-tests",
  DESK_ADMIN_TOKEN: "token-of-ada-for-tests"
}

/** What both entry points need: a folder for the files and a messenger. */
const environment = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "service-desk-test-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  const messenger = yield* FlakyUpstream.start({ token: messengerToken, port: 0 })
  return { DESK_DATA: folder, MESSENGER_URL: messenger.url, MESSENGER_TOKEN: messengerToken }
})

const entry = (name: string) => join(import.meta.dirname, name)

type Environment = Readonly<Record<string, string | undefined>>

const start = (name: string, env: Environment) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [entry(name)], { env: { ...process.env, ...env } })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Starts the HTTP entry and returns its address, which it logs. */
const serveHttp = (env: Environment) =>
  Effect.flatMap(start("http.ts", { DESK_PORT: "0", ...env }), (child) =>
    Effect.callback<URL>((resume) => {
      let log = ""
      child.stderr.setEncoding("utf8").on("data", (chunk) => {
        log += chunk
        const address = /Listening on (http:[^"]+)/.exec(log)?.[1]
        if (address !== undefined) resume(Effect.succeed(new URL("/mcp", address)))
      })
      child.once("exit", () => resume(Effect.die(log)))
    })
  )

/** Runs an entry to its end, and returns its exit code and what it wrote. */
const run = (name: string, env: Environment) =>
  Effect.flatMap(start(name, env), (child) =>
    Effect.callback<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>((resume) => {
      const written = { stdout: "", stderr: "" }
      child.stdin.end()
      child.stdout.setEncoding("utf8").on("data", (chunk) => (written.stdout += chunk))
      child.stderr.setEncoding("utf8").on("data", (chunk) => (written.stderr += chunk))
      child.once("close", (code) => resume(Effect.succeed({ code, ...written })))
    })
  )

const modern = { versionNegotiation: { mode: { pin: "2026-07-28" } } } as const

const connect = (transport: StreamableHTTPClientTransport | StdioClientTransport, options = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1.0.0" }, options)
      await client.connect(transport)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const connectHttp = (url: URL, token: string, options = {}) => {
  const headers = { authorization: `Bearer ${token}` }
  return connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }), options)
}

const namesOf = (client: Client) =>
  Effect.map(
    Effect.promise(() => client.listTools()),
    ({ tools }) => tools.map(({ name }) => name)
  )

const all = [
  "search_tickets",
  "read_ticket",
  "list_pages",
  "create_ticket",
  "reply_to_ticket",
  "reassign_ticket",
  "page_on_call",
  "delete_ticket"
]

describe("over HTTP", () => {
  it.live("each role is shown its tools, and the older protocol works as well", () =>
    Effect.gen(function* () {
      const url = yield* serveHttp({ ...(yield* environment), ...tokens })
      const vera = yield* connectHttp(url, tokens.DESK_VIEWER_TOKEN, modern)
      const ana = yield* connectHttp(url, tokens.DESK_AGENT_TOKEN, modern)
      const ada = yield* connectHttp(url, tokens.DESK_ADMIN_TOKEN)
      assert.deepStrictEqual(yield* namesOf(vera), all.slice(0, 3))
      assert.deepStrictEqual(yield* namesOf(ana), all.slice(0, 7))
      assert.deepStrictEqual(yield* namesOf(ada), all)

      const created = yield* Effect.promise(() => ada.callTool({ name: "create_ticket", arguments: login }))
      assert.containsSubset(created.structuredContent, { id: "T-1001", subject: "Can't sign in" })
      const removal = { ticketId: "T-1001", reason: "Spam" }
      const hidden = yield* Effect.flip(
        Effect.tryPromise(() => vera.callTool({ name: "delete_ticket", arguments: removal }))
      )
      assert.containsSubset(hidden.cause, { code: -32602 })
    })
  )

  it.live("a caller without a token, or with another one, gets 401", () =>
    Effect.gen(function* () {
      const url = yield* serveHttp({ ...(yield* environment), ...tokens })
      for (const headers of [{}, { authorization: "Bearer somebody-elses-token" }]) {
        const response = yield* Effect.promise(() => fetch(url, { method: "POST", headers, body: "{}" }))
        assert.strictEqual(response.status, 401)
        assert.isTrue(response.headers.get("www-authenticate")?.startsWith("Bearer"))
      }
    })
  )

  it.live("a token that is missing is named, and the server does not start", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* run("http.ts", {
        ...(yield* environment),
        ...tokens,
        DESK_AGENT_TOKEN: undefined
      })
      assert.strictEqual(code, 1)
      assert.strictEqual(stdout, "")
      assert.strictEqual(
        stderr,
        "The service desk can't start. Set DESK_AGENT_TOKEN in its environment; README.md says to what.\n"
      )
    })
  )
})

describe("over stdio", () => {
  it.live("the declared person gets the tools of the role, and a write happens once", () =>
    Effect.gen(function* () {
      const env = { ...(yield* environment), DESK_USER: "ana", DESK_ROLE: "agent" }
      const client = yield* connect(
        new StdioClientTransport({
          command: process.execPath,
          args: [entry("stdio.ts")],
          env: { ...process.env, ...env } as Record<string, string>,
          stderr: "ignore"
        }),
        modern
      )
      assert.deepStrictEqual(yield* namesOf(client), all.slice(0, 7))
      const create = Effect.promise(() => client.callTool({ name: "create_ticket", arguments: login }))
      const first = yield* create
      const again = yield* create
      assert.containsSubset(first.structuredContent, { id: "T-1001" })
      assert.deepStrictEqual(again.structuredContent, first.structuredContent)
      assert.isDefined(again._meta?.["ferrule/replayed"])
    })
  )

  it.live("a person who is not declared is asked for, and stdout stays clean", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* run("stdio.ts", { ...(yield* environment), DESK_ROLE: "agent" })
      assert.strictEqual(code, 1)
      assert.include(stderr, "DESK_USER")
      assert.strictEqual(stdout, "")
    })
  )
})

describe("what a collector gets", () => {
  it.live("is which tools were called and how that ended, without arguments, names and tokens", () =>
    Effect.gen(function* () {
      const collector = yield* Collector.start
      const url = yield* serveHttp({
        ...(yield* environment),
        ...tokens,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_METRICS_EXPORTER: "otlp",
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_METRIC_EXPORT_INTERVAL: "100",
        OTEL_BSP_SCHEDULE_DELAY: "100"
      })
      const ana = yield* connectHttp(url, tokens.DESK_AGENT_TOKEN, modern)
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
      const call = (name: string, args: Record<string, unknown>) =>
        Effect.promise(() => ana.callTool({ name, arguments: args, _meta: { traceparent } }))
      yield* call("create_ticket", login)
      yield* call("create_ticket", login)
      yield* call("create_ticket", { ...login, queue: "canary-queue" })
      yield* call("list_pages", { ticketId: "T-1001" })
      const operations = () => collector.metrics().filter(([name]) => name === "mcp.server.operation.duration")
      const total = () => operations().reduce((sum, [, , , count]) => sum + count, 0)
      const calls = () => collector.spans().filter(({ name }) => name.startsWith("tools/call"))
      yield* Effect.repeat(
        Effect.sync(() => total() === 4 && calls().length === 4),
        {
          until: (done) => done,
          schedule: Schedule.spaced("20 millis")
        }
      )

      const common = {
        unit: "s",
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "create_ticket"
      }
      assert.deepStrictEqual(operations(), [
        ["mcp.server.operation.duration", "s", common, 2],
        ["mcp.server.operation.duration", "s", { ...common, "error.type": "ValidationError" }, 1],
        ["mcp.server.operation.duration", "s", { ...common, "gen_ai.tool.name": "list_pages" }, 1]
      ])
      const others = collector.metrics().map(([name, , attributes, count]) => [name, attributes, count])
      assert.deepInclude(others, ["ferrule.tool.replays", { "gen_ai.tool.name": "create_ticket" }, 1])
      assert.deepInclude(others, ["ferrule.upstream.duration", { unit: "s", "ferrule.upstream": "The messenger" }, 1])
      assert.containsSubset(collector.service(), { "service.name": "service-desk", "service.version": "1.0.0" })

      assert.deepStrictEqual(
        calls().map(({ name }) => name),
        ["tools/call create_ticket", "tools/call create_ticket", "tools/call create_ticket", "tools/call list_pages"]
      )
      assert.isTrue(calls().every(({ traceId }) => traceId === "4bf92f3577b34da6a3ce929d0e0e4736"))
      const sent = collector.bodies.join("\n")
      for (const secret of [
        ...Object.values(tokens),
        messengerToken,
        login.body,
        login.requester,
        "canary-queue",
        "T-1001"
      ]) {
        assert.notInclude(sent, secret)
      }
    })
  )
})
