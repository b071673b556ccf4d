import { AuditTrail, Connector, IdempotencyStore, Policy, Tool } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger, Schema } from "effect"
import * as ConnectorHost from "../src/internal/connectorHost.ts"
import { legacy, modern, send, serve } from "./testHost.ts"

const Name = Schema.String.check(Schema.isMaxLength(20)).annotate({ description: "A name." })
const Make = Tool.write("make", {
  title: "Make",
  description: "Stands for a write that takes its time, in a test of clients that go away.",
  input: Schema.Struct({ name: Name }),
  output: Schema.Struct({ made: Schema.Int.annotate({ description: "How many were made." }) }),
  allow: Policy.role("admin"),
  idempotency: { identity: ["name"], recovery: "unknown", checkWith: "look" }
})
const Look = Tool.read("look", {
  title: "Look",
  description: "Stands for a read, in a test of clients that go away.",
  input: Schema.Struct({}),
  output: Schema.Struct({ name: Name }),
  allow: Policy.role("admin")
})
const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [Make, Look] })

describe("a client that goes away in the middle of a write", () => {
  for (const [era, request] of [
    ["2026-07-28", modern],
    ["2025-11-25", legacy]
  ] as const) {
    it.live(`gets the first result when it asks again, and the write happens once (${era})`, () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const finish = yield* Deferred.make<void>()
        const left = yield* Deferred.make<void>()
        let made = 0
        const handlers = Workshop.toLayer({
          make: () =>
            Effect.gen(function* () {
              made++
              yield* Deferred.succeed(begun, undefined)
              yield* Deferred.await(finish)
              return { made }
            }),
          look: () => Effect.succeed({ name: "none" })
        })
        const trail = AuditTrail.layer(({ outcome }) =>
          outcome === "Interrupted" ? Effect.asVoid(Deferred.succeed(left, undefined)) : Effect.void
        )
        const program = Effect.gen(function* () {
          const url = yield* serve(yield* ConnectorHost.make(Workshop))
          const call = send(url, request("tools/call", { name: "make", arguments: { name: "vase" } }))
          const first = yield* Effect.forkChild(call)
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(first)
          yield* Deferred.await(left)
          yield* Deferred.succeed(finish, undefined)
          return yield* call
        })
        const { json } = yield* Effect.provide(program, [
          handlers,
          IdempotencyStore.layerMemory,
          trail,
          Logger.layer([])
        ])
        assert.deepStrictEqual(json.result.structuredContent, { made: 1 })
        assert.isDefined(json.result._meta["ferrule/replayed"])
        assert.strictEqual(made, 1)
      })
    )
  }
})
