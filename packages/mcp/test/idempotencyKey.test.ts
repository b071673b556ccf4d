/**
 * The key that a client has of its own, in `_meta` or in the HTTP header, and what a replay says of itself over HTTP.
 */
import { AuditTrail, Connector, IdempotencyStore, Policy, Tool } from "@ferrule/core"
import { Identity } from "@ferrule/mcp"
import type { ToolHost } from "@ferrule/mcp/ToolHost"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema, type Scope } from "effect"
import { PassThrough } from "node:stream"
import { createInterface } from "node:readline"
import * as ConnectorHost from "../src/internal/connectorHost.ts"
import * as Serve from "../src/internal/serve.ts"
import { ada, envelope, legacy, modern, send, serve, tokens } from "./testHost.ts"

const Name = Schema.String.check(Schema.isBetweenLength(1, 20)).annotate({ description: "A name, 1 to 20 characters." })
const Count = Schema.Int.annotate({ description: "How many were made." })
const Make = Tool.write("make", {
  title: "Make",
  description: "Stands for a write, in a test of keys.",
  input: Schema.Struct({ name: Name }),
  output: Schema.Struct({ count: Count }),
  allow: Policy.role("admin"),
  idempotency: { identity: ["name"], recovery: "repeatable" }
})
const Desk = Connector.make("keys-desk", { version: "1.0.0", tools: [Make] })

/** A desk that has made nothing yet. */
const makeHost = Effect.suspend(() => {
  let count = 0
  return Effect.provide(ConnectorHost.make(Desk), [
    Desk.toLayer({ make: () => Effect.sync(() => ({ count: ++count })) }),
    IdempotencyStore.layerMemory
  ])
})

/** The same with a header parameter, which leaves its calls to the SDK. */
const sdkHost = Effect.map(makeHost, (host): ToolHost => {
  const properties = { name: { type: "string", "x-mcp-header": "Name" } }
  const listed = host.list(ada).map((tool) => ({ ...tool, inputSchema: { ...tool.inputSchema, properties } }))
  return { ...host, list: () => listed }
})

interface Answer {
  readonly text: string
  readonly count: number | undefined
  readonly header: string | null | undefined
}
interface Keys {
  readonly meta?: unknown
  readonly header?: string
}
type Call = (keys: Keys, extra?: object) => Effect.Effect<Answer, unknown, Scope.Scope>

const answerOf = (
  { result }: { result: { content: Array<{ text: string }>; structuredContent?: { count: number } } },
  header: string | null | undefined
): Answer => ({ text: result.content[0].text, count: result.structuredContent?.count, header })

const requestOf = (era: typeof modern | typeof legacy, { meta, header }: Keys, extra: object) => {
  const _meta = { ...extra, ...(meta === undefined ? {} : { "ferrule/idempotencyKey": meta }) }
  const { body, headers } = era("tools/call", { name: "make", arguments: { name: "vase" }, _meta })
  const key = header === undefined ? {} : { "idempotency-key": header }
  return { body, headers: { ...headers, "mcp-param-name": "vase", ...key } }
}

const overNode =
  (era: typeof modern | typeof legacy) =>
  (host: ToolHost): Effect.Effect<Call, unknown, Scope.Scope> =>
    Effect.map(
      serve(host),
      (url): Call =>
        (keys, extra = {}) =>
          Effect.map(send(url, requestOf(era, keys, extra)), ({ json, headers }) =>
            answerOf(json, headers["idempotent-replayed"] as string | undefined)
          )
    )

const overFetch =
  (era: typeof modern | typeof legacy) =>
  (host: ToolHost): Effect.Effect<Call, unknown, Scope.Scope> =>
    Effect.map(
      Effect.provide(Serve.fetchHandler(Effect.succeed(host)), tokens),
      (handle): Call =>
        (keys, extra = {}) =>
          Effect.promise(async () => {
            const { body, headers } = requestOf(era, keys, extra)
            const all = { ...headers, host: "localhost" }
            const answer = await handle(new Request("http://localhost/mcp", { method: "POST", headers: all, body }))
            const text = (await answer.text()).replace("event: message\ndata: ", "")
            return answerOf(JSON.parse(text), answer.headers.get("idempotent-replayed"))
          })
    )

const ways = {
  "HTTP on Node, 2026": overNode(modern),
  "HTTP on Node, 2025": overNode(legacy),
  "a fetch handler, 2026": overFetch(modern),
  "a fetch handler, 2025": overFetch(legacy)
}
const hosts = { "the direct way": makeHost, "the SDK's way": sdkHost }
const cases = Object.entries(ways).flatMap(([name, open]) =>
  Object.entries(hosts).map(([way, host]) => [`${name}, ${way}`, Effect.flatMap(host, open)] as const)
)

const quiet = Layer.merge(AuditTrail.layerNone, Logger.layer([]))
const first = "first-key-0123456789"
const second = "second-key-0123456789"

describe.each(cases)("a client's own key over %s", (_, open) => {
  it.live("counts in _meta and in the header alike, and another key is another operation", () =>
    Effect.gen(function* () {
      const call = yield* open
      const count = (keys: Keys) => Effect.map(call(keys), ({ count }) => count)
      assert.strictEqual(yield* count({}), 1)
      assert.strictEqual(yield* count({ meta: first }), 2)
      assert.strictEqual(yield* count({ header: second }), 3)
      assert.strictEqual(yield* count({ header: first }), 2)
      assert.strictEqual(yield* count({ header: `"${first}"` }), 2)
      assert.strictEqual(yield* count({ meta: second }), 3)
      assert.strictEqual(yield* count({ meta: first, header: first }), 2)
      assert.strictEqual(yield* count({ meta: first, header: `"${first}"` }), 2)
      assert.strictEqual(yield* count({}), 1)
    }).pipe(Effect.provide(quiet))
  )

  it.live("is refused when the two differ, by name and without either, and nothing is written", () =>
    Effect.gen(function* () {
      const call = yield* open
      const { text } = yield* call({ meta: first, header: second })
      assert.strictEqual(
        text,
        `make was not executed: an argument is wrong.
Class: ValidationError
Next: fix these arguments, then call again.
- idempotencyKey: is another in the Idempotency-Key header than in _meta["ferrule/idempotencyKey"] (expected: one key, in one of the two or the same in both)`
      )
      assert.include((yield* call({ meta: 5, header: second })).text, "is another in the Idempotency-Key header")
      assert.include((yield* call({ meta: 5 })).text, "- idempotencyKey: must be 16 to 255")
      assert.include((yield* call({ header: "short" })).text, "- idempotencyKey: must be 16 to 255")
      assert.strictEqual((yield* call({ meta: second })).count, 1)
    }).pipe(Effect.provide(quiet))
  )
})

describe("a replay over plain HTTP", () => {
  // To a client of 2025 the SDK answers with a stream, whose headers leave before the call begins.
  const unstreamed = cases.filter(([name]) => !name.includes("2025, the SDK's way"))
  it.live.each(unstreamed)("says so in a header, which the first answer lacks, over %s", ([, open]) =>
    Effect.gen(function* () {
      const call = yield* open
      assert.isNull((yield* call({})).header ?? null)
      assert.strictEqual((yield* call({})).header, "true")
      assert.isNull((yield* call({ meta: first, header: second })).header ?? null)
    }).pipe(Effect.provide(quiet))
  )
})

describe("a client's own key on stdio", () => {
  it.live("counts in _meta", () =>
    Effect.gen(function* () {
      const stdin = new PassThrough()
      const stdout = new PassThrough()
      const counts: Array<number> = []
      createInterface({ input: stdout }).on("line", (line) => {
        const { id, result } = JSON.parse(line)
        counts[id] = result.structuredContent.count
      })
      const keys = [undefined, first, second, first, undefined]
      keys.forEach((key, id) => {
        const _meta = { ...envelope, ...(key === undefined ? {} : { "ferrule/idempotencyKey": key }) }
        const params = { name: "make", arguments: { name: "vase" }, _meta }
        stdin.write(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params }) + "\n")
      })
      stdin.end()
      yield* Serve.runStdio(makeHost, { stdin, stdout }).pipe(Effect.provide(Identity.layerDeclared(ada)))
      yield* Effect.promise(() => new Promise((resolve) => stdout.end(() => setImmediate(resolve))))
      assert.deepStrictEqual(counts, [1, 2, 3, 2, 1])
    }).pipe(Effect.scoped, Effect.provide(quiet))
  )
})
