import {
  AuditTrail,
  AuthorizationError,
  Connector,
  type ConnectorError,
  IdempotencyStore,
  Operation,
  Policy,
  Principal,
  StoreError,
  Tool,
  TransientError,
  ValidationError
} from "@ferrule/core"
import type { AuditRecord } from "@ferrule/core/AuditTrail"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import {
  Clock,
  DateTime,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Logger,
  Option,
  Schedule,
  Schema,
  Scope
} from "effect"
import { TestClock } from "effect/testing"

const Text = Schema.String.check(Schema.isMaxLength(5000)).annotate({ description: "A text." })
const ada = Principal.make({ id: "ada", roles: ["maker"] })
const Made = Schema.Struct({ id: Text })

type Idempotency = Parameters<typeof declare>[0]

const declare = (
  idempotency: Partial<Tool.WriteOptions<typeof input, typeof Made, Tool.Recovery>["idempotency"]>,
  output: Tool.StructSchema = Made
) =>
  Tool.write("make", {
    title: "Make",
    description: "Stands for a write, in a test of records.",
    input,
    output,
    allow: Policy.role("maker"),
    retry: Schedule.recurs(0),
    idempotency: { identity: ["name"], free: ["memo"], recovery: "repeatable", ...idempotency } as never
  })

const input = Schema.Struct({
  name: Text,
  memo: Schema.optionalKey(Text),
  color: Schema.optionalKey(Text),
  occurrence: Tool.occurrence
})

type Handler = (input: { readonly name: string }) => Effect.Effect<unknown, ConnectorError, Operation>

/** A connector with one write, whose handler a test gives, over the store that the test provides. */
const client = (idempotency: Idempotency, handler: Handler, output?: Tool.StructSchema) => {
  const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [declare(idempotency, output)] })
  return Effect.map(
    TestClient.make(Workshop),
    (client): Call =>
      (args, idempotencyKey, progress) =>
        client.as(ada).call("make", args, { idempotencyKey, progress })
  ).pipe(Effect.provide([Workshop.toLayer<never>({ make: handler } as never), AuditTrail.layerNone, Logger.layer([])]))
}

type Call = (
  args: object,
  idempotencyKey?: string,
  progress?: (progress: number, total: number | undefined, message: string | undefined) => Effect.Effect<void>
) => ReturnType<ReturnType<TestClient.TestClient<ReturnType<typeof declare>>["as"]>["call"]>

const counting = (result: (runs: number) => Effect.Effect<unknown, ConnectorError>) => {
  const state = { runs: 0 }
  return { state, handler: () => Effect.suspend(() => result(++state.runs)) }
}

const made = (runs: number) => Effect.succeed({ id: `item ${runs}` })
const notApplied = new TransientError({ message: "The oven is cold", applied: "no" })

const test = (name: string, body: () => Effect.fn.Return<void, unknown, IdempotencyStore | Scope.Scope>) =>
  it.effect(name, () => Effect.gen(body).pipe(Effect.scoped, Effect.provide(IdempotencyStore.layerMemory)))

describe("waiting for a write that another call began:", () => {
  test("when the first attempt wrote nothing, one of those who wait executes and the others get its result", function* () {
    const gate = yield* Deferred.make<void>()
    const { handler, state } = counting((runs) =>
      runs === 1 ? Effect.andThen(Deferred.await(gate), Effect.fail(notApplied)) : made(runs)
    )
    const call = yield* client({}, handler)
    const calls = yield* Effect.forEach(Array.from({ length: 20 }), () =>
      Effect.forkChild(call({ name: "vase" }), { startImmediately: true })
    )
    yield* Deferred.succeed(gate, undefined)
    const ends = yield* Fiber.awaitAll(calls)
    assert.strictEqual(state.runs, 2)
    assert.strictEqual(ends.filter(Exit.isFailure).length, 1)
    assert.deepStrictEqual(
      ends.filter(Exit.isSuccess).map(({ value }) => value.result),
      Array.from({ length: 19 }, () => ({ id: "item 2" }))
    )
    assert.strictEqual(ends.filter((end) => Exit.isSuccess(end) && end.value.replay === undefined).length, 1)
  })

  test("a caller who asked for progress hears that it waits for another instance, and then of the work", function* () {
    const slow = yield* client({}, () => Effect.andThen(Effect.sleep("3 seconds"), Effect.fail(notApplied)))
    const other = yield* client({}, () =>
      Effect.gen(function* () {
        yield* (yield* Operation).progress(1, 2)
        return { id: "vase" }
      })
    )
    const reports: Array<readonly [number, number | undefined, string | undefined]> = []
    const progress = (...report: (typeof reports)[number]) => Effect.sync(() => void reports.push(report))
    yield* Effect.forkChild(slow({ name: "vase" }), { startImmediately: true })
    const waiting = yield* Effect.forkChild(other({ name: "vase" }, undefined, progress), { startImmediately: true })
    yield* TestClock.adjust("4 seconds")
    yield* Fiber.join(waiting)
    const [first, ...rest] = reports
    assert.deepStrictEqual(first, [0.001275, undefined, "waiting for an earlier call"])
    assert.deepStrictEqual(rest.at(-1)?.slice(0, 2), [1, 2])
    assert.isAbove(rest.length, 3)
    for (const [index, [value]] of rest.entries()) assert.isAbove(value, reports[index][0])
  })

  test("nobody goes on waiting for longer than five seconds while attempt after attempt writes nothing", function* () {
    const { handler, state } = counting(() => Effect.andThen(Effect.sleep("2 seconds"), Effect.fail(notApplied)))
    const call = yield* client({}, handler)
    const calls = yield* Effect.forEach(Array.from({ length: 20 }), () =>
      Effect.forkChild(call({ name: "vase" }), { startImmediately: true })
    )
    yield* TestClock.adjust("1 minute")
    const ends = yield* Fiber.awaitAll(calls)
    assert.strictEqual(ends.filter(Exit.isFailure).length, 20)
    assert.strictEqual(state.runs, 3)
  })
})

describe("what may differ in a repeat:", () => {
  test("a free field may, and the answer names it", function* () {
    const { handler, state } = counting(made)
    const call = yield* client({}, handler)
    yield* call({ name: "vase", memo: "for Bea" })
    const { replay, result } = yield* call({ name: "vase", memo: "for Cy" })
    assert.deepStrictEqual(result, { id: "item 1" })
    assert.deepStrictEqual(replay?.ignored, ["memo"])
    assert.deepStrictEqual((yield* call({ name: "vase", memo: "for Bea" })).replay?.ignored, [])
    assert.strictEqual(state.runs, 1)
  })

  test("a guarded field may not, and nothing is executed", function* () {
    const { handler, state } = counting(made)
    const call = yield* client({}, handler)
    yield* call({ name: "vase", color: "red" })
    const error = yield* Effect.flip(call({ name: "vase", color: "blue" }))
    assert.deepStrictEqual(error._tag === "ValidationError" && error.issues.map(({ path }) => path), ["color"])
    assert.strictEqual(state.runs, 1)
  })

  test("a refusal names no field where the tool says so", function* () {
    const { handler, state } = counting(made)
    const call = yield* client({ conflictDetail: "none" }, handler)
    yield* call({ name: "vase", color: "red" })
    const error = yield* Effect.flip(call({ name: "vase", color: "blue" }))
    assert.deepStrictEqual(error._tag === "ValidationError" && error.issues, [
      {
        path: "",
        message: "an argument differs from an earlier call that means the same operation",
        expected: "the earlier value, or other values in the fields that identify the operation"
      }
    ])
    assert.deepStrictEqual((yield* call({ name: "vase", color: "red" })).result, { id: "item 1" })
    assert.strictEqual(state.runs, 1)
  })

  test("an occurrence makes an intended repeat, which is itself done once", function* () {
    const { handler, state } = counting(made)
    const call = yield* client({ occurrence: "occurrence" }, handler)
    yield* call({ name: "vase" })
    const again = yield* call({ name: "vase", occurrence: 1 })
    assert.deepStrictEqual(again.result, { id: "item 1" })
    assert.deepStrictEqual(again.replay?.onceMore, { occurrence: 2 })
    assert.deepStrictEqual((yield* call({ name: "vase", occurrence: 2 })).result, { id: "item 2" })
    assert.deepStrictEqual((yield* call({ name: "vase", occurrence: 2 })).result, { id: "item 2" })
    assert.strictEqual(state.runs, 2)
  })
})

describe("a client's own key:", () => {
  const keyed = (call: { (args: object, idempotencyKey?: string): ReturnType<Call> }) => ({
    first: (args: object) => call(args, "client-key-number-1"),
    second: (args: object) => call(args, "client-key-number-2")
  })

  test("a fresh key for an equal write is told to be a possible duplicate where an occurrence says otherwise", function* () {
    const { handler, state } = counting(made)
    const call = yield* client({ occurrence: "occurrence" }, handler)
    const { first, second } = keyed(call)
    assert.deepStrictEqual((yield* first({ name: "vase" })).result, { id: "item 1" })
    assert.deepStrictEqual((yield* first({ name: "vase" })).result, { id: "item 1" })
    const error = yield* Effect.flip(second({ name: "vase" }))
    assert.deepStrictEqual(error._tag === "ValidationError" && error.issues, [
      {
        path: "idempotencyKey",
        message: "is a new key for a write that was done before under another one, so nothing was executed",
        expected: "the earlier key to get its result, or the next occurrence to do it once more on purpose"
      }
    ])
    const reused = yield* Effect.flip(second({ name: "bowl" }))
    assert.deepStrictEqual(reused._tag === "ValidationError" && reused.issues.map(({ path }) => path), ["name"])
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "item 1" })
    assert.strictEqual(state.runs, 1)
  })

  test("a client that mints a key for each attempt still recovers a write that was cut off", function* () {
    const lost = Effect.fail(new TransientError({ message: "The answer was lost" }))
    const { handler, state } = counting((runs) => (runs === 1 ? lost : made(runs)))
    const call = yield* client({ occurrence: "occurrence", recovery: "downstream-key" }, handler)
    const { first, second } = keyed(call)
    assert.strictEqual((yield* Effect.flip(first({ name: "vase" })))._tag, "TransientError")
    assert.deepStrictEqual((yield* second({ name: "vase" })).result, { id: "item 2" })
    assert.strictEqual(state.runs, 2)
  })

  test("a key is held to its arguments also while another write of them is under way", function* () {
    const gate = yield* Deferred.make<void>()
    const { handler } = counting((runs) => Effect.andThen(runs === 1 ? Deferred.await(gate) : Effect.void, made(runs)))
    const call = yield* client({ occurrence: "occurrence" }, handler)
    const { first, second } = keyed(call)
    const running = yield* Effect.forkChild(first({ name: "vase" }), { startImmediately: true })
    const joining = yield* Effect.forkChild(second({ name: "vase" }), { startImmediately: true })
    const other = yield* Effect.flip(second({ name: "bowl" }))
    assert.deepStrictEqual(other._tag === "ValidationError" && other.issues.map(({ path }) => path), ["name"])
    yield* Deferred.succeed(gate, undefined)
    assert.deepStrictEqual((yield* Fiber.join(joining)).result, (yield* Fiber.join(running)).result)
  })

  test("a key that came while the write ran under another one gets its result, then and ever after", function* () {
    const gate = yield* Deferred.make<void>()
    const { handler, state } = counting((runs) => Effect.andThen(Deferred.await(gate), made(runs)))
    const here = keyed(yield* client({ occurrence: "occurrence" }, handler))
    const elsewhere = yield* client({ occurrence: "occurrence" }, handler)
    const calls = yield* Effect.forEach(
      [
        here.first({ name: "vase" }),
        here.second({ name: "vase" }),
        elsewhere({ name: "vase" }, "client-key-number-3"),
        elsewhere({ name: "vase" }, "client-key-number-4")
      ],
      (call) => Effect.forkChild(call, { startImmediately: true })
    )
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust("1 second")
    const ends = yield* Effect.forEach(calls, Fiber.join)
    for (const { result } of ends) assert.deepStrictEqual(result, { id: "item 1" })
    for (const number of [1, 2, 3, 4]) {
      assert.deepStrictEqual((yield* elsewhere({ name: "vase" }, `client-key-number-${number}`)).result, {
        id: "item 1"
      })
    }
    for (const _ of ["once", "and again"]) {
      const error = yield* Effect.flip(elsewhere({ name: "vase" }, "client-key-number-5"))
      assert.deepStrictEqual(error._tag === "ValidationError" && error.issues.map(({ path }) => path), [
        "idempotencyKey"
      ])
    }
    assert.strictEqual(state.runs, 1)
  })

  test("a write that was cut off under one key and done under another one is both keys' write", function* () {
    const lost = Effect.fail(new TransientError({ message: "The answer was lost" }))
    const { handler, state } = counting((runs) => (runs === 1 ? lost : made(runs)))
    const { first, second } = keyed(yield* client({ occurrence: "occurrence", recovery: "downstream-key" }, handler))
    yield* Effect.flip(first({ name: "vase" }))
    assert.deepStrictEqual((yield* second({ name: "vase" })).result, { id: "item 2" })
    assert.deepStrictEqual((yield* second({ name: "vase" })).result, { id: "item 2" })
    assert.deepStrictEqual((yield* first({ name: "vase" })).result, { id: "item 2" })
    assert.strictEqual(state.runs, 2)
  })

  test("a write under another key goes on after the steps that were done under the first", function* () {
    const done: Array<string> = []
    const lost = Effect.fail(new TransientError({ message: "The answer was lost" }))
    const handler = () =>
      Effect.gen(function* () {
        const { step } = yield* Operation
        yield* step(
          "charge",
          Schema.Void,
          Effect.sync(() => void done.push("charge"))
        )
        done.push("ship")
        return yield* done.length === 2 ? lost : Effect.succeed({ id: "shipped" })
      })
    const { first, second } = keyed(yield* client({ occurrence: "occurrence", recovery: "downstream-key" }, handler))
    yield* Effect.flip(first({ name: "vase" }))
    assert.deepStrictEqual((yield* second({ name: "vase" })).result, { id: "shipped" })
    assert.deepStrictEqual(done, ["charge", "ship", "ship"])
  })

  test("one key means one write: with other arguments it is refused by field", function* () {
    const { handler, state } = counting(made)
    for (const idempotency of [{ occurrence: "occurrence" }, {}] as const) {
      const call = yield* client({ ...idempotency, version: Object.keys(idempotency).length + 1 }, handler)
      const { first } = keyed(call)
      yield* first({ name: "vase" })
      const error = yield* Effect.flip(first({ name: "bowl" }))
      assert.deepStrictEqual(error._tag === "ValidationError" && error.issues.map(({ path }) => path), ["name"])
    }
    assert.strictEqual(state.runs, 2)
  })
})

describe("whose write it is:", () => {
  const bea = Principal.make({ id: "bea", tenant: "acme", roles: ["maker"] })
  const cy = Principal.make({ id: "cy", tenant: "acme", roles: ["maker"] })
  const dan = Principal.make({ id: "dan", tenant: "other", roles: ["maker"] })

  const workshop = (idempotency: Idempotency) => {
    const { handler, state } = counting(made)
    const Workshop = Connector.make("work-shop", {
      version: "1.0.0",
      tools: [declare(idempotency)],
      operationStatus: Policy.role("maker")
    })
    const status = (client: TestClient.TestClient<never>, principal: typeof bea, reference: unknown) =>
      Effect.map(
        client.as(principal).call("work_shop_operation_status" as never, { reference }),
        ({ result }) => (result as { readonly state: string }).state
      )
    return Effect.map(TestClient.make(Workshop), (client) => ({
      state,
      call: (principal: typeof bea, args: object) => client.as(principal).call("make", args),
      status: (principal: typeof bea, reference: unknown) => status(client as never, principal, reference)
    })).pipe(
      Effect.provide([Workshop.toLayer<never>({ make: handler } as never), AuditTrail.layerNone, Logger.layer([])])
    )
  }

  test("each principal's own", function* () {
    const { call, state } = yield* workshop({})
    assert.isUndefined((yield* call(bea, { name: "vase" })).replay)
    assert.isUndefined((yield* call(cy, { name: "vase" })).replay)
    assert.strictEqual(state.runs, 2)
  })

  test("its status is told to the one whose write it is, and to nobody else", function* () {
    const { call, status } = yield* workshop({})
    yield* call(bea, { name: "vase" })
    const reference = (yield* call(bea, { name: "vase" })).replay?.reference
    assert.strictEqual(yield* status(bea, reference), "done")
    assert.strictEqual(yield* status(cy, reference), "none")
    assert.strictEqual(yield* status(dan, reference), "none")
    assert.strictEqual(yield* status(bea, "x".repeat(43)), "none")
  })
})

describe("what is kept of a write:", () => {
  test("a result larger than may be kept reaches its own caller, and later ones are told that it is done", function* () {
    const { handler, state } = counting(() => Effect.succeed({ id: "x".repeat(100) }))
    const call = yield* client({ maxStoredSize: 109 }, handler)
    const exact = yield* client({ maxStoredSize: 109 }, () => Effect.succeed({ id: "x".repeat(100) }))
    assert.deepStrictEqual((yield* exact({ name: "bowl" })).result, { id: "x".repeat(100) })
    assert.deepStrictEqual((yield* exact({ name: "bowl" })).result, { id: "x".repeat(100) })
    const none = yield* client({ maxStoredSize: 0 }, handler)
    assert.deepStrictEqual((yield* none({ name: "vase" })).result, { id: "x".repeat(100) })
    const error = yield* Effect.flip(call({ name: "vase" }))
    assert.strictEqual(error._tag === "ResultUnavailable" && error.reason, "too-large")
    assert.strictEqual(state.runs, 1)
  })

  test("a result of an older output is read through the tool's migration", function* () {
    const { handler, state } = counting(made)
    const Later = Schema.Struct({ id: Text, version: Text })
    const before = yield* client({}, handler)
    yield* before({ name: "vase" })
    yield* before({ name: "bowl" })
    const migrate = (result: Schema.Json) => ({ ...(result as object), version: "1" })
    const after = yield* client({ migrate }, handler, Later)
    assert.deepStrictEqual((yield* after({ name: "vase" })).result, { id: "item 1", version: "1" } as never)
    const broken = yield* client(
      {
        migrate: () => {
          throw new Error("a secret")
        }
      },
      handler,
      Later
    )
    const error = yield* Effect.flip(broken({ name: "bowl" }))
    assert.strictEqual(error._tag === "ResultUnavailable" && error.reason, "unreadable")
    assert.strictEqual(state.runs, 2)
  })

  test("a failure is the result where the tool says so, and the upstream is not asked again", function* () {
    const declined = new ValidationError({ issues: [{ path: "name", message: "was declined", expected: "" }] })
    const { handler, state } = counting(() => Effect.fail(declined))
    const call = yield* client({ recordFailures: true }, handler)
    const first = yield* Effect.flip(call({ name: "vase" }))
    const second = yield* Effect.flip(call({ name: "vase" }))
    assert.deepStrictEqual(first._tag === "ValidationError" && first.issues, declined.issues)
    assert.deepStrictEqual(second._tag === "ValidationError" && second.issues, declined.issues)
    assert.strictEqual(state.runs, 1)
  })

  test("a failure is tried again everywhere else", function* () {
    const denied = new AuthorizationError({ message: "The upstream says no" })
    const { handler, state } = counting((runs) => (runs === 1 ? Effect.fail(denied) : made(runs)))
    const call = yield* client({}, handler)
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "AuthorizationError")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "item 2" })
    assert.strictEqual(state.runs, 2)
  })

  test("a failure after an attempt that may have written is not the last word", function* () {
    const { handler, state } = counting((runs) =>
      runs === 1
        ? Effect.fail(new TransientError({ message: "The answer was lost" }))
        : Effect.fail(new ValidationError({ issues: [{ path: "name", message: "was declined", expected: "" }] }))
    )
    const Workshop = Connector.make("workshop", {
      version: "1.0.0",
      tools: [
        Tool.write("make", {
          title: "Make",
          description: "Stands for a write, in a test of records.",
          input,
          output: Made,
          allow: Policy.role("maker"),
          retry: Schedule.recurs(1),
          idempotency: { identity: ["name"], recovery: "repeatable", recordFailures: true }
        })
      ]
    })
    const connected = yield* TestClient.make(Workshop).pipe(
      Effect.provide([Workshop.toLayer<never>({ make: handler } as never), AuditTrail.layerNone, Logger.layer([])])
    )
    const error = yield* Effect.flip(connected.as(ada).call("make", { name: "vase" }))
    assert.strictEqual(error._tag, "OutcomeUnknown")
    assert.strictEqual(state.runs, 2)
  })

  test("a refusal after a takeover is not the last word, since the attempt before may have written", function* () {
    const lost = Effect.fail(new TransientError({ message: "The answer was lost" }))
    const declined = Effect.fail(new ValidationError({ issues: [{ path: "name", message: "is poor", expected: "" }] }))
    const { handler, state } = counting((runs) => (runs === 1 ? lost : runs === 2 ? declined : made(runs)))
    const call = yield* client({ recovery: "downstream-key", recordFailures: true }, handler)
    yield* Effect.flip(call({ name: "vase" }))
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "OutcomeUnknown")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "item 3" })
    assert.strictEqual(state.runs, 3)
  })

  test("a record that can't be read is neither executed again nor shown", function* () {
    const { handler, state } = counting(made)
    const store = yield* IdempotencyStore
    const damaged = { ...store, claim: () => Effect.succeed({ _tag: "Unreadable", reason: "damaged" } as const) }
    const call = yield* client({ checkWith: undefined } as never, handler).pipe(
      Effect.provideService(IdempotencyStore, damaged)
    )
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "OutcomeUnknown")
    assert.strictEqual(state.runs, 0)
  })
})

describe("what a handler is told:", () => {
  it.effect("a search hears when the first attempt began, and an execution which holder it is", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const told: Array<unknown> = []
      const Make = declare({ recovery: "reconcile" })
      const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [Make] })
      const execute = () =>
        Effect.gen(function* () {
          const { epoch } = yield* Operation
          told.push(epoch)
          if (told.length === 1) return yield* new TransientError({ message: "The answer was lost" })
          return { id: "vase" }
        })
      const find = (_: unknown, { begunAt }: Connector.Earlier) =>
        Effect.sync(() => {
          told.push(DateTime.toEpochMillis(begunAt))
          return Option.none()
        })
      const connected = yield* TestClient.make(Workshop).pipe(
        Effect.provide([
          Workshop.toLayer<never>({ make: { find, execute } } as never),
          AuditTrail.layerNone,
          Logger.layer([])
        ])
      )
      const call = connected.as(ada).call("make", { name: "vase" })
      assert.strictEqual((yield* Effect.flip(call))._tag, "TransientError")
      yield* TestClock.adjust(Duration.minutes(5))
      assert.deepStrictEqual((yield* call).result, { id: "vase" } as never)
      assert.deepStrictEqual(told, [1, 1_790_000_000_000, 2])
    }).pipe(Effect.scoped, Effect.provide(IdempotencyStore.layerMemory))
  )
})

describe("a search", () => {
  test("that finds what was written is told apart in the audit from a replay", function* () {
    const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [declare({ recovery: "reconcile" })] })
    const records: Array<AuditRecord> = []
    const trail = { record: (record: AuditRecord) => Effect.sync(() => void records.push(record)) }
    const make = {
      find: () => Effect.succeedSome({ id: "vase" }),
      execute: () => Effect.fail(new TransientError({ message: "The answer was lost" }))
    }
    yield* Effect.gen(function* () {
      const call = (yield* TestClient.make(Workshop)).as(ada).call("make", { name: "vase" })
      yield* Effect.flip(call)
      yield* TestClock.adjust("5 minutes")
      yield* call
      yield* call
    }).pipe(
      Effect.provide([Workshop.toLayer<never>({ make } as never), Logger.layer([])]),
      Effect.provideService(AuditTrail.AuditTrail, trail)
    )
    assert.deepStrictEqual(
      records.map(({ found, outcome, replayed }) => ({ found, outcome, replayed })),
      [
        { found: false, outcome: "TransientError", replayed: false },
        { found: true, outcome: "Completed", replayed: true },
        { found: false, outcome: "Completed", replayed: true }
      ]
    )
  })
})

describe("a search that ends without an answer:", () => {
  const refused = new TransientError({ message: "The desk is closed", applied: "no", retryAfter: Duration.minutes(1) })
  const searching = (find: Effect.Effect<Option.Option<unknown>, ConnectorError>) => {
    const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [declare({ recovery: "reconcile" })] })
    const execute = () => Effect.fail(new TransientError({ message: "The answer was lost" }))
    return Effect.map(TestClient.make(Workshop), (client) => client.as(ada).call("make", { name: "vase" })).pipe(
      Effect.provide([
        Workshop.toLayer<never>({ make: { find: () => find, execute } } as never),
        AuditTrail.layerNone,
        Logger.layer([])
      ])
    )
  }

  test("when it fails nobody is told that nothing was written, and the upstream's wait stays", function* () {
    const call = yield* searching(Effect.fail(refused))
    yield* Effect.flip(call)
    yield* TestClock.adjust("5 minutes")
    const error = yield* Effect.flip(call)
    assert.strictEqual(error.message, "An attempt at make was cut off")
    assert.strictEqual(error._tag === "TransientError" && error.applied, "unknown")
    assert.deepStrictEqual(error._tag === "TransientError" && error.retryAfter, Duration.minutes(1))
  })

  test("when the connector's end interrupts it, neither", function* () {
    const scope = yield* Scope.make()
    const call = yield* Scope.provide(searching(Effect.never), scope)
    yield* Effect.flip(call)
    yield* TestClock.adjust("5 minutes")
    const searches = yield* Effect.forkChild(Effect.flip(call), { startImmediately: true })
    yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* TestClock.adjust("15 seconds")
    const error = yield* Fiber.join(searches)
    assert.strictEqual(error._tag === "TransientError" && error.applied, "unknown")
    assert.strictEqual(error.message, "An attempt at make was cut off")
  })
})

describe("who may write, and until when:", () => {
  test("a caller who waits for another instance when the store fails is not told that nothing was written", function* () {
    const store = yield* IdempotencyStore
    let claims = 0
    const failing: IdempotencyStore["Service"] = {
      ...store,
      claim: (options) =>
        Effect.suspend(() =>
          ++claims > 1 ? Effect.fail(new StoreError({ reason: "The store is away" })) : store.claim(options)
        )
    }
    const slow = yield* client({}, () => Effect.andThen(Effect.sleep("20 seconds"), made(1)))
    const other = yield* Effect.provideService(
      client({}, () => made(2)),
      IdempotencyStore,
      failing
    )
    yield* Effect.forkChild(slow({ name: "vase" }), { startImmediately: true })
    const waiting = yield* Effect.forkChild(Effect.flip(other({ name: "vase" })), { startImmediately: true })
    yield* TestClock.adjust("25 seconds")
    const error = yield* Fiber.join(waiting)
    assert.strictEqual(error._tag === "TransientError" && error.applied, "unknown")
  })

  test("a waiter that claims after another instance has released has a whole lease before it", function* () {
    const slow = yield* client({}, () => Effect.andThen(Effect.sleep("28 seconds"), Effect.fail(notApplied)))
    const other = yield* client({}, () => Effect.andThen(Effect.sleep("20 seconds"), made(1)))
    yield* Effect.forkChild(slow({ name: "vase" }), { startImmediately: true })
    yield* TestClock.adjust("24 seconds")
    const waiting = yield* Effect.forkChild(other({ name: "vase" }), { startImmediately: true })
    yield* TestClock.adjust("4500 millis")
    yield* TestClock.adjust("25 seconds")
    assert.deepStrictEqual((yield* Fiber.join(waiting)).result, { id: "item 1" })
  })

  test("a done write whose settle failed is settled before the connector has shut down", function* () {
    const store = yield* IdempotencyStore
    let failures = 3
    const flaky: IdempotencyStore["Service"] = {
      ...store,
      settle: (options) =>
        Effect.suspend(() =>
          failures-- > 0 ? Effect.fail(new StoreError({ reason: "The store is away" })) : store.settle(options)
        )
    }
    const { handler, state } = counting(made)
    const used = Effect.flatMap(Effect.provideService(client({}, handler), IdempotencyStore, flaky), (call) =>
      call({ name: "vase" })
    )
    const first = yield* Effect.forkChild(Effect.scoped(used), { startImmediately: true })
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual((yield* Fiber.join(first)).result, { id: "item 1" })
    const later = yield* client({}, handler)
    assert.deepStrictEqual((yield* later({ name: "vase" })).result, { id: "item 1" })
    assert.strictEqual(state.runs, 1)
  })
})

describe("a done write whose settle fails for long", () => {
  const failing = Effect.fnUntraced(function* (until: Duration.Input) {
    const store = yield* IdempotencyStore
    const state = { settles: 0 }
    const flaky: IdempotencyStore["Service"] = {
      ...store,
      settle: (options) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          state.settles++
          return now < Duration.toMillis(until)
            ? Effect.fail(new StoreError({ reason: "The store is away" }))
            : store.settle(options)
        })
    }
    const { handler, state: handled } = counting(made)
    const call = yield* Effect.provideService(client({}, handler), IdempotencyStore, flaky)
    return { call, state, handled }
  })

  test("is settled once the store is back, long after its lease, when nobody has taken over", function* () {
    const { call, handled, state } = yield* failing("3 hours")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "item 1" })
    yield* TestClock.adjust("181 minutes")
    const other = yield* client({}, () => made(9))
    assert.deepStrictEqual((yield* other({ name: "vase" })).result, { id: "item 1" })
    assert.strictEqual(handled.runs, 1)
    assert.isBelow(state.settles, 400)
  })

  test("is given up once another has taken over, whose result is everybody's", function* () {
    const { call, state } = yield* failing("3 minutes")
    yield* call({ name: "vase" })
    yield* TestClock.adjust("2 minutes")
    const other = yield* client({}, () => made(9))
    assert.deepStrictEqual((yield* other({ name: "vase" })).result, { id: "item 9" })
    yield* TestClock.adjust("2 minutes")
    const { settles } = state
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(state.settles, settles)
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "item 9" })
  })
})

describe("a write in steps:", () => {
  const lost = new TransientError({ message: "The answer was lost" })

  const steps = (recovery: Tool.Recovery, failing: (attempt: number) => Effect.Effect<unknown, ConnectorError>) => {
    const done: Array<string> = []
    let attempts = 0
    const part = (name: string) =>
      Effect.gen(function* () {
        done.push(name)
        return yield* Effect.as(failing(name === "ship" ? ++attempts : 0), DateTime.makeUnsafe(done.length))
      })
    const handler = () =>
      Effect.gen(function* () {
        const { step } = yield* Operation
        const charged = yield* step("charge", Schema.DateTimeUtc, part("charge"))
        yield* step("ship", Schema.DateTimeUtc, part("ship"))
        return { id: `charged ${DateTime.toEpochMillis(charged)}` }
      })
    return Effect.map(client({ recovery, checkWith: undefined } as never, handler), (call) => ({ call, done }))
  }

  test("a step that was done is not done again when a later one failed without writing", function* () {
    const { call, done } = yield* steps("repeatable", (attempt) =>
      attempt === 1 ? Effect.fail(notApplied) : Effect.void
    )
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "TransientError")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "charged 1" })
    assert.deepStrictEqual(done, ["charge", "ship", "ship"])
  })

  test("a step that was cut off goes by the tool's recovery, and those before it stay done", function* () {
    const { call, done } = yield* steps("downstream-key", (attempt) =>
      attempt === 1 ? Effect.fail(lost) : Effect.void
    )
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "TransientError")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "charged 1" })
    assert.deepStrictEqual(done, ["charge", "ship", "ship"])
  })

  test("a step of a tool that can't find out leaves the whole unknown", function* () {
    const { call, done } = yield* steps("unknown", (attempt) => (attempt === 1 ? Effect.fail(lost) : Effect.void))
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "OutcomeUnknown")
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "OutcomeUnknown")
    assert.deepStrictEqual(done, ["charge", "ship"])
  })

  test("what is refused after a step was done is not said to be unexecuted, and keeps its key", function* () {
    const refused = new ValidationError({ issues: [{ path: "name", message: "is unknown", expected: "" }] })
    const { call, done } = yield* steps("downstream-key", (attempt) =>
      attempt === 1 ? Effect.fail(refused) : Effect.void
    )
    assert.strictEqual((yield* Effect.flip(call({ name: "vase" })))._tag, "OutcomeUnknown")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "charged 1" })
    assert.deepStrictEqual(done, ["charge", "ship", "ship"])
  })

  test("a step that was done stays done for as long as the write may be taken up again", function* () {
    const { call, done } = yield* steps("downstream-key", (attempt) =>
      attempt === 1 ? Effect.fail(lost) : Effect.void
    )
    yield* Effect.flip(call({ name: "vase" }))
    yield* TestClock.adjust("25 hours")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "charged 1" })
    assert.deepStrictEqual(done, ["charge", "ship", "ship"])
  })

  test("a step that hangs ends with the write's timeout, and the next call goes on", function* () {
    const { call, done } = yield* steps("downstream-key", (attempt) => (attempt === 1 ? Effect.never : Effect.void))
    const hanging = yield* Effect.forkChild(Effect.flip(call({ name: "vase" })), { startImmediately: true })
    yield* TestClock.adjust("1 minute")
    assert.strictEqual((yield* Fiber.join(hanging))._tag, "TransientError")
    assert.deepStrictEqual((yield* call({ name: "vase" })).result, { id: "charged 1" })
    assert.deepStrictEqual(done, ["charge", "ship", "ship"])
  })

  test("two steps that call one upstream send it two keys, the same ones in each attempt", function* () {
    const keys: Array<string> = []
    let attempts = 0
    const send = Effect.flatMap(Operation, ({ idempotencyKey }) =>
      Effect.map(idempotencyKey("bank"), (key) => void keys.push(key))
    )
    const handler = () =>
      Effect.gen(function* () {
        const { step } = yield* Operation
        yield* step("debit", Schema.Void, send)
        yield* step("credit", Schema.Void, Effect.andThen(send, ++attempts === 1 ? Effect.fail(lost) : Effect.void))
        return { id: "done" }
      })
    const call = yield* client({ recovery: "downstream-key" }, handler)
    yield* Effect.flip(call({ name: "vase" }))
    yield* call({ name: "vase" })
    assert.strictEqual(keys.length, 3)
    assert.strictEqual(new Set(keys).size, 2)
    assert.strictEqual(keys[1], keys[2])
  })

  test("a step that was done for other arguments refuses these", function* () {
    const { call, done } = yield* steps("repeatable", (attempt) =>
      attempt === 1 ? Effect.fail(notApplied) : Effect.void
    )
    yield* Effect.flip(call({ name: "vase", color: "red" }))
    const error = yield* Effect.flip(call({ name: "vase", color: "blue" }))
    assert.deepStrictEqual(error._tag === "ValidationError" && error.issues.map(({ path }) => path), ["color"])
    assert.deepStrictEqual(done, ["charge", "ship"])
  })
})

describe("a declaration is refused:", () => {
  it.effect("transactional over a store without transactions", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(client({ recovery: "transactional" }, () => made(1)))
      assert.strictEqual(
        error.message,
        "The pipeline cannot be built:\n  - make is transactional, and its store has no transactions that the handler could take part in\n  - give the connector a SqlIdempotencyStore on the handlers' database, or the tools another recovery"
      )
    }).pipe(Effect.scoped, Effect.provide(IdempotencyStore.layerMemory))
  )

  const faultsOf = (idempotency: Idempotency) => {
    try {
      declare(idempotency)
      return "none"
    } catch (error) {
      return (error as Error).message
    }
  }

  for (const [what, idempotency, fault] of [
    [
      "a retention shorter than the lease",
      { retention: "1 minute", recovery: "reconcile" },
      "is shorter than the lease"
    ],
    ["an occurrence that is no count", { occurrence: "memo" }, "which is no field made by Tool.occurrence"],
    ["a negative size", { maxStoredSize: -1 }, "maxStoredSize must be an integer from 0"],
    [
      "kept failures in a transaction",
      { recovery: "transactional", recordFailures: true },
      "recordFailures can't be had"
    ]
  ] as const) {
    it(`${what}`, () => {
      assert.include(faultsOf(idempotency as never), fault)
    })
  }
})
