import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger, Option, Schedule } from "effect"
import { Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { StoreError } from "../src/IdempotencyStore.ts"
import * as RedisIdempotencyStore from "../src/RedisIdempotencyStore.ts"
import {
  claim,
  connect,
  markUnknown,
  newPrefix,
  open,
  release,
  send,
  server,
  settle,
  soon,
  takeOver,
  url
} from "./fixtures/redis.ts"

/** Why a store can't be opened. */
const refusal = (...args: Parameters<typeof open>) =>
  Effect.map(Effect.flip(Effect.scoped(open(...args))), (error) =>
    error._tag === "StoreError" ? error.reason : error._tag
  )

const reason = (step: Effect.Effect<unknown, { readonly reason: string }>) =>
  Effect.map(Effect.flip(step), ({ reason }) => reason)

describe("at start the Redis store", () => {
  it.live("refuses a server that may drop records, and takes it when that is accepted", () =>
    Effect.gen(function* () {
      const { url } = yield* server("--maxmemory", "100mb")
      const policies = [
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl"
      ]
      for (const policy of policies) {
        yield* send(url, "CONFIG", "SET", "maxmemory-policy", policy)
        assert.strictEqual(
          yield* refusal(url),
          `Redis drops keys when its memory is full (maxmemory-policy is ${policy}), and a record that is dropped is a write that is made twice. Set maxmemory-policy to noeviction and let the user of the store run INFO, or give the store eviction: "accepted" if no record can be dropped for another reason.`
        )
        const store = yield* open(url, { eviction: "accepted" })
        assert.deepStrictEqual(yield* claim(store, policy), { _tag: "Claimed" })
      }
    })
  )

  it.live("refuses a server that does not tell, and takes it when that is accepted", () =>
    Effect.gen(function* () {
      const { port, url } = yield* server()
      yield* send(url, "ACL", "SETUSER", "silent", "on", ">secret", "~*", "+@all", "-info")
      const at = `redis://silent:secret@127.0.0.1:${port}`
      assert.strictEqual(
        yield* refusal(at),
        'Redis does not tell its maxmemory-policy, and a record that is dropped is a write that is made twice. Set maxmemory-policy to noeviction and let the user of the store run INFO, or give the store eviction: "accepted" if no record can be dropped for another reason.'
      )
      assert.deepStrictEqual(yield* claim(yield* open(at, { eviction: "accepted" }), "key"), { _tag: "Claimed" })
    })
  )

  it.live("refuses a replica", () =>
    Effect.gen(function* () {
      const primary = yield* server()
      const replica = yield* server("--replicaof", "127.0.0.1", `${primary.port}`)
      const why = "Redis is a replica and takes no writes. Connect to the primary."
      assert.strictEqual(yield* refusal(replica.url), why)
      assert.strictEqual(yield* refusal(replica.url, { eviction: "accepted" }), why)
    })
  )

  it.live("refuses a server that is older than 6.2", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      const versions = {
        "6.0.20": false,
        "5.0.14": false,
        "6.2.0": true,
        "7.0.15": true,
        "8.4.0": true,
        "10.0.0": true
      }
      for (const [version, taken] of Object.entries(versions)) {
        // The server's own words but for the version, since the old ones are not at hand.
        const send: typeof redis.send = <A>(command: string, ...args: ReadonlyArray<string>) =>
          Effect.map(
            redis.send<A>(command, ...args),
            (answer) =>
              (command === "INFO"
                ? String(answer).replace(/redis_version:.*/, `redis_version:${version}`)
                : answer) as A
          )
        const opened = yield* Effect.result(
          Effect.provideService(RedisIdempotencyStore.make({ durability: "memory" }), Redis.Redis, { ...redis, send })
        )
        const why = opened._tag === "Failure" ? opened.failure.reason : undefined
        assert.strictEqual(why, taken ? undefined : "Redis is older than 6.2. Give the store a newer server.")
      }
    }).pipe(Effect.provide(connect(url)))
  )

  it.live("warns of a server that keeps no append-only file, unless that is acceptable", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
      const opened = (at: string, options?: RedisIdempotencyStore.Options) =>
        Effect.scoped(
          Layer.build(RedisIdempotencyStore.layer(options).pipe(Layer.provide(connect(at)), Layer.provide(logger)))
        )
      const forgetful = yield* server()
      const durable = yield* server("--appendonly", "yes")
      yield* opened(forgetful.url, { durability: "memory" })
      yield* opened(durable.url)
      assert.deepStrictEqual(logged, [])
      yield* opened(forgetful.url)
      assert.deepStrictEqual(logged, [
        [
          'Redis keeps no append-only file, or does not tell, so that a restart may forget writes, and calls that come again make them again. Set its appendonly to yes, or give the store durability: "memory" where that is acceptable.'
        ]
      ])
    })
  )

  it.live("says which rights its user lacks, and needs no others", () =>
    Effect.gen(function* () {
      const { port, url } = yield* server()
      const at = (user: string) => `redis://${user}:secret@127.0.0.1:${port}`
      const rights = [
        "+info",
        "+script|load",
        "+evalsha",
        "+eval",
        "+time",
        "+exists",
        "+hmget",
        "+hexists",
        "+hset",
        "+del",
        "+pexpire"
      ]
      yield* send(url, "ACL", "SETUSER", "exact", "on", ">secret", "~ferrule:idempotency:*", "+hello", ...rights)
      const store = yield* open(at("exact"))
      yield* send(url, "SCRIPT", "FLUSH")
      yield* claim(store, "key")
      yield* markUnknown(store, "key")
      assert.deepStrictEqual(yield* takeOver(store, "key", "b"), Option.some(2))
      assert.isTrue(yield* settle(store, "key", "b"))
      assert.isTrue(yield* settle(store, "key", "b"))
      yield* claim(store, "other")
      assert.isTrue(yield* release(store, "other"))
      const lacking =
        "Redis does not let the user of the store do a step. Allow it INFO, SCRIPT LOAD, EVALSHA, EVAL, TIME, EXISTS, HMGET, HEXISTS, HSET, DEL and PEXPIRE, on the keys with the store's prefix."
      const elsewhere = yield* open(at("exact"), { prefix: "elsewhere:" })
      assert.strictEqual(yield* reason(claim(elsewhere, "key")), lacking)
      for (const right of rights.slice(1)) {
        const user = right.slice(1).replace("|", "")
        const without = rights.filter((each) => each !== right)
        yield* send(url, "ACL", "SETUSER", user, "on", ">secret", "~*", "+hello", ...without)
        if (right === "+script|load") {
          assert.strictEqual(yield* refusal(at(user)), lacking)
          continue
        }
        const store = yield* open(at(user))
        if (right === "+eval") yield* send(url, "SCRIPT", "FLUSH")
        const settled = Effect.all([claim(store, `${user} 1`), settle(store, `${user} 1`), settle(store, `${user} 1`)])
        const steps = Effect.andThen(settled, Effect.andThen(claim(store, user), release(store, user)))
        assert.strictEqual(yield* reason(steps), lacking)
      }
    })
  )
})

describe("when Redis refuses steps, the store says why:", () => {
  it.live("a server that is full takes no claim, and lets every write that has begun come to its end", () =>
    Effect.gen(function* () {
      const { url } = yield* server("--maxmemory-policy", "noeviction")
      const store = yield* open(url)
      for (const key of ["settled", "unknown", "late", "taken", "released"]) yield* claim(store, key)
      yield* store.claim({ key: "over", owner: "a", guards: "", lease: Duration.zero, retention: Duration.millis(1) })
      yield* send(url, "CONFIG", "SET", "maxmemory", "1mb")
      const full =
        "Redis is full and takes no new record. Raise its maxmemory, or give the records a server of their own."
      assert.strictEqual(yield* reason(claim(store, "new")), full)
      assert.strictEqual(yield* send(url, "EXISTS", "ferrule:idempotency:new"), 0)
      const result = "x".repeat(100_000)
      assert.isTrue(yield* settle(store, "settled", "a", result))
      assert.isTrue(yield* markUnknown(store, "unknown"))
      assert.isTrue(yield* markUnknown(store, "late"))
      assert.isTrue(yield* settle(store, "late", "a", result))
      assert.isTrue(yield* markUnknown(store, "taken"))
      assert.deepStrictEqual(yield* takeOver(store, "taken", "b"), Option.some(2))
      assert.isTrue(yield* release(store, "released"))
      const found = yield* claim(store, "settled", "b")
      assert(found._tag === "Existing")
      assert.strictEqual(found.result, result)
      assert.strictEqual(yield* reason(claim(store, "new")), full)
      yield* send(url, "CONFIG", "SET", "maxmemory", "100mb")
      assert.deepStrictEqual(yield* claim(store, "new"), { _tag: "Claimed" })
    })
  )

  it.live("a primary that has become a replica", () =>
    Effect.gen(function* () {
      const [old, next] = [yield* server(), yield* server()]
      const store = yield* open(old.url)
      yield* claim(store, "key")
      yield* send(old.url, "REPLICAOF", "127.0.0.1", `${next.port}`)
      const why = "Redis is a replica and takes no writes. Connect to the primary."
      assert.strictEqual(yield* reason(claim(store, "new")), why)
      assert.strictEqual(yield* reason(settle(store, "key")), why)
    })
  )

  it.live("a server without the replicas that it must have", () =>
    Effect.gen(function* () {
      const { url } = yield* server("--min-replicas-to-write", "1")
      const why = "Redis takes no writes since it has too few replicas (min-replicas-to-write). Bring them back."
      assert.strictEqual(yield* reason(claim(yield* open(url), "key")), why)
    })
  )

  it.live("a server that can't save to its disk", () =>
    Effect.gen(function* () {
      const { folder, url } = yield* server("--enable-protected-configs", "yes")
      const store = yield* open(url)
      const gone = join(folder, "gone")
      yield* Effect.sync(() => mkdirSync(gone))
      yield* send(url, "CONFIG", "SET", "dir", gone)
      yield* send(url, "CONFIG", "SET", "save", "3600 100000")
      yield* Effect.sync(() => rmSync(gone, { recursive: true }))
      yield* send(url, "BGSAVE")
      const why = "Redis takes no writes since it can't save to its disk. Check the disk and the log of the server."
      let claims = 0
      const refused = yield* Effect.suspend(() => claim(store, `key ${claims++}`)).pipe(
        Effect.repeat(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))),
        Effect.flip
      )
      assert.strictEqual(refused.reason, why)
    })
  )

  it.live("a cluster of which a part is down, and all is well when it is back", () =>
    Effect.gen(function* () {
      const { url } = yield* server("--cluster-enabled", "yes")
      const store = yield* open(url)
      assert.strictEqual(
        yield* reason(claim(store, "key")),
        "Redis is a cluster that did not take the step on this node. Connect with a client that follows the cluster."
      )
      yield* send(url, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
      assert.deepStrictEqual(yield* soon(claim(store, "key")), { _tag: "Claimed" })
      assert.isTrue(yield* markUnknown(store, "key"))
      assert.deepStrictEqual(yield* takeOver(store, "key", "b"), Option.some(2))
      assert.isTrue(yield* settle(store, "key", "b"))
      yield* claim(store, "other")
      assert.isTrue(yield* release(store, "other"))
      assert.strictEqual((yield* store.read("key"))?._tag, "Existing")
    })
  )

  it.live("a server that answers in another way", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      const store = yield* Effect.provideService(RedisIdempotencyStore.make({ durability: "memory" }), Redis.Redis, {
        ...redis,
        send: <A>(command: string, ...args: ReadonlyArray<string>) =>
          command === "EVALSHA"
            ? Effect.as(redis.send(command, ...args), "QUEUED" as A)
            : redis.send<A>(command, ...args)
      })
      const why =
        "Redis answered a step in another way than its script does. Give the client the address of a Redis server."
      const steps: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [
        claim(store, "none"),
        store.read("none"),
        settle(store, "none"),
        takeOver(store, "none", "b")
      ]
      for (const step of steps) assert.strictEqual(yield* reason(step), why)
    }).pipe(Effect.provide(connect(url)))
  )
})

describe("when the connection to Redis breaks,", () => {
  const offline = "The client has no connection to Redis. Check the server and the network."

  it.live("steps fail at once, none is done later, and the store goes on when the server is back", () =>
    Effect.gen(function* () {
      const { start, stop, url } = yield* server("--appendonly", "yes", "--appendfsync", "always")
      const store = yield* open(url)
      yield* claim(store, "before")
      yield* settle(store, "before", "a", "done")
      yield* claim(store, "running")
      yield* stop
      assert.oneOf(yield* reason(claim(store, "lost")), [offline, broken])
      const began = performance.now()
      for (const step of [claim(store, "lost"), settle(store, "running"), takeOver(store, "running", "b")]) {
        assert.strictEqual(yield* reason(step), offline)
      }
      assert.isBelow(performance.now() - began, 1000)
      yield* start
      const found = yield* soon(claim(store, "before", "b"))
      assert(found._tag === "Existing")
      assert.deepStrictEqual([found.state, found.owner, found.result], ["settled", "a", "done"])
      assert.isUndefined(yield* store.read("lost"))
      assert.isTrue(yield* settle(store, "running"))
    })
  )

  const broken =
    "The connection to Redis broke during a step, which may have been done. Check the server and the network."

  it.live("a step under way says that it may have been done", () =>
    Effect.gen(function* () {
      const { pause, resume, stop, url } = yield* server()
      const store = yield* open(url)
      yield* pause
      const step = yield* Effect.forkChild(reason(claim(store, "key")), { startImmediately: true })
      yield* Effect.sleep("100 millis")
      yield* stop
      yield* resume
      assert.strictEqual(yield* Fiber.join(step), broken)
    })
  )

  it.live("a client that queues fails a step after its own time, and does not do it later", () =>
    Effect.gen(function* () {
      const { start, stop, url } = yield* server()
      const store = yield* open(url, { client: { disableOfflineQueue: false, commandOptions: { timeout: 500 } } })
      yield* stop
      yield* Effect.ignore(claim(store, "first"))
      assert.strictEqual(
        yield* reason(claim(store, "key")),
        "Redis did not answer in time. Check the server and the network."
      )
      yield* start
      assert.deepStrictEqual(yield* soon(claim(store, "key", "b")), { _tag: "Claimed" })
    })
  )

  it.live("a claim that reaches the server after its caller has gone is not granted, and a settle is done", () =>
    Effect.gen(function* () {
      const { pause, resume, url } = yield* server()
      const store = yield* open(url)
      yield* claim(store, "running")
      yield* claim(store, "lapsed", "a", { lease: Duration.zero })
      yield* pause
      const steps: ReadonlyArray<Effect.Effect<unknown, StoreError>> = [
        claim(store, "key"),
        takeOver(store, "lapsed", "b"),
        settle(store, "running", "a", "done")
      ]
      const gone = yield* Effect.forEach(steps, (step) =>
        Effect.forkChild(Effect.exit(step), { startImmediately: true })
      )
      yield* Effect.sleep("10500 millis")
      yield* Fiber.interruptAll(gone)
      yield* resume
      assert.isUndefined(yield* store.read("key"))
      const lapsed = yield* store.read("lapsed")
      assert(lapsed?._tag === "Existing")
      assert.deepStrictEqual([lapsed.owner, lapsed.epoch], ["a", 1])
      const settled = yield* store.read("running")
      assert(settled?._tag === "Existing")
      assert.strictEqual(settled.result, "done")
    })
  )

  it.live("a caller that has waited all the same is told that its claim was not done", () =>
    Effect.gen(function* () {
      const { pause, resume, url } = yield* server()
      const store = yield* open(url)
      yield* claim(store, "other")
      yield* pause
      const waiting = yield* Effect.forkChild(reason(claim(store, "key")), { startImmediately: true })
      yield* Effect.sleep("10500 millis")
      yield* resume
      assert.strictEqual(
        yield* Fiber.join(waiting),
        "Redis got to a step when nobody waited for it any more, and did not do it. Check the server and the network."
      )
      assert.deepStrictEqual(yield* claim(store, "key"), { _tag: "Claimed" })
    })
  )
})

describe("the Redis store", () => {
  it.effect("grants claims whatever this process takes the time to be, and when its clock is set", () =>
    Effect.gen(function* () {
      const store = yield* open(url, { prefix: newPrefix() })
      for (const [index, time] of [0, 3_600_000, 1000, 7_200_000].entries()) {
        yield* TestClock.setTime(time)
        assert.deepStrictEqual(yield* claim(store, `key ${index}`), { _tag: "Claimed" })
        assert.isTrue(yield* markUnknown(store, `key ${index}`))
        assert.deepStrictEqual(yield* takeOver(store, `key ${index}`, "b"), Option.some(2))
      }
    })
  )
})
