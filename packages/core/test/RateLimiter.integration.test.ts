import { TransientError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Schedule } from "effect"
import { RateLimiter } from "effect/persistence"
import { open, other } from "./fixtures/mill.ts"
import { connect, newPrefix, send, server, url } from "./fixtures/redis.ts"

const over = (at: string, prefix: string, options: Parameters<typeof connect>[1] = {}) =>
  RateLimiter.layer.pipe(
    Layer.provide(RateLimiter.layerStoreRedis({ prefix })),
    Layer.provide(Layer.orDie(connect(at, options)))
  )

const names = (count: number) => Array.from({ length: count }, (_, index) => `sack ${index}`)

describe("a rate limit in Redis", () => {
  it.live("of 100 calls at once on two instances lets as many through as it says", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const options = { rateLimit: { limit: 37, window: "1 hour" } } as const
      const here = yield* open(options, over(url, prefix))
      const there = yield* open(options, over(url, prefix))
      const exits = yield* Effect.forEach(
        names(100),
        (sack, index) => Effect.exit((index % 2 === 0 ? here : there).call("weigh", sack)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(exits.filter((exit) => exit._tag === "Success").length, 37)
      assert.strictEqual(here.mill.done + there.mill.done, 37)
      assert.strictEqual((yield* here.call("weigh", "a", other)).replay, undefined)
    })
  )

  it.live("says how long to wait, and is open again after that", () =>
    Effect.gen(function* () {
      const { call, mill } = yield* open({ rateLimit: { limit: 2, window: "200 millis" } }, over(url, newPrefix()))
      yield* call("grind", "a")
      yield* call("grind", "b")
      const error = yield* Effect.flip(call("grind", "c"))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.applied, "no")
      const wait = Duration.toMillis(error.retryAfter ?? Duration.zero)
      assert.isTrue(wait > 0 && wait <= 200)
      yield* Effect.sleep(wait + 1)
      yield* call("grind", "c")
      assert.strictEqual(mill.done, 3)
    })
  )

  it.live("tells the server nothing of who calls", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const { call } = yield* open({ rateLimit: { limit: 9, window: "1 hour" } }, over(url, prefix))
      yield* call("weigh", "a")
      const [key, ...others] = yield* send<Array<string>>(url, "KEYS", `${prefix}*`)
      assert.deepStrictEqual(others, [])
      assert.match(key.slice(prefix.length), /^[A-Za-z0-9_-]{43}$/)
    })
  )

  it.live("refuses while the server is down, and goes on when it is back", () =>
    Effect.gen(function* () {
      const redis = yield* server()
      const { call, mill } = yield* open({}, over(redis.url, newPrefix()))
      yield* call("grind", "a")
      yield* redis.stop
      const error = yield* Effect.flip(call("grind", "b"))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.applied, "no")
      assert.isDefined((yield* call("grind", "a")).replay)
      assert.strictEqual(mill.done, 1)
      yield* redis.start
      yield* Effect.retry(
        call("grind", "b"),
        Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))
      )
      assert.strictEqual(mill.done, 2)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("refuses while the server stands still", () =>
    Effect.gen(function* () {
      const redis = yield* server()
      const { call, mill } = yield* open({}, over(redis.url, newPrefix()))
      yield* redis.pause
      assert.instanceOf(yield* Effect.flip(call("grind", "a")), TransientError)
      assert.strictEqual(mill.done, 0)
      yield* redis.resume
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
