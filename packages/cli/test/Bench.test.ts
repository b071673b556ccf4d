import * as Audit from "@ferrule/cli/Audit"
import { Connector, Policy, Tool, TransientError } from "@ferrule/core"
import { Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Schedule, Schema } from "effect"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Bench from "../src/internal/Bench.ts"
import { sample } from "../src/internal/bench/sample.ts"
import { ferrule } from "./ferrule.ts"
import audit from "../../../examples/service-desk/connector.ts"

const login = audit.arguments["create_ticket"] as Record<string, unknown>
const ticketId = "T-1001"

const toolOf = (bench: Bench.Bench, name: string) => bench.tools.find((tool) => tool.name === name)!

const call = (client: Bench.Client, name: string, args: Record<string, unknown>) =>
  Effect.promise(() => client.callTool({ name, arguments: args }))

const textOf = (result: { readonly content: ReadonlyArray<unknown> }) => (result.content[0] as { text: string }).text

describe("the bench", () => {
  it.live("serves the connector to clients of both eras, for a caller of each role, and keeps what it did", () =>
    Effect.gen(function* () {
      const bench = yield* Bench.make(audit)
      assert.deepStrictEqual(
        bench.callers.map(({ name }) => name),
        ["viewer", "agent", "admin", "no role"]
      )
      const desk = yield* bench.start()
      const caller = bench.callerOf(toolOf(bench, "create_ticket"))!
      assert.deepStrictEqual([caller.name, caller.principal.id], ["agent", "ana"])
      for (const era of Bench.eras) {
        const client = yield* desk.connect(caller, era)
        assert.strictEqual(client.getNegotiatedProtocolVersion(), era)
        assert.notStrictEqual((yield* call(client, "create_ticket", login)).isError, true)
        assert.notStrictEqual((yield* call(client, "list_pages", { ticketId })).isError, true)
      }
      assert.deepStrictEqual(desk.executions, [
        { tool: "create_ticket", input: login },
        { tool: "list_pages", input: { ticketId } },
        { tool: "list_pages", input: { ticketId } }
      ])
      assert.deepStrictEqual(
        desk.records.map(({ outcome, principal, replayed, tool }) => [principal, tool, outcome, replayed]),
        [
          ["ana", "create_ticket", "Completed", false],
          ["ana", "list_pages", "Completed", false],
          ["ana", "create_ticket", "Completed", true],
          ["ana", "list_pages", "Completed", false]
        ]
      )
      assert.deepStrictEqual(
        desk.upstream.map(({ method, url }) => [method, new URL(url).pathname]),
        [
          ["GET", "/pages"],
          ["GET", "/pages"]
        ]
      )
      assert.match(desk.upstream[0]!.headers["authorization"]!, /^sha256:[0-9a-f]{16}$/)
      for (const way of ["log", "span", "audit record"])
        assert.isTrue(
          desk.output.some((each) => each.way === way),
          way
        )
    }).pipe(Effect.scoped)
  )

  it.live("begins each instance with nothing that another has left", () =>
    Effect.gen(function* () {
      const bench = yield* Bench.make(audit)
      const caller = bench.callerOf(toolOf(bench, "create_ticket"))!
      for (let round = 0; round < 2; round++) {
        const desk = yield* bench.start()
        const client = yield* desk.connect(caller, "2026-07-28")
        yield* call(client, "create_ticket", login)
        assert.strictEqual(desk.executions.length, 1)
      }
    }).pipe(Effect.scoped)
  )

  it.live("lets a probe stand before handlers, the store, the trail and the upstream", () =>
    Effect.gen(function* () {
      const bench = yield* Bench.make(audit)
      const seen: Array<string> = []
      const desk = yield* bench.start({
        program: (tool, program) =>
          tool.name === "read_ticket"
            ? { ...program, execute: () => Effect.fail(new TransientError({ message: "Not today", applied: "no" })) }
            : program,
        store: (store) => ({
          ...store,
          claim: (options) =>
            Effect.andThen(
              Effect.sync(() => seen.push("claim")),
              store.claim(options)
            )
        }),
        trail: (trail) => ({
          record: (record) =>
            Effect.andThen(
              Effect.sync(() => seen.push(record.outcome)),
              trail.record(record)
            )
        }),
        upstream: async (request, next) => {
          seen.push(request.method)
          return (await next()).status === 200 ? Response.json([{ id: "P-9", summary: "made up" }]) : Response.error()
        }
      })
      const client = yield* desk.connect(bench.callerOf(toolOf(bench, "create_ticket"))!, "2026-07-28")
      assert.include(textOf(yield* call(client, "read_ticket", { ticketId })), "Not today")
      yield* call(client, "create_ticket", login)
      assert.include(textOf(yield* call(client, "list_pages", { ticketId })), "made up")
      assert.deepStrictEqual(seen, ["TransientError", "claim", "Completed", "GET", "Completed"])
    }).pipe(Effect.scoped)
  )

  it.live("lets a handler that is interrupted give up its request, however long nobody has held it", () =>
    Effect.gen(function* () {
      setFlagsFromString("--expose-gc")
      const collect = runInNewContext("gc") as () => void
      const signals: Array<AbortSignal> = []
      const bench = yield* Bench.make(audit)
      const desk = yield* bench.start({
        tool: (tool) => ({ ...tool, timeout: Duration.millis(300), retry: Schedule.recurs(0) }),
        upstream: (request) => {
          signals.push(request.signal)
          return new Promise(() => undefined)
        }
      })
      const client = yield* desk.connect(bench.callerOf(toolOf(bench, "list_pages"))!, "2026-07-28")
      const called = yield* Effect.forkChild(call(client, "list_pages", { ticketId }))
      yield* Effect.repeat(Effect.andThen(Effect.sleep("10 millis"), Effect.sync(collect)), { times: 10 })
      assert.isTrue((yield* Fiber.join(called)).isError)
      assert.deepStrictEqual(
        signals.map(({ aborted }) => aborted),
        [true]
      )
    }).pipe(Effect.scoped)
  )

  it.live("moves the connector's clock: a token runs out, a client signs in again, and a record is forgotten", () =>
    Effect.gen(function* () {
      const bench = yield* Bench.make(audit)
      const desk = yield* bench.start()
      const caller = bench.callerOf(toolOf(bench, "create_ticket"))!
      const client = yield* desk.connect(caller, "2026-07-28")
      const old = yield* desk.token(caller)
      const ask = desk.send({
        headers: { authorization: `Bearer ${old}`, "content-type": "application/json" },
        body: "{}"
      })
      assert.notStrictEqual((yield* ask).status, 401)
      yield* call(client, "create_ticket", login)
      yield* desk.advance("25 hours")
      assert.strictEqual((yield* ask).status, 401)
      yield* call(client, "create_ticket", login)
      assert.strictEqual(desk.records.filter(({ replayed }) => replayed).length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("signs tokens that are wrong in one way, and each of them is refused", () =>
    Effect.gen(function* () {
      const bench = yield* Bench.make(audit)
      const desk = yield* bench.start()
      const changes: ReadonlyArray<Bench.TokenChange> = [
        { claims: { exp: 1 } },
        { claims: { aud: "https://other.example" } },
        { signature: "none" },
        { signature: "another key" },
        { signature: "broken" },
        { signature: "public key" }
      ]
      for (const changed of changes) {
        const token = yield* desk.token(bench.callers[0]!, changed)
        const { status } = yield* desk.send({ headers: { authorization: `Bearer ${token}` }, body: "{}" })
        assert.strictEqual(status, 401, JSON.stringify(changed))
      }
    }).pipe(Effect.scoped)
  )

  it.live("takes down what is written to standard output behind Effect's back, and gives it back", () =>
    Effect.gen(function* () {
      const write = process.stdout.write
      const bench = yield* Bench.make(audit)
      const { output } = yield* Effect.scoped(
        Effect.tap(bench.start(), () => Effect.sync(() => process.stdout.write("by the way\n")))
      )
      assert.deepInclude(output, { way: "stdout", text: "by the way\n" })
      assert.strictEqual(process.stdout.write, write)
    }).pipe(Effect.scoped)
  )
})

const Ping = Tool.read("ping", {
  title: "Ping",
  description: "Answers. Use it to see whether the connector is there. Do not use it for anything else.",
  input: Schema.Struct({}),
  output: Schema.Struct({}),
  allow: Policy.role("agent")
})
const Small = Connector.make("small", { version: "1.0.0", tools: [Ping] })
const handlers = Small.toLayer({ ping: () => Effect.succeed({}) })

describe("a connector that can't be started", () => {
  const reasonOf = (
    layers: Layer.Layer<Connector.Requirements<typeof Small>>,
    options: Omit<Audit.Options<typeof Small, never>, "layers"> = {}
  ) =>
    Bench.make(Audit.make(Small, { layers, ...options }), { patience: "500 millis" }).pipe(
      Effect.scoped,
      Effect.flip,
      Effect.map(({ message }) => message)
    )

  it.live("is one sentence that names the fault, without a password", () =>
    Effect.gen(function* () {
      const failing = Layer.effectDiscard(Effect.die(new Error("no route to postgres://desk:hunter2@db.example/desk")))
      assert.strictEqual(
        yield* reasonOf(Layer.merge(handlers, failing)),
        "The layers of small can't be built: no route to postgres://<redacted>@db.example/desk. Is the service that they need running?"
      )
    })
  )

  it.live("is given up on when its layers wait for ever", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* reasonOf(Layer.merge(handlers, Layer.effectDiscard(Effect.never))),
        "The layers of small can't be built: it took more than 500ms. Is the service that they wait for running?"
      )
    })
  )

  it.live("says so when its module makes no identity or no server", () =>
    Effect.gen(function* () {
      const broken = (): never => {
        throw new Error("DESK_ISSUER is not set")
      }
      const said = "DESK_ISSUER is not set. Is the service that they need running?"
      assert.strictEqual(
        yield* reasonOf(handlers, { identity: broken }),
        `The identity of small can't be built: ${said}`
      )
      assert.strictEqual(yield* reasonOf(handlers, { server: broken }), `The server of small can't be built: ${said}`)
    })
  )

  it.live("says so when its server listens elsewhere, or goes by another name alone", () =>
    Effect.gen(function* () {
      const elsewhere: Audit.Server<typeof Small> = (connector) => Mcp.layerHttpServer(connector, { port: 0 })
      assert.match(
        yield* reasonOf(handlers, { server: elsewhere }),
        /^The server of small does not listen at http:\/\/127\.0\.0\.1:\d+\/mcp\. Let it listen at the address that it is told\.$/
      )
      const otherwise: Audit.Server<typeof Small> = (connector, address) =>
        Mcp.layerHttpServer(connector, { ...address, allowedHosts: ["small.example"] })
      assert.strictEqual(
        yield* reasonOf(handlers, { server: otherwise }),
        "The server of small refuses the name that the audit calls it by, 127.0.0.1. Let its allowed hosts include the host that it is told."
      )
    })
  )

  it.live(
    "and a command that can't be probed, or can, ends by itself",
    () =>
      Effect.gen(function* () {
        const run = (file: string) => ferrule(["audit", fileURLToPath(new URL(file, import.meta.url)), "--probe"])
        const { code, stderr } = yield* run("../../../examples/service-desk/tools.ts")
        assert.strictEqual(code, 2)
        assert.include(stderr, "Export Audit.make(connector, { layers }) from it.")
        assert.notStrictEqual((yield* run("fixtures/noisy.ts")).code, 2)
      }),
    120_000
  )
})

describe("arguments that are made up", () => {
  const toolWith = (input: Tool.StructSchema): Tool.Any =>
    Tool.read("made_up", {
      title: "Made up",
      description: "Takes what it takes. Use it in tests. Do not use it elsewhere.",
      input,
      output: Schema.Struct({}),
      allow: Policy.role("agent")
    })
  const description = "A value."

  it("are valid for patterns, formats, bounds, unions and arrays, leave out what is optional, and are the same each time", () => {
    const tool = toolWith(
      Schema.Struct({
        id: Schema.String.check(Schema.isPattern(/^T-[0-9]{4}$/)).annotate({ description }),
        kind: Schema.Literals(["a", "b"]).annotate({ description }),
        at: Schema.DateTimeUtcFromString.annotate({ description }),
        cents: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 99 }), Schema.isMultipleOf(5)).annotate({
          description
        }),
        tags: Schema.Array(Schema.String.check(Schema.isBetweenLength(1, 8)))
          .check(Schema.isBetweenLength(2, 3))
          .annotate({ description }),
        note: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(9)).annotate({ description }))
      })
    )
    const made = sample(tool)!
    assert.strictEqual(tool.input.decode(made)._tag, "Success")
    assert.deepStrictEqual(Object.keys(made), ["id", "kind", "at", "cents", "tags"])
    assert.deepStrictEqual(sample(tool), made)
  })

  it("are none where a rule that the schema can't say is never met", () => {
    const rule = Schema.makeFilter<string>(() => false, { expected: "what nobody has" })
    const never = Schema.String.check(Schema.isMaxLength(9), rule).annotate({ description })
    assert.isUndefined(sample(toolWith(Schema.Struct({ never }))))
  })
})
