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
  const change = (key: string, from: RegExp, to: string) => Effect.orDie(alter(prefix + key, from, to))
  const cases = IdempotencyStoreContract.cases({
    advance: Effect.sleep,
    lease: "1 second",
    retention: "4 seconds",
    second: opened,
    damage: (key) => Effect.as(change(key, /^/, "?"), change(key, /^\?/, ""))
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
      assert.isAbove(yield* send<number>(url, "PTTL", `${prefix}for ever`), 99_999_999_000_000)
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
        yield* alter(prefix + key, /\d+ \d+ \d+ 1 a/, `${yield* now(url)} 0 0 1 a`)
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
      const state = (from: RegExp, to: string) => (name: string) => alter(name, from, to)
      const without = (field: string) => (name: string) => send(url, "HDEL", name, field)
      const both = [
        [state(/^2/, "3"), newer],
        [state(/^2/, "10"), newer],
        [state(/^.*$/, "a secret"), damaged],
        [state(/^2 [a-z]+/, "2 done"), damaged],
        [state(/^2 ([a-z]+) 1 /, "2 $1 0x1 "), damaged],
        [state(/^2 ([a-z]+) 1 /, "2 $1  "), damaged],
        [state(/\d{13}/, "99999999999999999999"), damaged],
        [state(/(\d{13}) \d{13}/, "$1 soon"), damaged],
        [state(/(\d{13}) \d{13}/, "$1 0x1"), damaged],
        [state(/(\d{13}) \d{13}/, "$1 99999999999999999999"), damaged],
        [state(/ \d+ 1 a/, " 1 a"), damaged],
        [state(/ \d+ 1 a/, " 1.5 1 a"), damaged],
        [state(/ \d+ 1 a/, " 99999999999999999999 1 a"), damaged],
        [state(/ 1 a /, " a "), damaged],
        [state(/ 1 a /, " 2 a "), damaged],
        [state(/ a guards$/, ""), damaged],
        [state(/ guards$/, ""), damaged]
      ] as const
      const claimed = [
        [state(/ \d+ (\d+) 1 a/, " $1 1 a"), damaged],
        [state(/ \d+ (\d+) 1 a/, "  1 $1 1 a"), damaged]
      ] as const
      const settled = [
        [without("state"), foreign],
        [without("result"), damaged],
        [state(/(\d{13}) \d{13}/, "$1 1.5"), damaged]
      ] as const
      const cases = [
        ...[...both, ...claimed].map(([damage, why]) => ({ damage, why, state: "claimed" })),
        ...[...both, ...settled].map(([damage, why]) => ({ damage, why, state: "settled" }))
      ]
      for (const [index, { damage, state, why }] of cases.entries()) {
        const [key, name] = [`${index}`, `${prefix}${index}`]
        yield* store.claim({ key, owner: "a", guards: "guards", lease: Duration.zero, retention })
        if (state === "settled") yield* settle(store, key, "a", "a secret")
        const whole = yield* send(url, "DUMP", name)
        yield* damage(name)
        const before = yield* send(url, "DUMP", name)
        assert.notStrictEqual(before, whole)
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

  it.live("leaves a record of an older version as it is, and says so", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const store = yield* open(url, { prefix })
      const older = ["format", "1", "owner", "a", "epoch", "1", "guards", "guards", "createdAt", "1790000000000"]
      const times = ["expiresAt", "1990000000000", "leaseUntil", "1790000038500"]
      const records = {
        claimed: [...older, ...times, "state", "claimed"],
        unknown: [...older, ...times, "state", "unknown"],
        settled: [...older, ...times, "state", "settled", "result", "a secret", "settledAt", "1790000001000"]
      }
      for (const [key, fields] of Object.entries(records)) {
        yield* send(url, "HSET", prefix + key, ...fields)
        const before = yield* send(url, "DUMP", prefix + key)
        assert.deepStrictEqual(yield* claim(store, key, "b"), {
          _tag: "Unreadable",
          reason: `The Redis key ${prefix}${key} was written by an older version. Nothing was executed. Redis drops the key at the end of its retention; delete it before only once you know that repeating the write does no harm.`
        })
        assert.isFalse(yield* settle(store, key))
        assert.isFalse(yield* release(store, key))
        assert.isFalse(yield* markUnknown(store, key))
        assert.deepStrictEqual(yield* takeOver(store, key, "b"), Option.none())
        assert.deepStrictEqual(yield* send(url, "DUMP", prefix + key), before)
        yield* send(url, "DEL", prefix + key)
      }
    })
  )

  it.live("keeps a record in two fields, as its documentation says", () =>
    Effect.gen(function* () {
      const prefix = newPrefix()
      const store = yield* open(url, { prefix })
      const fields = send<ReadonlyArray<string | null>>(url, "HMGET", `${prefix}k`, "state", "result")
      const began = { lease: Duration.seconds(40), retention: Duration.seconds(10) }
      yield* store.claim({ key: "k", owner: "the owner", guards: "the guards", ...began })
      const [claimed, none] = yield* fields
      assert.match(`${claimed}`, /^2 claimed 1 (\d{13}) \1 40000 40000 9 the owner the guards$/)
      assert.isNull(none)
      const createdAt = `${claimed}`.split(" ")[3]
      yield* store.markUnknown({ key: "k", owner: "the owner", lapsed: false, retention: Duration.minutes(2) })
      const unknown = `^2 unknown 1 ${createdAt} \\d{13} 0 120000 9 the owner the guards$`
      assert.match(`${(yield* fields)[0]}`, new RegExp(unknown))
      yield* store.takeOver({ key: "k", previousOwner: "the owner", owner: "another", ...began })
      const taken = `^2 claimed 2 ${createdAt} \\d{13} 40000 1[12]\\d{4} 7 another the guards$`
      assert.match(`${(yield* fields)[0]}`, new RegExp(taken))
      yield* store.settle({ key: "k", owner: "another", result: "the result", retention })
      const [settled, result] = yield* fields
      assert.match(`${settled}`, new RegExp(`^2 settled 2 ${createdAt} \\d{13} 0 300000 7 another the guards$`))
      assert.strictEqual(result, "the result")
      assert.strictEqual(yield* send(url, "HLEN", `${prefix}k`), 2)
    })
  )

  it.live("takes an owner for another's neither by its beginning nor by what follows it", () =>
    Effect.gen(function* () {
      const store = yield* open(url, { prefix: newPrefix() })
      const owners = ["a", "a ", "a b", "a b ", "", " ", "1 a", "a 1 a", "\u{1f600}", "\u{1f600} ", "aa", "\u00e9"]
      for (const [index, owner] of owners.entries()) {
        const key = `key ${index}`
        yield* store.claim({ key, owner, guards: "b  c", lease, retention })
        for (const other of owners) {
          if (other === owner) continue
          assert.isFalse(yield* store.settle({ key, owner: other, result: "", retention }))
          assert.isFalse(yield* store.markUnknown({ key, owner: other, lapsed: false, retention }))
          assert.isFalse(yield* store.release({ key, owner: other }))
        }
        assert.isTrue(yield* store.release({ key, owner }))
      }
    })
  )
})

/** Changes the text of a record's state behind the store's back. */
const alter = (name: string, from: RegExp, to: string) =>
  Effect.flatMap(send<string>(url, "HGET", name, "state"), (state) =>
    Effect.asVoid(send(url, "HSET", name, "state", state.replace(from, to)))
  )
