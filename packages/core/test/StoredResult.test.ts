import { AuditTrail, Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"

const Text = Schema.String.check(Schema.isMaxLength(5000)).annotate({ description: "A text." })
const ada = Principal.make({ id: "ada", roles: ["maker"] })
const quiet = Layer.merge(AuditTrail.layerNone, Logger.layer([]))

/** A connector whose write answers what it is told to, and counts how often it runs. */
const workshop = <Output extends Tool.StructSchema>(output: Output, result: unknown, maxResultSize = 100_000) => {
  const state = { runs: 0 }
  const Make = Tool.write("make", {
    title: "Make",
    description: "Stands for a write, in a test of results.",
    input: Schema.Struct({ name: Text }),
    output,
    allow: Policy.role("maker"),
    maxResultSize,
    idempotency: { identity: ["name"], recovery: "unknown", checkWith: "look" }
  })
  const Look = Tool.read("look", {
    title: "Look",
    description: "Stands for a read, in a test of results.",
    input: Schema.Struct({}),
    output,
    allow: Policy.role("maker"),
    maxResultSize
  })
  const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [Make, Look] })
  // What a handler returns is checked by type; these tests are about one that gets around it.
  const handler = () =>
    Effect.sync(() => {
      state.runs++
      return result as Output["Type"]
    })
  const call = (tool: "make" | "look", args: unknown) =>
    Effect.flatMap(TestClient.make(Workshop), (client) => client.as(ada).call(tool, args)).pipe(
      Effect.scoped,
      Effect.provide([Workshop.toLayer<never>({ make: handler, look: handler } as never), quiet])
    )
  return { state, call }
}

const One = Schema.Struct({ id: Text })
const Two = Schema.Struct({ id: Text, version: Text })

describe("the result of a write", () => {
  it.effect("that no longer fits the output is said to be done, and nothing is executed again", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_790_000_000_000)
      const before = workshop(One, { id: "a" })
      const after = workshop(Two, { id: "a", version: "2" })
      yield* before.call("make", { name: "vase" })
      const error = yield* Effect.flip(after.call("make", { name: "vase" }))
      assert.deepStrictEqual(error._tag === "ResultUnavailable" && { ...error }, {
        _tag: "ResultUnavailable",
        reason: "unreadable",
        doneAt: 1_790_000_000_000,
        checkWith: "look"
      } as never)
      assert.strictEqual(after.state.runs, 0)
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )

  it.effect("that the handler got wrong is done all the same, and is not executed again", () =>
    Effect.gen(function* () {
      const broken = workshop(One, { id: 7 })
      const first = yield* Effect.flip(broken.call("make", { name: "vase" }))
      const second = yield* Effect.flip(broken.call("make", { name: "vase" }))
      assert.strictEqual(first._tag, "ResultUnavailable")
      assert.strictEqual(second._tag, "ResultUnavailable")
      assert.strictEqual(broken.state.runs, 1)
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )

  it.effect("that is too large is said to be done; a read that is asks for less", () =>
    Effect.gen(function* () {
      const large = workshop(One, { id: "x".repeat(2000) }, 1024)
      const write = yield* Effect.flip(large.call("make", { name: "vase" }))
      assert.strictEqual(write._tag === "ResultUnavailable" && write.reason, "too-large")
      const read = yield* Effect.flip(large.call("look", {}))
      assert.strictEqual(read.message, "the result has 2009 characters, more than the 1024 that may be answered")
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )

  it.effect("is as large as its text, in which what nobody would see is escaped", () =>
    Effect.gen(function* () {
      const hidden = "\u{e0067}".repeat(100)
      const { call } = workshop(One, { id: hidden }, 1024)
      const told = yield* Effect.flip(call("look", {}))
      assert.match(told.message, /^the result has 1209 characters, more than the 1024 that may be answered/)
      assert.deepStrictEqual((yield* workshop(One, { id: hidden }, 1209).call("look", {})).result, { id: hidden })
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )

  it.effect("has no fields that its schema lacks", () =>
    Effect.gen(function* () {
      const leaky = workshop(One, { id: "a", secret: "hunter2" })
      const { result } = yield* leaky.call("make", { name: "vase" })
      assert.deepStrictEqual(result, { id: "a" })
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )
})
