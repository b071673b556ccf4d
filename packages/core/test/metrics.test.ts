import { AuditTrail, TransientError, Upstream } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Metric } from "effect"
import { TestClock } from "effect/testing"
import { miller, open, stranger } from "./fixtures/mill.ts"

/** What was measured, as `name{attributes} value`. */
const measured = Effect.map(Metric.snapshot, (all) =>
  all
    .map(({ attributes = {}, id, state }) => {
      const { unit: _, ...shown } = attributes
      const list = Object.entries(shown).map(([key, value]) => `${key}=${value}`)
      return `${id}{${list.join()}} ${"count" in state ? state.count : "?"}`
    })
    .sort()
)

/** In a registry of the test's own. */
const apart = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => Effect.provideService(self, Metric.MetricRegistry, new Map()))
const call = "mcp.server.operation.duration{mcp.method.name=tools/call,gen_ai.operation.name=execute_tool"

describe("what is measured", () => {
  it.effect("are all calls by tool and class, and replays, retries and limits beside them", () =>
    Effect.gen(function* () {
      const mill = yield* open({ rateLimit: { limit: 1, window: "1 minute" } })
      yield* mill.call("grind", "a")
      yield* mill.call("grind", "a")
      yield* Effect.flip(mill.call("grind", "b"))
      yield* Effect.flip(mill.call("weigh", ""))
      yield* Effect.flip(mill.call("weigh", "a", stranger))
      yield* Effect.flip(mill.call("drop tables; --" as "weigh", "a"))
      assert.deepStrictEqual(yield* measured, [
        "ferrule.tool.limited{gen_ai.tool.name=grind} 1",
        "ferrule.tool.replays{gen_ai.tool.name=grind} 1",
        `${call},error.type=-32602,rpc.response.status_code=-32602} 1`,
        `${call},gen_ai.tool.name=grind,error.type=TransientError} 1`,
        `${call},gen_ai.tool.name=grind} 2`,
        `${call},gen_ai.tool.name=weigh,error.type=-32602,rpc.response.status_code=-32602} 1`,
        `${call},gen_ai.tool.name=weigh,error.type=ValidationError} 1`
      ])
    }).pipe(apart)
  )

  it.effect("hold nothing of the caller or the arguments", () =>
    Effect.gen(function* () {
      const mill = yield* open()
      yield* mill.call("grind", "canary-sack")
      const all = JSON.stringify(yield* Metric.snapshot)
      assert.notInclude(all, "canary-sack")
      assert.notInclude(all, miller.id)
      assert.notInclude(all, 'mill"')
    }).pipe(apart)
  )

  it.effect("are seconds", () =>
    Effect.gen(function* () {
      const mill = yield* open()
      yield* mill.mill.gate.close
      const fiber = yield* Effect.forkChild(mill.call("weigh", "a"))
      yield* TestClock.adjust("1500 millis")
      yield* mill.mill.gate.open
      yield* Fiber.join(fiber)
      const [snapshot] = (yield* Metric.snapshot).filter(({ id }) => id === "mcp.server.operation.duration")
      assert.strictEqual(snapshot.type === "Histogram" && snapshot.state.sum, 1.5)
      assert.strictEqual(snapshot.attributes?.["unit"], "s")
    }).pipe(apart)
  )

  it.effect("are upstreams by name and end", () =>
    Effect.gen(function* () {
      const ask = Upstream.classify({ name: "The desk" })
      yield* ask(Effect.void)
      yield* Effect.exit(ask(Effect.fail(new TransientError({ message: "Busy" }))))
      yield* Effect.exit(ask(Effect.die("nonsense")))
      assert.deepStrictEqual(yield* measured, [
        "ferrule.upstream.duration{ferrule.upstream=The desk,error.type=TransientError} 1",
        "ferrule.upstream.duration{ferrule.upstream=The desk,error.type=_OTHER} 1",
        "ferrule.upstream.duration{ferrule.upstream=The desk} 1"
      ])
    }).pipe(apart)
  )

  it.effect("are records that only the log has", () =>
    Effect.gen(function* () {
      const mill = yield* open()
      const error = new AuditTrail.AuditTrailError({ reason: "The disk is full" })
      yield* mill.as(AuditTrail.layer(() => Effect.fail(error)))("weigh", "a")
      assert.include(yield* measured, "ferrule.audit.lost{} 1")
    }).pipe(Effect.provide(Logger.layer([])), apart)
  )
})
