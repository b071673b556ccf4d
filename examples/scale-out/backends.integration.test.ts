import { NodeRedis } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer } from "effect"
import { RateLimiter, Redis } from "effect/persistence"
import { randomUUID } from "node:crypto"
import { Rates } from "./backends.ts"

const redis = process.env["FERRULE_TEST_REDIS"] ?? "redis://127.0.0.1:6379"
const key = "the same caller of the same tool"

/** The limiter of a new instance. */
const limiter = (environment: Readonly<Record<string, string>>) =>
  Effect.map(
    Layer.build(Layer.fresh(Rates).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment))))),
    Context.get(RateLimiter.RateLimiter)
  )

/** How many of four calls get through that go to two instances in turn, where two are allowed. */
const allowed = Effect.fnUntraced(function* (environment: Readonly<Record<string, string>>) {
  const [one, other] = [yield* limiter(environment), yield* limiter(environment)]
  const exits = yield* Effect.forEach([one, other, one, other], ({ consume }) =>
    Effect.exit(consume({ key, limit: 2, window: "1 hour" }))
  )
  return exits.filter(({ _tag }) => _tag === "Success").length
})

describe("how often a caller calls", () => {
  it.live("is counted by all instances together where they have Redis", () =>
    Effect.gen(function* () {
      const DESK_REDIS_PREFIX = `ferrule:test:${randomUUID()}:`
      assert.strictEqual(yield* allowed({ DESK_REDIS: redis, DESK_REDIS_PREFIX }), 2)
      const { send } = Context.get(yield* Layer.build(NodeRedis.layer({ url: redis })), Redis.Redis)
      assert.strictEqual(yield* send<number>("DEL", `${DESK_REDIS_PREFIX}rate:${key}`), 1)
    })
  )

  it.live("is counted by each instance for itself where there is none", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* allowed({}), 4)
    })
  )
})
