import { AuditTrail, Connector, Policy, Principal, Tool } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import * as ConnectorHost from "../src/internal/connectorHost.ts"

const Name = Schema.String.check(Schema.isMaxLength(50)).annotate({ description: "A name." })
const Look = Tool.read("look", {
  title: "Look",
  description: "Stands for a read, in a test of limits.",
  input: Schema.Struct({ name: Name }),
  output: Schema.Struct({ name: Name }),
  allow: Policy.role("maker"),
  rateLimit: { limit: 1, window: "1 minute" }
})
const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [Look] })
const limiter = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

describe("a client that calls too often", () => {
  it.effect("is told how long to wait, and that nothing was done", () =>
    Effect.gen(function* () {
      const services = yield* Layer.build(
        Layer.mergeAll(Workshop.toLayer({ look: Effect.succeed }), AuditTrail.layerNone, limiter)
      )
      const host = yield* Effect.provide(ConnectorHost.make(Workshop), services)
      const call = (roles: ReadonlyArray<string>) =>
        Effect.provide(
          host.call({
            name: "look",
            arguments: { name: "vase" },
            principal: Principal.make({ id: "ada", roles }),
            meta: undefined,
            idempotencyKey: undefined,
            progress: undefined
          }),
          services
        )
      assert.deepStrictEqual((yield* call(["maker"]))?.structuredContent, { name: "vase" })
      const refused = yield* call(["maker"])
      assert.deepStrictEqual(refused?.content, [
        {
          type: "text",
          text:
            "look is limited to 1 call in 1m for each caller.\nClass: TransientError\n" +
            "Next: wait 1m, then repeat the same call with the same arguments.\nNothing was written."
        }
      ])
      assert.containsSubset(refused?._meta?.["ferrule/error"], {
        class: "TransientError",
        action: "retry",
        applied: "no",
        retryAfterMs: 60_000
      })
      assert.strictEqual(yield* call([]), undefined)
    })
  )
})
