import {
  Connector,
  IdempotencyStore,
  Operation,
  Pipeline,
  Policy,
  Principal,
  Tool,
  TransientError
} from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, Redacted, Schema } from "effect"
import { TestClock } from "effect/testing"
import { findInContext } from "./fixtures/findInContext.ts"

const token = "caller-token-0123456789"
const Fields = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const common = {
  title: "Make",
  description: "Stands for a tool, in a test of what its handler can reach.",
  input: Fields,
  output: Fields,
  allow: Policy.role("maker")
}
const Read = Tool.read("read", common)
const Make = Tool.write("make", { ...common, idempotency: { identity: ["name"], recovery: "repeatable" } })
const Find = Tool.write("find", { ...common, idempotency: { identity: ["name"], recovery: "reconcile" } })
const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [Read, Make, Find] })
const maker = Principal.make({ id: "ada", roles: ["maker"] })

const cutOff = Effect.fail(new TransientError({ message: "The bank did not answer", applied: "unknown" }))

const Planted = Context.Service<Redacted.Redacted<string>>("planted")

const setUp = Effect.gen(function* () {
  const seen: Array<string> = []
  const look = (place: string) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(findInContext(yield* Effect.context(), token), [])
      seen.push(place)
    })
  const handler =
    (place: string) =>
    (input: typeof Fields.Type): Effect.Effect<typeof Fields.Type, never, Operation> =>
      Effect.as(look(place), input)
  const handlers = Workshop.toLayer({
    read: handler("read"),
    make: (input) =>
      Effect.gen(function* () {
        const operation = yield* Operation
        yield* Effect.andThen(Effect.yieldNow, look("make"))
        return yield* operation.step("part", Fields, handler("step")(input))
      }),
    find: {
      find: () => Effect.as(look("search"), Option.none()),
      // The first attempt leaves it unknown, so that the next call has to search.
      execute: (input) => (seen.includes("find") ? handler("find again")(input) : Effect.andThen(look("find"), cutOff))
    }
  })
  // What runs in the call but is no handler's, and has no use for the token either.
  const atStore: Array<ReadonlyArray<string>> = []
  const store = Layer.effect(
    IdempotencyStore,
    Effect.map(IdempotencyStore, (memory) =>
      IdempotencyStore.of({
        ...memory,
        claim: (...args) =>
          Effect.flatMap(Effect.context<never>(), (context) => {
            atStore.push(findInContext(context, token))
            return memory.claim(...args)
          })
      })
    )
  ).pipe(Layer.provide(IdempotencyStore.layerMemory))
  const pipeline = yield* Pipeline.make(Workshop).pipe(Effect.provide(Layer.merge(handlers, store)))
  return { seen, atStore, pipeline }
})

describe("the caller's token", () => {
  it.effect("is nowhere in the context of a handler, a search, a step or the store", () =>
    Effect.gen(function* () {
      const { seen, atStore, pipeline } = yield* setUp
      for (const tool of ["read", "make", "find", "find"]) {
        const call = { tool, arguments: { name: "x" }, principal: maker, callerToken: Redacted.make(token) }
        const fiber = yield* Effect.forkChild(pipeline.call(call))
        // What is not known may be searched for once the lease has ended.
        yield* TestClock.adjust("90 seconds")
        yield* Fiber.join(fiber)
      }
      assert.deepStrictEqual(seen, ["read", "make", "step", "find", "search", "find again"])
      // The second claim is that of the step, which its handler makes.
      assert.deepStrictEqual(atStore, [[], [], [], []])
    })
  )

  it.effect("is nowhere in the context of a rule that a policy asks", () =>
    Effect.gen(function* () {
      let asked = 0
      const rule = Policy.predicate("nobody is told", () =>
        Effect.gen(function* () {
          asked++
          assert.deepStrictEqual(findInContext(yield* Effect.context(), token), [])
          return true
        })
      )
      const Asking = Connector.make("asking", {
        version: "1.0.0",
        tools: [Tool.read("read", { ...common, allow: rule })]
      })
      const pipeline = yield* Effect.provide(Pipeline.make(Asking), Asking.toLayer({ read: Effect.succeed }))
      const callerToken = Redacted.make(token)
      const outcome = yield* pipeline.call({ tool: "read", arguments: { name: "x" }, principal: maker, callerToken })
      assert.strictEqual(outcome._tag, "Completed")
      assert.strictEqual(asked, 1)
    })
  )

  it.effect("is nowhere in the context of a rule that says with whom a write is shared", () =>
    Effect.gen(function* () {
      const found: Array<ReadonlyArray<string>> = []
      const sharedWith = Policy.predicate("nobody is told", () =>
        Effect.map(Effect.context(), (context) => found.push(findInContext(context, token)) > 0)
      )
      const Shared = Tool.write("make", {
        ...common,
        idempotency: { identity: ["name"], recovery: "repeatable", sharedWith }
      })
      const Sharing = Connector.make("sharing", { version: "1.0.0", tools: [Shared] })
      const services = Layer.merge(Sharing.toLayer({ make: Effect.succeed }), IdempotencyStore.layerMemory)
      const pipeline = yield* Effect.provide(Pipeline.make(Sharing), services)
      const principal = Principal.make({ id: "ada", tenant: "acme", roles: ["maker"] })
      const callerToken = Redacted.make(token)
      yield* pipeline.call({ tool: "make", arguments: { name: "x" }, principal, callerToken })
      assert.deepStrictEqual(found, [[]])
    })
  )

  it.effect("would be found by the search that these tests rely on", () =>
    Effect.gen(function* () {
      const context = yield* Effect.context()
      assert.deepStrictEqual(findInContext(context, token), ["planted"])
    }).pipe(Effect.provideService(Planted, Redacted.make(token)))
  )
})
