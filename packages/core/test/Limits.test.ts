import { Connector, DefinitionError, type Limits, Policy, Principal, Tool, TransientError } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { memoryLimiter, miller, open, other, stranger } from "./fixtures/mill.ts"

const twice = { rateLimit: { limit: 2, window: "1 minute" } } as const

describe("a rate limit", () => {
  it.effect("refuses the call that is too many, says how long to wait, and takes it after that", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open(twice)
      yield* call("weigh", "a")
      yield* call("weigh", "a")
      const error = yield* Effect.flip(call("weigh", "a"))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.message, "weigh is limited to 2 calls in 1m for each caller")
      assert.strictEqual(error.applied, "no")
      assert.deepStrictEqual(error.retryAfter, Duration.minutes(1))
      assert.strictEqual(mill.done, 2)
      yield* TestClock.adjust("59999 millis")
      yield* Effect.flip(call("weigh", "a"))
      yield* TestClock.adjust("1 millis")
      yield* call("weigh", "a")
      assert.strictEqual(mill.done, 3)
    })
  )

  it.effect("is each caller's own, and each tool's", () =>
    Effect.gen(function* () {
      const { call } = yield* open({ rateLimit: { limit: 1, window: "1 minute" } })
      yield* call("weigh", "a")
      yield* call("weigh", "a", other)
      yield* call("grind", "a")
      yield* call("weigh", "a", Principal.make({ id: "miller-1", roles: ["miller"] }))
      yield* Effect.flip(call("weigh", "a"))
      yield* Effect.flip(call("weigh", "a", other))
      yield* Effect.flip(call("grind", "b"))
    })
  )

  it.effect("of 100 calls at once lets as many through as it says", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ rateLimit: { limit: 37, window: "1 minute" } })
      const exits = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => `sack ${index}`),
        (sack) => Effect.exit(call("grind", sack)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(exits.filter((exit) => exit._tag === "Success").length, 37)
      assert.strictEqual(mill.done, 37)
    })
  )

  it.effect("takes nothing for the repeat of a write, and never refuses one", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ rateLimit: { limit: 2, window: "1 minute" } })
      yield* call("grind", "a")
      for (let repeat = 0; repeat < 5; repeat++) assert.isDefined((yield* call("grind", "a")).replay)
      yield* call("grind", "b")
      assert.isDefined((yield* call("grind", "a")).replay)
      yield* Effect.flip(call("grind", "c"))
      assert.strictEqual(mill.done, 2)
    })
  )

  it.effect("takes one for a write that many call at once", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ rateLimit: { limit: 1, window: "1 minute" }, concurrency: { limit: 1 } })
      yield* mill.gate.close
      const calls = yield* Effect.forkChild(
        Effect.forEach(Array(20).fill("a"), (sack) => call("grind", sack), { concurrency: 20 })
      )
      yield* Effect.yieldNow
      yield* mill.gate.open
      const answers = yield* Fiber.join(calls)
      assert.strictEqual(answers.filter(({ replay }) => replay === undefined).length, 1)
      assert.strictEqual(mill.done, 1)
    })
  )

  it.effect("that refused a write has left no key behind, so the same call does it later", () =>
    Effect.gen(function* () {
      const { call } = yield* open({ rateLimit: { limit: 1, window: "1 minute" } })
      yield* call("grind", "a")
      yield* Effect.flip(call("grind", "b"))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* call("grind", "b")).replay, undefined)
    })
  )

  it.effect("is not reached by calls that are invalid or not allowed, and tells nothing of a hidden tool", () =>
    Effect.gen(function* () {
      const { call } = yield* open({ rateLimit: { limit: 1, window: "1 minute" } })
      for (let attempt = 0; attempt < 3; attempt++) {
        assert.strictEqual((yield* Effect.flip(call("weigh", "a", stranger)))._tag, "NoSuchTool")
        assert.strictEqual((yield* Effect.flip(call("weigh", "")))._tag, "ValidationError")
      }
      yield* call("weigh", "a")
    })
  )

  it.effect("leaves a record that says so", () =>
    Effect.gen(function* () {
      const { call, records } = yield* open({ rateLimit: { limit: 1, window: "1 minute" } })
      yield* call("weigh", "a")
      yield* Effect.flip(call("weigh", "a"))
      assert.deepStrictEqual(
        records.map(({ attempts, decision, outcome }) => [decision, outcome, attempts]),
        [
          ["allowed", "Completed", 1],
          ["limited", "TransientError", 0]
        ]
      )
    })
  )

  it.effect("of the connector stands for the tools that have none", () =>
    Effect.gen(function* () {
      const { call } = yield* openShop({ limit: 1, window: "1 hour" })
      yield* call("look")
      yield* Effect.flip(call("look"))
      yield* call("stare")
      yield* call("stare")
    })
  )

  it.effect("needs a limiter, or the connector does not start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(openShop({ limit: 1, window: "1 hour" }, Layer.empty))
      assert.instanceOf(error, DefinitionError)
      assert.deepStrictEqual(error.faults, [
        "look has a rate limit, and nothing counts its calls",
        "give the connector RateLimiter.layer of effect/persistence, over its layerStoreMemory or layerStoreRedis"
      ])
    })
  )
})

const words = {
  title: "Look",
  description: "Looks at what is there, and changes nothing.",
  input: Schema.Struct({}),
  output: Schema.Struct({}),
  allow: Policy.role("miller")
}

const openShop = Effect.fnUntraced(function* (
  rateLimit: Limits.RateLimit,
  limiter: Layer.Layer<RateLimiter.RateLimiter> | Layer.Layer<never> = memoryLimiter
) {
  const Look = Tool.read("look", words)
  const Stare = Tool.read("stare", { ...words, rateLimit: { limit: 2, window: "1 hour" } })
  const shop = Connector.make("shop", { version: "1.0.0", tools: [Look, Stare], rateLimit })
  const handlers = shop.toLayer({ look: () => Effect.succeed({}), stare: () => Effect.succeed({}) })
  const client = yield* Effect.provide(TestClient.make(shop), [handlers, limiter])
  return { call: (tool: "look" | "stare") => client.as(miller).call(tool, {}) }
})

/** A limiter whose every answer is this one. */
const broken = (answer: Effect.Effect<never, RateLimiter.RateLimiterError>) =>
  Layer.succeed(RateLimiter.RateLimiter, {
    [RateLimiter.TypeId]: RateLimiter.TypeId,
    consume: () => answer,
    adaptiveConsume: () => answer,
    adaptiveFeedback: () => answer
  })
const down = new RateLimiter.RateLimiterError({
  reason: new RateLimiter.RateLimitStoreError({ message: "connection refused" })
})

describe("a limiter that fails", () => {
  const rateLimit = { limit: 9, window: "1 minute" } as const

  it.effect("refuses, and says it in the log", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
      const { call, mill } = yield* open({ rateLimit }, broken(Effect.fail(down)))
      const error = yield* Effect.flip(call("grind", "a")).pipe(Effect.provide(logger))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(
        error.message,
        "The connector can't tell how often it was called, so this call executed nothing"
      )
      assert.strictEqual(error.applied, "no")
      assert.strictEqual(mill.done, 0)
      assert.include(JSON.stringify(logged), "The rate limiter failed, and a call of grind was refused")
    })
  )

  it.effect("is waited for two seconds and no longer", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ rateLimit }, broken(Effect.never))
      const fiber = yield* Effect.forkChild(Effect.flip(call("weigh", "a")))
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.instanceOf(yield* Fiber.join(fiber), TransientError)
      assert.strictEqual(mill.done, 0)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("lets calls through where the tool says so", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
      const { call, mill } = yield* open(
        { rateLimit: { ...rateLimit, whenUnavailable: "allow" } },
        broken(Effect.fail(down))
      )
      yield* Effect.provide(call("grind", "a"), logger)
      assert.strictEqual(mill.done, 1)
      assert.include(JSON.stringify(logged), "The rate limiter failed, and a call of grind was allowed")
    })
  )
})

describe("a limit on what runs at once", () => {
  it.effect("lets the next call wait for its turn", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ concurrency: { limit: 2, wait: "5 seconds" } })
      yield* mill.gate.close
      const calls = yield* Effect.forkChild(
        Effect.forEach(["a", "b", "c", "d", "e"], (sack) => call("grind", sack), { concurrency: 5 })
      )
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(mill.running, 2)
      yield* mill.gate.open
      assert.strictEqual((yield* Fiber.join(calls)).length, 5)
      assert.strictEqual(mill.most, 2)
      assert.strictEqual(mill.done, 5)
    })
  )

  it.effect("refuses the call that has waited in vain, and nothing of it has run", () =>
    Effect.gen(function* () {
      const { call, mill, records } = yield* open({ concurrency: { limit: 1, wait: "5 seconds" } })
      yield* mill.gate.close
      const first = yield* Effect.forkChild(call("grind", "a"))
      const second = yield* Effect.forkChild(Effect.flip(call("grind", "b")))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(second)
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.message, "grind is busy: it runs at most 1 at once")
      assert.strictEqual(error.applied, "no")
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(1))
      assert.strictEqual(records[0].decision, "limited")
      yield* mill.gate.open
      yield* Fiber.join(first)
      assert.strictEqual((yield* call("grind", "b")).replay, undefined)
      assert.strictEqual(mill.done, 2)
    })
  )

  it.effect("without a wait refuses at once", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ concurrency: { limit: 1, wait: 0 } })
      yield* mill.gate.close
      const first = yield* Effect.forkChild(call("sieve", "a"), { startImmediately: true })
      assert.instanceOf(yield* Effect.flip(call("sieve", "b")), TransientError)
      yield* mill.gate.open
      yield* Fiber.join(first)
      yield* call("sieve", "b")
    })
  )

  it.effect("takes no second turn for a repeat that joins or is answered by what was done", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ concurrency: { limit: 1, wait: 0 } })
      yield* mill.gate.close
      const first = yield* Effect.forkChild(call("grind", "a"), { startImmediately: true })
      const joined = yield* Effect.forkChild(call("grind", "a"), { startImmediately: true })
      yield* mill.gate.open
      yield* Fiber.join(first)
      assert.isDefined((yield* Fiber.join(joined)).replay)
      yield* mill.gate.close
      const running = yield* Effect.forkChild(call("grind", "b"), { startImmediately: true })
      assert.isDefined((yield* call("grind", "a")).replay)
      yield* mill.gate.open
      yield* Fiber.join(running)
    })
  )

  it.effect("gets back the turns of callers who left, of those who wait and of those who run", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ concurrency: { limit: 3, wait: "10 seconds" } })
      yield* mill.gate.close
      const calls = yield* Effect.forEach(Array(100).fill("a"), (sack) => Effect.forkChild(call("sieve", sack)))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(mill.running, 3)
      yield* Fiber.interruptAll(calls)
      assert.strictEqual(mill.running, 0)
      yield* mill.gate.open
      const exits = yield* Effect.forEach(Array(100).fill("a"), (sack) => Effect.exit(call("sieve", sack)), {
        concurrency: "unbounded"
      })
      assert.isTrue(exits.every((exit) => exit._tag === "Success"))
      assert.strictEqual(mill.most, 3)
    })
  )

  it.effect("leaves no claim of a write whose callers left while it waited", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ concurrency: { limit: 1, wait: "10 seconds" } })
      yield* mill.gate.close
      const first = yield* Effect.forkChild(call("grind", "a"))
      const waiting = yield* Effect.forkChild(call("grind", "b"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      yield* mill.gate.open
      yield* Fiber.join(first)
      assert.strictEqual((yield* call("grind", "b")).replay, undefined)
    })
  )

  it.effect("does not shorten the time that a write has", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ concurrency: { limit: 1, wait: "1 minute" } })
      yield* mill.gate.close
      const first = yield* Effect.forkChild(Effect.flip(call("grind", "a")))
      const second = yield* Effect.forkChild(call("grind", "b"))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(first)
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(mill.running, 1)
      yield* mill.gate.open
      yield* Fiber.join(second)
    })
  )
})

describe("a declaration of limits", () => {
  const faultsOf = (limits: { readonly rateLimit?: Limits.RateLimit; readonly concurrency?: Limits.Concurrency }) => {
    try {
      Tool.read("look", { ...words, ...limits })
      return []
    } catch (error) {
      return (error as DefinitionError).faults
    }
  }

  it("is refused where it makes no sense", () => {
    assert.deepStrictEqual(faultsOf({ rateLimit: { limit: 0, window: "1 minute" }, concurrency: { limit: 1.5 } }), [
      "rateLimit.limit must be an integer from 1",
      "concurrency.limit must be an integer from 1"
    ])
    assert.deepStrictEqual(faultsOf({ rateLimit: { limit: 1, window: 0 } }), [
      "rateLimit.window must be finite and positive"
    ])
    assert.deepStrictEqual(faultsOf({ concurrency: { limit: 1, wait: "2 minutes" } }), [
      "concurrency.wait must be from zero to a minute: a caller that waits longer has given up"
    ])
    assert.deepStrictEqual(faultsOf({ rateLimit: { limit: 1, window: "1 second" }, concurrency: { limit: 1 } }), [])
  })

  it("lets no transactional write wait", () => {
    const write = (concurrency: Limits.Concurrency) =>
      Tool.write("put", {
        ...words,
        input: Schema.Struct({
          id: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })).annotate({ description: "Its id." })
        }),
        concurrency,
        idempotency: { identity: ["id"], recovery: "transactional" }
      })
    assert.throws(() => write({ limit: 1, wait: "1 second" }), /would hold a connection/)
    assert.deepStrictEqual(write({ limit: 1 }).concurrency?.wait, Duration.zero)
  })
})
