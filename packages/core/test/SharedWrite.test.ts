/**
 * Writes that a tenant shares: what those who are told see of another member's, and that the others see one sentence,
 * whatever has become of it.
 */
import {
  AuditTrail,
  Connector,
  type ConnectorError,
  IdempotencyStore,
  Operation,
  Policy,
  Principal,
  Tool,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Latch, Logger, Option, Schedule, Schema, type Scope } from "effect"
import { TestClock } from "effect/testing"

const Text = Schema.String.check(Schema.isMaxLength(500)).annotate({ description: "A text." })
const bea = Principal.make({ id: "bea", tenant: "acme", roles: ["maker"] })
const cy = Principal.make({ id: "cy", tenant: "acme", roles: ["maker"] })
const lea = Principal.make({ id: "lea", tenant: "acme", roles: ["maker", "lead"] })

const isNamed = Policy.predicate("the thing is named", (_: unknown, { name }: { readonly name: string }) =>
  name === "broken" ? Effect.die(new Error("a secret")) : true
)

type Idempotency = Partial<Tool.Idempotency<"name" | "color", Tool.Recovery>>

const declare = (idempotency: Idempotency = {}) =>
  Tool.write("make", {
    title: "Make",
    description: "Stands for a write, in a test of what a tenant shares.",
    input: Schema.Struct({ name: Text, color: Schema.optionalKey(Text), occurrence: Tool.occurrence }),
    output: Schema.Struct({ id: Text }),
    allow: Policy.role("maker"),
    retry: Schedule.recurs(0),
    idempotency: {
      identity: ["name"],
      recovery: "repeatable",
      sharedWith: Policy.all(Policy.role("lead"), isNamed),
      recordFailures: true,
      ...idempotency
    } as never
  })

interface World {
  readonly call: Call
  /** The same from another instance over the same store. */
  readonly elsewhere: Call
  readonly status: (principal: typeof bea, reference: unknown) => Effect.Effect<unknown, unknown>
  readonly state: { runs: number; searches: number; steps: Array<string> }
}
type Call = (principal: typeof bea, args: object, idempotencyKey?: string) => ReturnType<Called["call"]>
type Called = ReturnType<TestClient.TestClient<ReturnType<typeof declare>>["as"]>

const world = (
  execute: (runs: number) => Effect.Effect<unknown, ConnectorError, Operation> = made,
  idempotency: Idempotency = {}
): Effect.Effect<World, unknown, IdempotencyStore | Scope.Scope> =>
  Effect.gen(function* () {
    const state: World["state"] = { runs: 0, searches: 0, steps: [] }
    const store = yield* IdempotencyStore
    const noted = <A, E>(step: string, effect: Effect.Effect<A, E>) =>
      Effect.suspend(() => {
        state.steps.push(step)
        return effect
      })
    const watched: IdempotencyStore["Service"] = {
      ...store,
      claim: (options) => noted("claim", store.claim(options)),
      read: (key) => noted("read", store.read(key)),
      settle: (options) => noted("settle", store.settle(options)),
      release: (options) => noted("release", store.release(options)),
      markUnknown: (options) => noted("mark", store.markUnknown(options)),
      takeOver: (options) => noted("take", store.takeOver(options))
    }
    const Workshop = Connector.make("workshop", {
      version: "1.0.0",
      tools: [declare(idempotency)],
      operationStatus: Policy.role("maker")
    })
    const run = () => Effect.suspend(() => execute(++state.runs))
    const find = () => Effect.sync(() => (state.searches++, Option.none()))
    const make = idempotency.recovery === "reconcile" ? { find, execute: run } : run
    const connected = TestClient.make(Workshop).pipe(
      Effect.provide([Workshop.toLayer<never>({ make } as never), AuditTrail.layerNone, Logger.layer([])]),
      Effect.provideService(IdempotencyStore, watched)
    )
    const [one, other] = [yield* connected, yield* connected]
    const call =
      (client: typeof one): Call =>
      (principal, args, idempotencyKey) =>
        client.as(principal).call("make", args, { idempotencyKey })
    return {
      state,
      call: call(one),
      elsewhere: call(other),
      status: (principal, reference) =>
        Effect.map(
          (one as unknown as TestClient.TestClient<never>)
            .as(principal)
            .call("workshop_operation_status" as never, { reference }),
          ({ result }) => result
        )
    }
  })

const made = (runs: number) => Effect.succeed({ id: `item ${runs}` })
const lost = () => Effect.fail(new TransientError({ message: "The answer was lost" }))
const declined = () => Effect.fail(ValidationError.at("name", "was declined for a secret reason"))
const vase = { name: "vase", color: "red" }

const test = (name: string, body: () => Effect.fn.Return<void, unknown, IdempotencyStore | Scope.Scope>) =>
  it.effect(name, () => Effect.gen(body).pipe(Effect.scoped, Effect.provide(IdempotencyStore.layerMemory)))

describe("a write that a tenant shares", () => {
  test("is one operation of all members, and those who are told get its result", function* () {
    const { call, state } = yield* world()
    assert.deepStrictEqual((yield* call(bea, vase)).result, { id: "item 1" })
    const told = yield* call(lea, vase)
    assert.deepStrictEqual(told.result, { id: "item 1" })
    assert.isDefined(told.replay)
    assert.deepStrictEqual((yield* call(bea, vase)).result, { id: "item 1" })
    assert.strictEqual(state.runs, 1)
  })

  test("is another one of another tenant, and a caller's own where there is no tenant", function* () {
    const { call, state } = yield* world()
    const others = [
      Principal.make({ id: "bea", tenant: "other", roles: ["maker"] }),
      Principal.make({ id: "bea", roles: ["maker"] }),
      Principal.make({ id: "cy", roles: ["maker"] }),
      Principal.make({ id: "*", tenant: "acme*", roles: ["maker"] })
    ]
    for (const principal of [bea, ...others]) assert.isUndefined((yield* call(principal, vase)).replay)
    assert.strictEqual(state.runs, 5)
  })

  test("may be begun by any member once nothing of it was written", function* () {
    const busy = Effect.fail(new TransientError({ message: "Busy", applied: "no" }))
    const { call } = yield* world((runs) => (runs === 1 ? busy : made(runs)))
    assert.strictEqual((yield* Effect.flip(call(bea, vase)))._tag, "TransientError")
    assert.deepStrictEqual((yield* call(cy, vase)).result, { id: "item 2" })
  })

  test("that was cut off is gone on with by one who is told, and its result is also that of who began it", function* () {
    const { call } = yield* world((runs) => (runs === 1 ? lost() : made(runs)))
    yield* Effect.flip(call(bea, vase))
    assert.deepStrictEqual((yield* call(lea, vase)).result, { id: "item 2" })
    assert.deepStrictEqual((yield* call(bea, vase)).result, { id: "item 2" })
  })

  test("that was cut off after a step is gone on with after it", function* () {
    const done: Array<string> = []
    const execute = (runs: number) =>
      Effect.gen(function* () {
        const { step } = yield* Operation
        yield* step(
          "charge",
          Schema.Void,
          Effect.sync(() => void done.push("charge"))
        )
        return yield* runs === 1 ? lost() : made(runs)
      })
    const { call } = yield* world(execute)
    yield* Effect.flip(call(bea, vase))
    assert.deepStrictEqual((yield* call(lea, vase)).result, { id: "item 2" })
    assert.deepStrictEqual(done, ["charge"])
  })

  test("names the fields of a conflict to those who are told", function* () {
    const { call } = yield* world()
    yield* call(bea, vase)
    const error = yield* Effect.flip(call(lea, { ...vase, color: "blue" }))
    assert.deepStrictEqual(error._tag === "ValidationError" && error.issues.map(({ path }) => path), ["color"])
  })

  test("is answered to one who is told while one who is not is being refused", function* () {
    const store = yield* IdempotencyStore
    const gate = Latch.makeUnsafe(true)
    const slow = { ...store, claim: (...args: Parameters<typeof store.claim>) => gate.whenOpen(store.claim(...args)) }
    const { call } = yield* Effect.provideService(world(), IdempotencyStore, slow)
    yield* call(bea, vase)
    yield* gate.close
    const refused = yield* Effect.forkChild(Effect.flip(call(cy, vase)), { startImmediately: true })
    const told = yield* Effect.forkChild(call(lea, vase), { startImmediately: true })
    yield* gate.open
    assert.strictEqual((yield* Fiber.join(refused))._tag, "AuthorizationError")
    assert.deepStrictEqual((yield* Fiber.join(told)).result, { id: "item 1" })
  })

  test("has a status for the one who began it alone", function* () {
    const { call, status } = yield* world()
    yield* call(bea, vase)
    const { replay } = yield* call(bea, vase)
    assert.deepStrictEqual(yield* status(bea, replay?.reference), { state: "done", since: "1970-01-01T00:00:00.000Z" })
    for (const principal of [cy, lea]) {
      assert.deepStrictEqual(yield* status(principal, replay?.reference), { state: "others" })
    }
    const stranger = Principal.make({ id: "bea", tenant: "other", roles: ["maker"] })
    assert.deepStrictEqual(yield* status(stranger, replay?.reference), { state: "none" })
  })

  it("can't be transactional", () => {
    const faults = () => declare({ recovery: "transactional", recordFailures: false })
    assert.throws(faults, "sharedWith can't be had with transactional: whose an open transaction is can't be seen")
  })
})

/** What another member has left, and which arguments the one who is not told comes with. */
const lefts: Record<
  string,
  {
    readonly execute: (runs: number) => Effect.Effect<unknown, ConnectorError>
    readonly idempotency?: Idempotency
    readonly later?: Duration.Input
    readonly args?: object
    readonly key?: string
  }
> = {
  "is done": { execute: made },
  "is done with other arguments": { execute: made, args: { ...vase, color: "blue" } },
  "is done under the same key": { execute: made, key: "client-key-number-1" },
  "is done under a key of the same name that is bound": {
    execute: made,
    idempotency: { occurrence: "occurrence" } as never,
    key: "client-key-number-1"
  },
  "was declined for good": { execute: declined },
  "has a result that is not kept": { execute: made, idempotency: { maxStoredSize: 0 } },
  "is running": { execute: () => Effect.never },
  "is running with other arguments": { execute: () => Effect.never, args: { ...vase, color: "blue" } },
  "was cut off": { execute: lost },
  "was cut off and can't be known": { execute: lost, idempotency: { recovery: "unknown" } as never },
  "was cut off and would be searched": { execute: lost, idempotency: { recovery: "reconcile" } },
  "was cut off long ago": { execute: lost, idempotency: { recovery: "reconcile" }, later: "1 hour" }
}

describe("of another member's write, one who is not told hears the same when it", () => {
  const silent = { _tag: "AuthorizationError", roles: [], scopes: [] }
  const sentence =
    "This may be an operation that another member of the tenant has begun, of which you are told nothing."

  for (const [what, { args = vase, execute, idempotency, key, later }] of Object.entries(lefts)) {
    test(what, function* () {
      const { call, elsewhere, state } = yield* world(execute, idempotency)
      yield* Effect.forkChild(Effect.exit(call(bea, vase, key)), { startImmediately: true })
      if (later !== undefined) yield* TestClock.adjust(later)
      for (const from of [call, elsewhere]) {
        const before = state.steps.length
        const error = yield* Effect.flip(from(cy, args, key))
        assert.strictEqual(error.message, sentence)
        assert.deepStrictEqual({ ...error }, silent as never)
        // It is told at once, by as many steps as ever: a key that is bound has its own record first.
        const steps = idempotency !== undefined && "occurrence" in idempotency ? ["claim", "claim"] : ["claim"]
        assert.deepStrictEqual(state.steps.slice(before), steps)
      }
      assert.deepStrictEqual([state.runs, state.searches], [1, 0])
      // Lets a write that never ends be given up before the connector shuts down.
      yield* TestClock.adjust("1 minute")
    })
  }

  test("can't be read", function* () {
    const store = yield* IdempotencyStore
    const damaged: IdempotencyStore["Service"] = {
      ...store,
      claim: () => Effect.succeed({ _tag: "Unreadable", reason: "damaged" })
    }
    const { call, state } = yield* Effect.provideService(world(), IdempotencyStore, damaged)
    const error = yield* Effect.flip(call(cy, vase))
    assert.strictEqual(error.message, sentence)
    assert.deepStrictEqual({ ...error }, silent as never)
    assert.strictEqual((yield* Effect.flip(call(lea, vase)))._tag, "OutcomeUnknown")
    assert.strictEqual(state.runs, 0)
  })

  test("is done, and one's own role was taken away since, or its rule can't be checked", function* () {
    const { call } = yield* world()
    yield* call(bea, { name: "broken" })
    assert.strictEqual((yield* Effect.flip(call(lea, { name: "broken" }))).message, sentence)
    yield* call(bea, vase)
    yield* call(lea, vase)
    const demoted = Principal.make({ id: "lea", tenant: "acme", roles: ["maker"] })
    assert.strictEqual((yield* Effect.flip(call(demoted, vase))).message, sentence)
  })
})
