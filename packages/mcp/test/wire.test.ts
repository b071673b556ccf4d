/**
 * What each class of answer is on the wire, through clients of both protocol eras and of three makers.
 */
import {
  AuditTrail,
  AuthorizationError,
  Connector,
  IdempotencyStore,
  Operation,
  Policy,
  Principal,
  Tool,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as Transport1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Data, Duration, Effect, Layer, Logger, Redacted, Schema, type Scope } from "effect"
import { McpClient, McpProtocol } from "effect/ai"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { inspect } from "node:util"

const Name = Schema.String.check(Schema.isBetweenLength(1, 20)).annotate({ description: "A name, 1 to 20 characters." })
const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })).annotate({ description: "1 to 9." })
const Color = Schema.Literals(["red", "green"]).annotate({ description: "The colour." })
const Made = Schema.Struct({ id: Schema.Int.annotate({ description: "The number of what was made." }) })
const base = {
  description: "Stands for a tool of a real connector, in a test of what clients see.",
  input: Schema.Struct({ name: Name, size: Schema.optionalKey(Size), color: Schema.optionalKey(Color) }),
  output: Made,
  allow: Policy.role("maker"),
  openWorld: false
}
const identity = ["name"] as const

const Look = Tool.read("look", { ...base, title: "Look" })
const Make = Tool.write("make", {
  ...base,
  title: "Make",
  destructive: false,
  idempotency: { identity, recovery: "repeatable" }
})
const MakeOnce = Tool.write("make_once", {
  ...base,
  title: "Make once",
  idempotency: { identity, recovery: "unknown", checkWith: "look" },
  requiresUserInteraction: true
})
const MakeLarge = Tool.write("make_large", {
  ...base,
  title: "Make something large",
  output: Schema.Struct({ text: Schema.String.annotate({ description: "A long text." }) }),
  maxResultSize: 1024,
  idempotency: { identity, recovery: "unknown", checkWith: "look" }
})
const MakeAgain = Tool.write("make_again", {
  ...base,
  title: "Make again",
  input: Schema.Struct({
    name: base.input.fields.name,
    memo: Schema.String.check(Schema.isMaxLength(20)).annotate({ description: "A note for people." }),
    occurrence: Tool.occurrence
  }),
  idempotency: { identity, free: ["memo"], occurrence: "occurrence", recovery: "repeatable", recordFailures: true }
})
const Mine = Tool.read("mine", {
  ...base,
  title: "Mine",
  allow: Policy.predicate("the name is the caller's", ({ id }, { name }: { readonly name: string }) => name === id)
})
const Hidden = Tool.read("hidden", { ...base, title: "Hidden", allow: Policy.role("admin") })
const Workshop = Connector.make("workshop", {
  version: "1.2.3",
  tools: [Look, Make, MakeOnce, MakeAgain, MakeLarge, Mine, Hidden],
  operationStatus: Policy.role("maker")
})

/** A word with a space of no width in it, one that is read backwards, and "go" in Unicode's tags. Emoji are whole. */
const unseen = "pay\u200bable \u202eevil\u202c \u{e0067}\u{e006f} 👩‍💻 ❤️"
const seen = String.raw`pay\u200bable \u202eevil\u202c \udb40\udc67\udb40\udc6f 👩‍💻 ❤️`

let made = 0
const make = ({ name }: { readonly name: string }) =>
  Effect.gen(function* () {
    if (name === "busy") {
      return yield* new TransientError({
        message: "The press is busy",
        retryAfter: Duration.seconds(90),
        applied: "no"
      })
    }
    if (name === "lost") return yield* new TransientError({ message: "The press did not answer" })
    if (name === "unseen") return yield* ValidationError.at("name", `is taken\nNext: ${unseen}`, "another\u200b name")
    if (name === "broken") return yield* Effect.die(new Error("password=hunter2"))
    if (name === "refused") return yield* new AuthorizationError({ message: "The press refused.", roles: ["foreman"] })
    yield* (yield* Operation).progress(1, 2, "half")
    return { id: ++made }
  })

const handlers = Workshop.toLayer({
  look: make,
  make,
  make_once: make,
  make_again: make,
  make_large: ({ name }) => Effect.succeed({ text: name === "unseen" ? unseen : "x".repeat(2000) }),
  mine: make,
  hidden: make
})
const token = "a-token-of-the-workshop"

const serve = Effect.gen(function* () {
  const services = yield* Layer.build(
    HttpRouter.serve(Mcp.layerHttp(Workshop, { path: "/mcp" }), { disableListenLog: true }).pipe(
      Layer.provide([
        handlers,
        IdempotencyStore.layerMemory,
        AuditTrail.layerNone,
        Logger.layer([]),
        Identity.layerTokens([
          { token: Redacted.make(token), principal: Principal.make({ id: "ada", roles: ["maker"] }) }
        ])
      ]),
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }))
    )
  )
  const { address } = Context.get(services, HttpServer.HttpServer)
  if (address._tag === "UnixPathAddress") return yield* Effect.die("no port")
  return `http://127.0.0.1:${address.port}/mcp`
})

interface Answer {
  readonly content: ReadonlyArray<{ readonly type: string; readonly text?: string }>
  readonly structuredContent?: unknown
  readonly isError?: boolean | undefined
  readonly _meta?: Readonly<Record<string, unknown>> | undefined
}

interface Connected {
  readonly call: (name: string, args: Record<string, unknown>) => Effect.Effect<Answer, unknown>
  readonly list: Effect.Effect<
    ReadonlyArray<{ readonly name: string; readonly annotations?: unknown; readonly _meta?: unknown }>,
    unknown
  >
}

interface PromiseClient {
  readonly callTool: (params: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>
  readonly listTools: () => Promise<{ readonly tools: ReadonlyArray<{ readonly name: string }> }>
  readonly close: () => Promise<void>
}

class CallFailed extends Data.TaggedError("CallFailed")<{ readonly cause: unknown }> {}

const connectedBy = (open: () => Promise<PromiseClient>) =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(open), (client) => Effect.promise(() => client.close())),
    (client): Connected => ({
      call: (name, args) =>
        Effect.tryPromise({
          try: () => client.callTool({ name, arguments: args }) as Promise<Answer>,
          catch: (cause) => new CallFailed({ cause })
        }),
      list: Effect.promise(async () => (await client.listTools()).tools)
    })
  )

const requestInit = { headers: { authorization: `Bearer ${token}` } }

const sdk2 = (mode: "legacy" | { readonly pin: "2026-07-28" }) => (url: string) =>
  connectedBy(async () => {
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } })
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
    return client
  })

const sdk1 = (url: string) =>
  connectedBy(async () => {
    const client = new Client1({ name: "test", version: "1" })
    // The transport's own type is not made for exactOptionalPropertyTypes.
    await client.connect(new Transport1(new URL(url), { requestInit }) as Parameters<typeof client.connect>[0])
    return client
  })

const effectClient = (protocol: typeof McpProtocol.v2025_11_25 | typeof McpProtocol.v2026_07_28) => (url: string) =>
  Effect.gen(function* () {
    const services = yield* Layer.build(
      McpClient.layerHttp({ name: "test", version: "1", protocol, url, headers: requestInit.headers }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
    )
    const client = Context.get(services, McpClient.McpClient)
    const tools = yield* client.listTools()
    const connected: Connected = {
      call: (name, args) => {
        const tool = tools.find((each) => each.name === name) ?? { ...tools[0], name }
        return client.callTool({ tool, arguments: args as never }) as Effect.Effect<Answer, unknown>
      },
      list: client.listTools()
    }
    return connected
  })

const clients: Record<string, (url: string) => Effect.Effect<Connected, unknown, Scope.Scope>> = {
  "SDK 2, 2026-07-28": sdk2({ pin: "2026-07-28" }),
  "SDK 2, 2025-11-25": sdk2("legacy"),
  "SDK 1": sdk1,
  "Effect, 2026-07-28": effectClient(McpProtocol.v2026_07_28),
  "Effect, 2025-11-25": effectClient(McpProtocol.v2025_11_25)
}

const read = Effect.fnUntraced(function* (client: Connected, name: string, args: Record<string, unknown>) {
  const answer = yield* client.call(name, args)
  assert.isTrue(answer.isError)
  assert.isUndefined(answer.structuredContent)
  assert.strictEqual(answer.content.length, 1)
  const { correlationId, ...error } = Object(answer._meta?.["ferrule/error"]) as Record<string, unknown>
  assert.match(String(correlationId), /^[0-9a-f-]{36}$/)
  return { text: String(answer.content[0].text).replace(String(correlationId), "<correlationId>"), error }
})

describe.each(Object.entries(clients))("%s", (_, connect) => {
  const withClient = <A>(test: (client: Connected) => Effect.Effect<A, unknown, Scope.Scope>) =>
    Effect.scoped(Effect.flatMap(Effect.flatMap(serve, connect), test))

  it.live("a wrong call is answered with every fault, and without the value", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const { text, error } = yield* read(client, "make", { size: 10, color: "mauve-canary", extra: 1 })
        assert.strictEqual(
          text,
          `make was not executed: 4 arguments are wrong.
Class: ValidationError
Next: fix these arguments, then call again.
- name: is required (expected: a string of 1 to 20 characters)
- size: must be at most 9 (expected: an integer from 1 to 9)
- color: must be one of "red", "green"
- extra: is not a known field; known fields: name, size, color (expected: leave it out)`
        )
        assert.strictEqual(error["class"], "ValidationError")
        assert.strictEqual(error["action"], "fix-arguments")
        assert.deepStrictEqual(
          (error["issues"] as ReadonlyArray<{ readonly path: string }>).map(({ path }) => path),
          ["name", "size", "color", "extra"]
        )
      })
    )
  )

  it.live("a refused caller is told to stop, and what would be required", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        assert.deepStrictEqual(yield* read(client, "mine", { name: "bob" }), {
          text: "mine needs that the name is the caller's.\nClass: AuthorizationError\nNext: stop. This caller may not do this, and trying again will not change it.",
          error: { class: "AuthorizationError", action: "stop", roles: [], scopes: [] }
        })
        assert.deepStrictEqual(yield* read(client, "look", { name: "refused" }), {
          text: "The press refused.\nClass: AuthorizationError\nNext: stop. This caller may not do this, and trying again will not change it.\nRole required: foreman",
          error: { class: "AuthorizationError", action: "stop", roles: ["foreman"], scopes: [] }
        })
      })
    )
  )

  it.live("a busy upstream is told with its wait, and whether anything was written", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        assert.deepStrictEqual(yield* read(client, "make", { name: "busy" }), {
          text: "The press is busy.\nClass: TransientError\nNext: wait 1m 30s, then repeat the same call with the same arguments.\nNothing was written.",
          error: { class: "TransientError", action: "retry", applied: "no", retryAfterMs: 90000 }
        })
      })
    )
  )

  it.live("a write that can't be known is named as that, with the tool to check with", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const expected = {
          text: "An attempt at this write was cut off, and whether it happened cannot be known from here.\nClass: OutcomeUnknown\nNext: do not repeat it. Check with look first whether it happened, and tell the user.",
          error: { class: "OutcomeUnknown", action: "check", checkWith: "look" }
        }
        for (const _call of [1, 2]) {
          const { error, text } = yield* read(client, "make_once", { name: "lost" })
          const { reference, ...rest } = error
          assert.match(String(reference), /^[A-Za-z0-9_-]{43}$/)
          const asked = `\nworkshop_operation_status says what became of it: reference ${String(reference)}`
          assert.deepStrictEqual({ text: text.replace(asked, ""), error: rest }, expected)
          assert.include(text, asked)
          const status = yield* client.call("workshop_operation_status", { reference })
          assert.strictEqual((status.structuredContent as { readonly state: string }).state, "unknown")
        }
      })
    )
  )

  it.live("a write whose result can't be given is said to be done, each time", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        for (const _call of [1, 2]) {
          const { text, error } = yield* read(client, "make_large", { name: "vase" })
          const { doneAt, ...rest } = error
          assert.strictEqual(
            text,
            `This write is done; its result is larger than may be kept or answered. It was done at ${String(doneAt)}.\nClass: ResultUnavailable\nNext: do not repeat it. Read the state with look.`
          )
          assert.deepStrictEqual(rest, {
            class: "ResultUnavailable",
            action: "done",
            reason: "too-large",
            checkWith: "look"
          })
        }
      })
    )
  )

  it.live("a defect is a reference, and nothing of it gets out", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const { text, error } = yield* read(client, "look", { name: "broken" })
        assert.strictEqual(
          text,
          "The connector failed; its operators find the cause under <correlationId>.\nClass: Internal\nNext: stop, and tell the user this reference."
        )
        assert.deepStrictEqual(error, { class: "Internal", action: "stop" })
      })
    )
  )

  it.live("a repeat gets the first result to the byte, marked as such", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const first = yield* client.call("make", { name: "vase", size: 3 })
        const second = yield* client.call("make", { name: "vase", size: 3 })
        assert.isUndefined(first._meta?.["ferrule/replayed"])
        assert.strictEqual(first.content.length, 1)
        assert.strictEqual(first.content[0].text, JSON.stringify(first.structuredContent))
        assert.strictEqual(JSON.stringify(second.structuredContent), JSON.stringify(first.structuredContent))
        assert.strictEqual(second.content[0].text, first.content[0].text)
        assert.match(
          String(second.content[1].text),
          /^Already done at \S+Z: this is the result of that time, and nothing was executed again\./
        )
        assert.hasAllKeys(second._meta?.["ferrule/replayed"], ["doneAt", "reference"])
      })
    )
  )

  it.live("what nobody would see is escaped in a result's text, which is the text of the same data all the same", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        for (const _call of ["first", "replayed"]) {
          const { content, structuredContent } = yield* client.call("make_large", { name: "unseen" })
          assert.deepStrictEqual(structuredContent, { text: unseen })
          assert.strictEqual(content[0].text, `{"text":"${seen}"}`)
          assert.deepStrictEqual(JSON.parse(String(content[0].text)), structuredContent)
        }
      })
    )
  )

  it.live("what nobody would see is escaped in an error, whose words begin no line of their own", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const { error, text } = yield* read(client, "look", { name: "unseen" })
        const message = String.raw`is taken\u000aNext: ${seen}`
        const expected = String.raw`another\u200b name`
        assert.strictEqual(
          text,
          `look was not executed: an argument is wrong.\nClass: ValidationError\nNext: fix these arguments, then call again.\n- name: ${message} (expected: ${expected})`
        )
        assert.deepStrictEqual(error["issues"], [{ path: "name", message, expected }])
      })
    )
  )

  it.live("a repeat says what it ignored, how to do it once more on purpose, and what its status is", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        yield* client.call("make_again", { name: "vase", memo: "for Bea" })
        const second = yield* client.call("make_again", { name: "vase", memo: "for Cy" })
        const { doneAt, reference, ...rest } = Object(second._meta?.["ferrule/replayed"]) as Record<string, unknown>
        assert.deepStrictEqual(rest, { ignoredFields: ["memo"], onceMore: { occurrence: 2 } })
        assert.strictEqual(
          second.content[1].text,
          `Already done at ${String(doneAt)}: this is the result of that time, and nothing was executed again. The state may have changed since. What differs from that call was ignored: memo. To do it once more on purpose, pass occurrence: 2.`
        )
        const status = yield* client.call("workshop_operation_status", { reference })
        const { since, state } = Object(status.structuredContent) as Record<string, unknown>
        assert.strictEqual(state, "done")
        // By the store's clock, a moment after the result was there.
        assert.isAtLeast(Date.parse(String(since)), Date.parse(String(doneAt)))
        const third = yield* client.call("make_again", { name: "vase", memo: "for Cy", occurrence: 2 })
        assert.isUndefined(third._meta?.["ferrule/replayed"])
      })
    )
  )

  it.live("a refusal that is kept is marked as one of an earlier call, with how to ask once more", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const args = { name: "refused", memo: "for Bea" }
        const first = yield* client.call("make_again", args)
        const second = yield* client.call("make_again", args)
        assert.isUndefined(first._meta?.["ferrule/replayed"])
        const { doneAt, onceMore } = Object(second._meta?.["ferrule/replayed"]) as Record<string, unknown>
        assert.deepStrictEqual(onceMore, { occurrence: 2 })
        assert.strictEqual(
          second.content[0].text,
          `${String(first.content[0].text)}\nAlready answered so at ${String(doneAt)}: this is the result of that time, and nothing was executed again. The state may have changed since. To do it once more on purpose, pass occurrence: 2.`
        )
      })
    )
  )

  it.live("a repeat with another value is refused by field", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        yield* client.call("make", { name: "bowl", size: 3 })
        const { text } = yield* read(client, "make", { name: "bowl", size: 4 })
        assert.include(text, "- size: differs from an earlier call that means the same operation")
      })
    )
  )

  it.live("a hidden tool and one that does not exist are answered alike", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const said = (failure: unknown) => inspect(failure, { depth: 4 }).replaceAll(/\n\s+at .*/g, "")
        const hidden = said(yield* Effect.flip(client.call("hidden", { name: "x" })))
        const unknown = said(yield* Effect.flip(client.call("nonsense", { name: "x" })))
        assert.strictEqual(hidden, unknown)
        assert.include(hidden, "-32602")
        assert.include(hidden, "Unknown tool: list the tools to see those available to you")
      })
    )
  )

  it.live("the list holds what the caller may call, with all four hints", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const tools = yield* client.list
        assert.deepStrictEqual(
          tools.map(({ name }) => name),
          ["look", "make", "make_once", "make_again", "make_large", "mine", "workshop_operation_status"]
        )
        const hints = (title: string, readOnlyHint: boolean, destructiveHint: boolean) => ({
          title,
          readOnlyHint,
          destructiveHint,
          idempotentHint: true,
          openWorldHint: false
        })
        assert.deepEqual(tools[0].annotations, hints("Look", true, false))
        assert.deepEqual(tools[1].annotations, hints("Make", false, false))
        assert.deepEqual(tools[2].annotations, hints("Make once", false, true))
      })
    )
  )

  it.live("the list asks clients for a person's consent to each call where a write does", () =>
    withClient(
      Effect.fnUntraced(function* (client) {
        const asking = (yield* client.list).filter(({ _meta }) => _meta !== undefined)
        assert.deepStrictEqual(
          asking.map(({ _meta, name }) => ({ _meta, name })),
          [{ _meta: { "anthropic/requiresUserInteraction": true }, name: "make_once" }]
        )
      })
    )
  )
})
