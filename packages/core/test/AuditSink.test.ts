import { AuditSink, AuditTrail, Scrubber, TransientError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Logger, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import { diskFull, makeSink, openShelf, record } from "./fixtures/audit.ts"

/** Collects what is logged, as text. */
const collect = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${JSON.stringify(message)}`))
  return { lines, layer: Logger.layer([logger]) }
}

/** A shelf over a sink, whose log is collected. */
const open = (whenDown?: AuditSink.WhenDown) =>
  Effect.gen(function* () {
    const sink = makeSink()
    const log = collect()
    const trail = AuditSink.layer(Effect.succeed(sink), whenDown === undefined ? {} : { whenDown })
    const shelf = yield* openShelf(Layer.provideMerge(trail, log.layer))
    return { sink, log: log.lines, ...shelf }
  })

const outcomes = (records: ReadonlyArray<AuditTrail.AuditRecord>) => records.map(({ outcome, tool }) => [tool, outcome])

describe("a trail over a sink", () => {
  it.effect("keeps that a write begins before it does, and then how it ended", () =>
    Effect.gen(function* () {
      const { call, gate, sink, things } = yield* open()
      yield* gate.close
      const fiber = yield* Effect.forkChild(call("keep", "vase"))
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(outcomes(sink.kept), [["keep", "Begun"]])
      assert.deepStrictEqual(things, [])
      yield* gate.open
      yield* Fiber.join(fiber)
      yield* call("keep", "vase")
      yield* call("look", "vase")
      assert.deepStrictEqual(outcomes(sink.kept), [
        ["keep", "Begun"],
        ["keep", "Completed"],
        ["keep", "Completed"],
        ["look", "Completed"]
      ])
      const [begun, ended, replayed] = sink.kept
      assert.strictEqual(begun.correlationId, ended.correlationId)
      assert.deepStrictEqual(
        [begun.kind, begun.attempts, begun.decision, begun.reference],
        ["write", 0, "allowed", ended.reference]
      )
      assert.deepStrictEqual([replayed.replayed, replayed.attempts], [true, 0])
    })
  )

  it.effect("keeps how a write ended that went on without its caller", () =>
    Effect.gen(function* () {
      for (const [fault, end] of [
        [undefined, "Completed"],
        [new Error("no room"), "Internal"]
      ] as const) {
        const { call, gate, log, shelf, sink } = yield* open()
        shelf.fault = fault
        yield* gate.close
        const fiber = yield* Effect.forkChild(call("keep", "vase"), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(outcomes(sink.kept), [
          ["keep", "Begun"],
          ["keep", "Interrupted"]
        ])
        yield* TestClock.adjust("1 second")
        yield* gate.open
        yield* TestClock.adjust("1 second")
        const [begun, , ended] = sink.kept
        assert.strictEqual(sink.kept.length, 3)
        assert.deepStrictEqual({ ...ended }, { ...begun, outcome: end, attempts: 1, duration: 2000 })
        assert.strictEqual(
          log.some((line) => line.includes("A tool failed unexpectedly")),
          fault !== undefined
        )
      }
    })
  )

  it.effect("keeps no further record of a call that leaves a write to the one who began it", () =>
    Effect.gen(function* () {
      const { call, gate, sink } = yield* open()
      yield* gate.close
      const first = yield* Effect.forkChild(call("keep", "vase"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      const second = yield* Effect.forkChild(call("keep", "vase"), { startImmediately: true })
      yield* Fiber.interrupt(second)
      yield* gate.open
      yield* Fiber.join(first)
      assert.deepStrictEqual(outcomes(sink.kept), [
        ["keep", "Begun"],
        ["keep", "Interrupted"],
        ["keep", "Completed"]
      ])
      assert.strictEqual(sink.kept[0]?.correlationId, sink.kept[2]?.correlationId)
    })
  )

  it.effect("answers a call when its record is kept, and appends in batches what comes meanwhile", () =>
    Effect.gen(function* () {
      const { call, sink } = yield* open()
      yield* sink.gate.close
      const first = yield* Effect.forkChild(call("look", "a"))
      yield* Effect.yieldNow
      const others = yield* Effect.forkChild(
        Effect.forEach(Array(99).fill("a"), (name) => call("look", name), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      assert.isUndefined(first.pollUnsafe())
      yield* sink.gate.open
      yield* Fiber.join(first)
      yield* Fiber.join(others)
      assert.strictEqual(sink.kept.length, 100)
      assert.isAtMost(sink.batches, 2)
    })
  )

  it.effect("that stands still has failed after five seconds", () =>
    Effect.gen(function* () {
      const { call, log, sink, things } = yield* open()
      yield* sink.gate.close
      const fiber = yield* Effect.forkChild(Effect.flip(call("keep", "a")))
      yield* TestClock.adjust("4999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.instanceOf(yield* Fiber.join(fiber), TransientError)
      assert.deepStrictEqual(things, [])
      assert.include(log.join("\n"), "The audit trail is down")
    })
  )

  it.effect("whose code throws has failed too", () =>
    Effect.gen(function* () {
      const log = collect()
      const trail = AuditSink.layer(Effect.succeed({ append: () => Effect.die(new Error("no such column")) }))
      const { call, things } = yield* openShelf(Layer.provideMerge(trail, log.layer))
      assert.instanceOf(yield* Effect.flip(call("keep", "a")), TransientError)
      assert.deepStrictEqual(things, [])
    })
  )
})

describe("while its sink is down, a trail that refuses", () => {
  it.effect("lets no write begin, tells its caller to come again, and says why in the log", () =>
    Effect.gen(function* () {
      const { call, log, sink, things } = yield* open()
      sink.fault = diskFull
      const error = yield* Effect.flip(call("keep", "vase"))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.message, "The connector can't keep its audit trail, so this call executed nothing")
      assert.strictEqual(error.applied, "no")
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(1))
      assert.deepStrictEqual(things, [])
      assert.include(log[0], "The audit trail is down")
      assert.include(log[0], "The disk is full")
      assert.include(log.join("\n"), "A write was not begun")
      sink.fault = undefined
      yield* TestClock.adjust("1 second")
      yield* call("keep", "vase")
      assert.deepStrictEqual(things, ["vase"])
      assert.isTrue(log.some((line) => line.includes("The audit trail is back")))
    })
  )

  it.effect("answers reads and repeats, and logs their records in full", () =>
    Effect.gen(function* () {
      const { call, log, sink } = yield* open()
      yield* call("keep", "vase")
      sink.fault = diskFull
      yield* call("look", "vase")
      assert.isDefined((yield* call("keep", "vase")).replay)
      const lost = log.filter((line) => line.includes("An audit record was not kept"))
      assert.strictEqual(lost.length, 2)
      assert.include(lost[0], '"tool":"look"')
      assert.include(lost[1], '"tool":"keep"')
      assert.include(lost[1], '"replayed":true')
    })
  )

  it.effect("holds the end of each write that had begun, and keeps them in their order when it is back", () =>
    Effect.gen(function* () {
      const { call, gate, sink, things } = yield* open()
      yield* gate.close
      const calls = yield* Effect.forEach(["a", "b", "c"], (name) => Effect.forkChild(call("keep", name)))
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(sink.kept.length, 3)
      sink.fault = diskFull
      yield* gate.open
      yield* Effect.forEach(calls, Fiber.join)
      assert.deepStrictEqual(things, ["a", "b", "c"])
      assert.strictEqual(sink.kept.length, 3)
      yield* TestClock.adjust("30 seconds")
      sink.fault = undefined
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        sink.kept.map(({ outcome }) => outcome),
        ["Begun", "Begun", "Begun", "Completed", "Completed", "Completed"]
      )
    })
  )

  it.effect("does not ask it for each call, but once a second", () =>
    Effect.gen(function* () {
      const { call, sink } = yield* open()
      sink.fault = diskFull
      for (let index = 0; index < 50; index++) yield* Effect.flip(call("keep", `thing ${index}`))
      assert.strictEqual(sink.batches, 1)
      yield* TestClock.adjust("1 second")
      yield* Effect.flip(call("keep", "another"))
      assert.strictEqual(sink.batches, 2)
    })
  )
})

describe("while its sink is down, a trail that buffers", () => {
  it.effect("goes on until its buffer is full, then refuses, and keeps it all when it is back", () =>
    Effect.gen(function* () {
      const { call, log, sink, things } = yield* open({ buffer: 5 })
      sink.fault = diskFull
      yield* call("keep", "a")
      yield* call("look", "a")
      yield* call("keep", "b")
      assert.deepStrictEqual(things, ["a", "b"])
      assert.instanceOf(yield* Effect.flip(call("keep", "c")), TransientError)
      assert.deepStrictEqual(things, ["a", "b"])
      assert.strictEqual(log.filter((line) => line.includes("An audit record was not kept")).length, 1)
      sink.fault = undefined
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(outcomes(sink.kept), [
        ["keep", "Begun"],
        ["keep", "Completed"],
        ["look", "Completed"],
        ["keep", "Begun"],
        ["keep", "Completed"]
      ])
      assert.isTrue(log.some((line) => line.includes("has kept 5 records")))
      yield* call("keep", "c")
    })
  )
})

describe("no record is lost in silence", () => {
  it.effect("over a sink that fails and comes back at random, kept and logged are together what was called", () =>
    Effect.gen(function* () {
      for (const whenDown of ["refuse", { buffer: 10 }] as const) {
        const { call, log, sink } = yield* open(whenDown)
        // A sequence that is the same in each run.
        let state = 7
        const dice = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648
        let calls = 0
        for (let round = 0; round < 60; round++) {
          sink.fault = dice() < 0.4 ? diskFull : undefined
          yield* Effect.forEach(
            Array.from({ length: 5 }, () => calls++),
            (index) => Effect.exit(call(dice() < 0.5 ? "look" : "keep", `thing ${index}`)),
            { concurrency: "unbounded" }
          )
          yield* TestClock.adjust(dice() < 0.5 ? "300 millis" : "1 second")
        }
        sink.fault = undefined
        yield* TestClock.adjust("2 seconds")
        const ended = sink.kept.filter(({ outcome }) => outcome !== "Begun").map(({ correlationId }) => correlationId)
        const lost = log.filter((line) => line.includes("An audit record was not kept"))
        assert.strictEqual(new Set(ended).size, ended.length)
        assert.strictEqual(ended.length + lost.length, 300)
        assert.isAbove(lost.length, 0)
        const begun = sink.kept.filter(({ outcome }) => outcome === "Begun")
        const written = new Set(ended)
        assert.isAbove(begun.length, 0)
        assert.isTrue(begun.every(({ correlationId }) => written.has(correlationId)))
      }
    })
  )

  it.effect("what is logged of a sink's failure holds no live secret", () =>
    Effect.gen(function* () {
      yield* Scrubber.watch(Redacted.make("secret-of-the-sink"))
      const { call, log, sink } = yield* open()
      sink.fault = new AuditTrail.AuditTrailError({ reason: "The queue refused secret-of-the-sink" })
      yield* call("look", "a")
      assert.include(log[0], "The queue refused <redacted>")
      assert.notInclude(log.join(), "secret-of-the-sink")
    }).pipe(Effect.provide(Scrubber.layer))
  )

  it.effect("closing appends what waits, and logs what can't be kept", () =>
    Effect.gen(function* () {
      const log = collect()
      const sink = makeSink()
      for (const fault of [undefined, diskFull]) {
        const scope = yield* Scope.make()
        const trail = yield* AuditSink.make(sink, { whenDown: { buffer: 3 } }).pipe(
          Scope.provide(scope),
          Effect.provide(log.layer)
        )
        sink.fault = diskFull
        yield* trail.record(record(1))
        yield* trail.record(record(2))
        sink.fault = fault
        yield* Effect.provide(Scope.close(scope, Exit.void), log.layer)
        assert.strictEqual((yield* Effect.flip(trail.record(record(3)))).reason, "The audit trail has been closed")
      }
      assert.deepStrictEqual(
        sink.kept.map(({ correlationId }) => correlationId),
        ["call-1", "call-2"]
      )
      assert.strictEqual(log.lines.filter((line) => line.includes("An audit record was not kept")).length, 2)
    })
  )
})
