import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option } from "effect"
import * as fc from "fast-check"
import { IdempotencyStore } from "../src/IdempotencyStore.ts"
import * as RedisIdempotencyStore from "../src/RedisIdempotencyStore.ts"
import * as IdempotencyStoreContract from "../src/testing/IdempotencyStoreContract.ts"
import {
  claim,
  connect,
  lease,
  markUnknown,
  monitor,
  newPrefix,
  now,
  open,
  release,
  reported,
  retention,
  send,
  server,
  settle,
  start,
  takeOver,
  url
} from "./fixtures/redis.ts"
import { agree, commandsIn, realTime } from "./fixtures/storeModel.ts"

describe.concurrent("the Redis store keeps the contract:", () => {
  const prefix = newPrefix()
  const opened = Effect.orDie(open(url, { prefix }))
  const change = (key: string, by: string) =>
    Effect.orDie(Effect.asVoid(send(url, "HINCRBY", prefix + key, "format", by)))
  const cases = IdempotencyStoreContract.cases({
    advance: Effect.sleep,
    lease: "1 second",
    retention: "4 seconds",
    second: opened,
    damage: (key) => Effect.as(change(key, "1"), change(key, "-1"))
  })
  for (const { name, run } of cases) it.live(name, () => Effect.provideServiceEffect(run, IdempotencyStore, opened))

  const commands = commandsIn(realTime(60))
  for (const part of [1, 2, 3, 4, 5, 6]) {
    it.live(`any sequence of steps gives what the rules say, part ${part}`, () =>
      Effect.flatMap(Layer.build(connect(url)), (redis) =>
        Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(commands, (trace) =>
              agree(trace).pipe(
                Effect.provide(RedisIdempotencyStore.layer({ prefix: newPrefix(), durability: "memory" })),
                Effect.provide(redis),
                Effect.runPromise
              )
            ),
            { numRuns: 20, endOnFailure: true }
          )
        )
      )
    )
  }
})

describe("the Redis store", () => {
  it.live("is shared, and leaves transactions to stores that have them", () =>
    Effect.gen(function* () {
      const store = yield* open(url, { prefix: newPrefix() })
      assert.strictEqual(store.scope, "shared")
      assert.isUndefined(store.transaction)
    })
  )

  it.live("grants each of 20 keys to one of 100 claims over five connections", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const stores = yield* Effect.all(Array.from({ length: 5 }, () => open(url, { prefix })))
      for (let key = 0; key < 20; key++) {
        const claims = yield* Effect.all(
          Array.from({ length: 100 }, (_, index) => claim(stores[index % 5], `key ${key}`, `owner ${index}`)),
          { concurrency: "unbounded" }
        )
        const winner = claims.findIndex(({ _tag }) => _tag === "Claimed")
        const owners = claims.flatMap((found) => (found._tag === "Existing" ? [found.owner] : []))
        assert.strictEqual(owners.length, 99)
        assert.deepStrictEqual([...new Set(owners)], [`owner ${winner}`])
      }
    })
  )

  it.live("hands a lapsed record to one of 100 takers over five connections", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const stores = yield* Effect.all(Array.from({ length: 5 }, () => open(url, { prefix })))
      yield* claim(stores[0], "key", "a", { lease: Duration.zero })
      const epochs = yield* Effect.all(
        Array.from({ length: 100 }, (_, index) => takeOver(stores[index % 5], "key", `taker ${index}`)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(epochs.filter(Option.isSome), [Option.some(2)])
    })
  )

  it.live("grants each of 300 keys to one of four processes", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const processes = yield* Effect.all(Array.from({ length: 4 }, () => start(prefix)))
      for (const process of processes) assert.strictEqual(yield* reported(process), "ready")
      for (const { child } of processes) child.stdin.write("go\n")
      const won = yield* Effect.all(processes.map(reported), { concurrency: "unbounded" })
      const keys = (won as ReadonlyArray<ReadonlyArray<string>>).flat()
      assert.strictEqual(keys.length, 300)
      assert.strictEqual(new Set(keys).size, 300)
    })
  )

  it.live("makes one round trip for each step, the first ones too", () =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const store = yield* open(url)
      const seen = yield* monitor(url)
      yield* claim(store, "key")
      yield* claim(store, "key", "b")
      yield* markUnknown(store, "key")
      yield* takeOver(store, "key", "b")
      yield* settle(store, "key", "b")
      yield* claim(store, "other")
      yield* release(store, "other")
      yield* store.read("key")
      yield* send(url, "ECHO", "end")
      const commands = yield* seen
      assert.deepStrictEqual(
        commands,
        Array.from({ length: 8 }, () => "EVALSHA")
      )
    })
  )

  it.live("writes nothing for a claim that finds a record", () =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const store = yield* open(url)
      yield* claim(store, "key")
      yield* settle(store, "key")
      yield* claim(store, "running")
      const changes = Effect.map(
        send<string>(url, "INFO", "persistence"),
        (text) => /rdb_changes_since_last_save:(\d+)/.exec(text)?.[1]
      )
      const before = yield* changes
      for (const key of ["key", "running"]) {
        assert.strictEqual((yield* claim(store, key, "b"))._tag, "Existing")
        assert.strictEqual(yield* settle(store, key, "b"), false)
        assert.strictEqual(yield* release(store, "absent"), false)
      }
      assert.strictEqual(yield* settle(store, "key", "a", "again"), true)
      assert.strictEqual(yield* changes, before)
      yield* release(store, "running")
      assert.notStrictEqual(yield* changes, before)
    })
  )

  it.live("gives back every character of a result, long ones and U+0000 too", () =>
    Effect.gen(function* () {
      const store = yield* open(url, { prefix: newPrefix() })
      const texts = [
        "\u0000",
        "a\u0000b",
        "\u{1f600}\u{10ffff}",
        "\ud7ff\ue000\uffff",
        "\r\n$3\r\n",
        "é漢😀".repeat(200_000)
      ]
      for (const text of texts) {
        yield* store.claim({ key: text.slice(0, 20), owner: text, guards: text, lease, retention })
        assert.isTrue(yield* store.settle({ key: text.slice(0, 20), owner: text, result: text, retention }))
        const found = yield* claim(store, text.slice(0, 20), "b")
        assert(found._tag === "Existing")
        assert.isTrue(found.result === text && found.guards === text && found.owner === text)
      }
    })
  )

  it.live("goes on when the server has forgotten the scripts", () =>
    Effect.gen(function* () {
      const { url } = yield* server()
      const store = yield* open(url)
      const flush = send(url, "SCRIPT", "FLUSH")
      yield* flush
      assert.deepStrictEqual(yield* claim(store, "key"), { _tag: "Claimed" })
      yield* flush
      assert.isTrue(yield* markUnknown(store, "key"))
      yield* flush
      assert.deepStrictEqual(yield* takeOver(store, "key", "b"), Option.some(2))
      yield* flush
      assert.isTrue(yield* settle(store, "key", "b", "done"))
      yield* claim(store, "other")
      yield* flush
      assert.isTrue(yield* release(store, "other"))
      const found = yield* claim(store, "key")
      assert(found._tag === "Existing")
      assert.strictEqual(found.result, "done")
    })
  )

  it.live("lets Redis expire records at the end of their retention, and none before its lease is over", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const store = yield* open(url, { prefix })
      const began = yield* now(url)
      const expiry = Effect.map(send<number>(url, "PEXPIRETIME", `${prefix}key`), (time) =>
        Math.floor((time - began) / 10_000)
      )
      const short = { lease: Duration.seconds(40), retention: Duration.seconds(10) }
      yield* store.claim({ key: "key", owner: "a", guards: "", ...short })
      assert.strictEqual(yield* expiry, 4)
      yield* store.markUnknown({ key: "key", owner: "a", lapsed: false, retention: Duration.seconds(20) })
      assert.strictEqual(yield* expiry, 2)
      yield* store.takeOver({ key: "key", previousOwner: "a", owner: "b", ...short })
      assert.strictEqual(yield* expiry, 4)
      yield* store.settle({ key: "key", owner: "b", result: "", retention: Duration.seconds(60) })
      assert.strictEqual(yield* expiry, 6)
      yield* store.claim({ key: "for ever", owner: "a", guards: "", lease, retention: Duration.infinity })
      assert.strictEqual(yield* send(url, "PEXPIRETIME", `${prefix}for ever`), 999_999_999_999_999)
      yield* release(store, "for ever")
      const gone = { lease: Duration.zero, retention: Duration.millis(20) }
      yield* store.claim({ key: "gone", owner: "a", guards: "", ...gone })
      yield* Effect.sleep("60 millis")
      assert.strictEqual(yield* send(url, "EXISTS", `${prefix}gone`), 0)
    })
  )

  it.live("counts a record as absent past its retention, also when its key has lost its expiry", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const store = yield* open(url, { prefix })
      for (const key of ["claimed", "settled", "unknown"]) {
        yield* claim(store, key)
        if (key === "settled") yield* settle(store, key)
        if (key === "unknown") yield* markUnknown(store, key)
        yield* send(url, "PERSIST", prefix + key)
        yield* send(url, "HSET", prefix + key, "expiresAt", `${yield* now(url)}`, "leaseUntil", "0")
        assert.isFalse(yield* settle(store, key))
        assert.isFalse(yield* markUnknown(store, key))
        assert.isFalse(yield* release(store, key))
        assert.deepStrictEqual(yield* takeOver(store, key, "b"), Option.none())
        assert.deepStrictEqual(yield* claim(store, key, "b"), { _tag: "Claimed" })
        const found = yield* claim(store, key, "c")
        assert(found._tag === "Existing")
        assert.deepStrictEqual([found.owner, found.state, found.epoch], ["b", "claimed", 1])
        assert.isUndefined(found.result)
        assert.isAbove(yield* send<number>(url, "PTTL", prefix + key), 0)
      }
    })
  )

  it.live("says that a record can't be read, and leaves it as it is", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const store = yield* open(url, { prefix })
      const nothing = "Nothing was executed."
      const foreign = `holds what is no record of the store. ${nothing} Give the store a prefix that no other program uses, or delete the key once you know that repeating the write does no harm.`
      const damaged = `holds a damaged record, and what became of its write cannot be read. ${nothing} Repair the record, or delete the key once you know that repeating the write does no harm.`
      const newer = `was written by a newer version. ${nothing} Run the newer version on every instance.`
      const both = [
        [["HSET", "format", "2"], newer],
        [["HSET", "format", "10"], newer],
        [["HSET", "format", "a secret"], damaged],
        [["HDEL", "format"], foreign],
        [["HSET", "state", "done"], damaged],
        [["HSET", "epoch", "0x1"], damaged],
        [["HSET", "epoch", ""], damaged],
        [["HSET", "createdAt", "99999999999999999999"], damaged],
        [["HDEL", "expiresAt"], damaged],
        [["HSET", "expiresAt", "soon"], damaged],
        [["HSET", "expiresAt", "0x1"], damaged],
        [["HDEL", "owner"], damaged],
        [["HDEL", "guards"], damaged]
      ] as const
      const claimed = [
        [["HDEL", "leaseUntil"], damaged],
        [["HSET", "leaseUntil", " 1"], damaged]
      ] as const
      const settled = [
        [["HDEL", "result"], damaged],
        [["HDEL", "settledAt"], damaged],
        [["HSET", "settledAt", "1.5"], damaged]
      ] as const
      const cases = [
        ...[...both, ...claimed].map(([damage, why]) => ({ damage, why, state: "claimed" })),
        ...[...both, ...settled].map(([damage, why]) => ({ damage, why, state: "settled" }))
      ]
      for (const [index, { damage, state, why }] of cases.entries()) {
        const [command, ...args] = damage
        const [key, name] = [`${index}`, `${prefix}${index}`]
        yield* store.claim({ key, owner: "a", guards: "guards", lease: Duration.zero, retention })
        if (state === "settled") yield* settle(store, key, "a", "a secret")
        yield* send(url, command, name, ...args)
        const before = yield* send(url, "DUMP", name)
        const unreadable = { _tag: "Unreadable", reason: `The Redis key ${name} ${why}` } as const
        assert.deepStrictEqual(yield* claim(store, key, "b"), unreadable)
        assert.deepStrictEqual(yield* store.read(key), unreadable)
        assert.isFalse(yield* settle(store, key))
        assert.isFalse(yield* release(store, key))
        assert.isFalse(yield* markUnknown(store, key))
        assert.deepStrictEqual(yield* takeOver(store, key, "b"), Option.none())
        assert.deepStrictEqual(yield* send(url, "DUMP", name), before)
      }
      for (const [command, ...args] of [
        ["RPUSH", "x"],
        ["SET", "x"],
        ["HSET", "field", "x"],
        ["ZADD", "1", "x"]
      ]) {
        const name = prefix + command
        yield* send(url, command, name, ...args)
        const before = yield* send(url, "DUMP", name)
        assert.deepStrictEqual(yield* claim(store, command), {
          _tag: "Unreadable",
          reason: `The Redis key ${name} ${foreign}`
        })
        assert.isFalse(yield* settle(store, command))
        assert.isFalse(yield* release(store, command))
        assert.isFalse(yield* markUnknown(store, command))
        assert.deepStrictEqual(yield* takeOver(store, command, "b"), Option.none())
        assert.deepStrictEqual(yield* send(url, "DUMP", name), before)
        yield* send(url, "DEL", name)
      }
    })
  )
})
