import { assert, layer } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Layer, Logger, Option } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { IdempotencyStore } from "../src/IdempotencyStore.ts"
import * as PostgresRecords from "../src/internal/PostgresRecords.ts"
import * as PostgresTable from "../src/internal/PostgresTable.ts"
import * as SqlIdempotencyStore from "../src/SqlIdempotencyStore.ts"
import * as IdempotencyStoreContract from "../src/testing/IdempotencyStoreContract.ts"
import {
  claim,
  connected,
  countingStream,
  lease,
  newStore,
  newTable,
  open,
  openWith,
  reported,
  retention,
  settle,
  start,
  TestSchema
} from "./fixtures/postgres.ts"
import { agree, commandsIn, realTime, testTime } from "./fixtures/storeModel.ts"

const live = { excludeTestServices: true } as const

layer(TestSchema.layer, live)("the SQL store keeps the contract:", (it) => {
  class Second extends Context.Service<Second, IdempotencyStore["Service"]>()("@ferrule/core/test/Second") {}
  class Table extends Context.Service<Table, string>()("@ferrule/core/test/Table") {}

  const damage = (key: string) =>
    Effect.gen(function* () {
      const [sql, table] = [yield* SqlClient.SqlClient, yield* Table]
      const change = (by: number) =>
        Effect.orDie(
          Effect.asVoid(
            sql`UPDATE ${sql(table)} SET format = format + ${by}::int WHERE key = ${PostgresRecords.encode(key)}`
          )
        )
      yield* change(1)
      return change(-1)
    })
  const cases = IdempotencyStoreContract.cases<Second | SqlClient.SqlClient | Table>({
    advance: Effect.sleep,
    lease: "2 seconds",
    retention: "8 seconds",
    second: Second,
    damage
  })
  // All of them at once, since they spend most of their time asleep.
  const outcomes = Effect.runSync(
    Effect.cached(
      Effect.gen(function* () {
        const table = yield* newTable
        const services = Context.make(Table, table).pipe(
          Context.add(IdempotencyStore, yield* open(table)),
          Context.add(Second, yield* openWith(yield* connected({ maxConnections: 20 }), table))
        )
        return yield* Effect.forEach(cases, ({ run }) => Effect.exit(Effect.provide(run, services)), {
          concurrency: "unbounded"
        })
      })
    )
  )

  for (const [index, { name }] of cases.entries()) {
    it.effect(name, () => Effect.flatMap(outcomes, (outcome) => outcome[index]))
  }

  it.effect("any sequence of steps gives what the rules say, by the server's clock", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const store = yield* open(table)
      const run = Effect.runPromiseWith(yield* Effect.context<SqlClient.SqlClient>())
      const trace = (steps: Parameters<typeof agree>[0]) =>
        Effect.andThen(sql`DELETE FROM ${sql(table)}`, Effect.provideService(agree(steps), IdempotencyStore, store))
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(commandsIn(realTime(40)), (steps) => run(trace(steps))),
          { numRuns: 20, endOnFailure: true }
        )
      )
    })
  )

  it.effect("any sequence of steps gives what the rules say, to the millisecond", () =>
    Effect.gen(function* () {
      const schema = yield* TestSchema
      const table = yield* newTable
      const admin = yield* SqlClient.SqlClient
      // The one clock that PostgreSQL's own gives way to, on connections that ask for it.
      yield* admin`CREATE TABLE ${admin(`${schema}.clock`)} AS SELECT to_timestamp(0) AS at`
      yield* admin.unsafe(
        `CREATE FUNCTION ${schema}.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM ${schema}.clock'`
      )
      const sql = yield* connected({ startupParameters: { search_path: `${schema}, pg_catalog` } })
      const store = yield* openWith(sql, table)
      const run = Effect.runPromiseWith(yield* Effect.context())
      const tell = Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.orDie(Effect.asVoid(sql`UPDATE clock SET at = to_timestamp(${now / 1000})`))
      )
      const time = { ...testTime, advance: (by: Duration.Duration) => Effect.andThen(TestClock.adjust(by), tell) }
      const trace = (steps: Parameters<typeof agree>[0]) =>
        Effect.andThen(Effect.andThen(tell, sql`DELETE FROM ${sql(table)}`), agree(steps)).pipe(
          Effect.provide(Layer.merge(Layer.succeed(IdempotencyStore, store), TestClock.layer()))
        )
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(commandsIn(time), (steps) => run(trace(steps))),
          { numRuns: 200 }
        )
      )
    })
  )
})

layer(TestSchema.layer, live)("the SQL store", (it) => {
  it.effect("is seen by every instance: each of 300 keys goes to one of four processes", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const processes = yield* Effect.all([1, 2, 3, 4].map(() => start(table, "race")))
      for (const process of processes) assert.strictEqual(yield* reported(process), "ready")
      for (const { child } of processes) child.stdin.write("go\n")
      const won = yield* Effect.all(processes.map(reported), { concurrency: "unbounded" })
      const keys = (won as ReadonlyArray<ReadonlyArray<string>>).flat()
      assert.strictEqual(keys.length, 300)
      assert.strictEqual(new Set(keys).size, 300)
      assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS settled FROM ${sql(table)} WHERE state = 'settled'`, [
        { settled: 300 }
      ])
      assert.strictEqual((yield* open(table)).scope, "shared")
    })
  )

  it.effect("grants one of 100 claims on 20 connections, and tells the others who it was", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      for (let round = 0; round < 20; round++) {
        yield* raced(store, `key ${round}`)
      }
    })
  )

  it.effect("grants one of 100 claims of a record that is past its retention", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const store = yield* open(table)
      for (let round = 0; round < 20; round++) {
        const key = `key ${round}`
        yield* claim(store, key, "before")
        yield* sql`UPDATE ${sql(table)} SET expires_at = now() - interval '1 s', lease_until = now() - interval '1 s'`
        yield* raced(store, key)
      }
    })
  )

  it.effect("makes one round trip for each step", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const { counter, stream } = countingStream()
      const store = yield* openWith(yield* connected({ stream }), table)
      // By then the first cleanup is over.
      yield* Effect.repeat(store.read("k"), { times: 2 })
      const trips = <A>(step: Effect.Effect<A, unknown>) =>
        Effect.suspend(() => {
          const before = counter.writes
          return Effect.map(Effect.orDie(step), () => counter.writes - before)
        })
      assert.deepStrictEqual(
        {
          claim: yield* trips(claim(store, "k")),
          settle: yield* trips(settle(store, "k")),
          replay: yield* trips(claim(store, "k", "b")),
          read: yield* trips(store.read("k")),
          "claim and release": yield* trips(
            Effect.andThen(claim(store, "k2"), store.release({ key: "k2", owner: "a" }))
          ),
          "begin, claim, settle and commit": yield* trips(
            store.transaction(Effect.andThen(claim(store, "k3"), settle(store, "k3")))
          )
        },
        {
          claim: 1,
          settle: 1,
          replay: 1,
          read: 1,
          "claim and release": 2,
          "begin, claim, settle and commit": 4
        }
      )
    })
  )

  it.effect("writes nothing for a replay", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const store = yield* open(table)
      yield* claim(store, "k")
      yield* settle(store, "k")
      const version = sql`SELECT ctid::text, xmin::text, xmax::text FROM ${sql(table)}`
      const before = yield* version
      for (let index = 0; index < 100; index++) yield* claim(store, "k", "b")
      assert.deepStrictEqual(yield* version, before)
      const written = yield* store.transaction(
        Effect.andThen(
          claim(store, "k", "b"),
          sql`SELECT pg_current_xact_id_if_assigned()::text AS id, count(*)::int AS locks
            FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'`
        )
      )
      assert.deepStrictEqual(written, [{ id: null, locks: 0 }])
    })
  )

  it.effect("has PostgreSQL plan each statement once for a connection", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* connected()
      const store = yield* openWith(sql, table)
      for (const millis of [0, 0.5, 30_000, 3_000_000_000, Infinity]) {
        const kept = Duration.millis(millis)
        yield* store.claim({ key: `k${millis}`, owner: "a", guards: "g", lease: kept, retention: kept })
        yield* store.settle({ key: `k${millis}`, owner: "a", result: "r", retention: kept })
      }
      const plans = yield* sql`SELECT count(*)::int AS plans FROM pg_prepared_statements
        WHERE statement LIKE ${`%${table.split(".")[1]}%`} AND (statement LIKE '%found%' OR statement LIKE '%settled_at%')`
      assert.deepStrictEqual(plans, [{ plans: 2 }])
    })
  )

  it.effect("keeps texts with U+0000 apart and byte for byte", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const texts = ["\0", "\0\0", "a\0b", "a", "a\\0b", "\\x00", "\ufeff\0"]
      for (const text of texts) {
        const options = { key: text, owner: text, guards: text, lease, retention }
        assert.deepStrictEqual(yield* store.claim(options), { _tag: "Claimed" })
        assert.strictEqual(yield* store.settle({ key: text, owner: text, result: text, retention }), true)
      }
      for (const text of texts) {
        const found = yield* store.read(text)
        assert.strictEqual(found?._tag, "Existing")
        if (found?._tag !== "Existing") continue
        assert.deepStrictEqual([found.owner, found.guards, found.result], [text, text, text])
      }
    })
  )

  it.effect("refuses text that is not well-formed, since two of them could be one key", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const reason = "A key, an owner, guards or a result is not well-formed Unicode."
      assert.strictEqual((yield* Effect.flip(claim(store, "\ud800"))).reason, reason)
      assert.strictEqual((yield* Effect.flip(claim(store, "k", "\udfff"))).reason, reason)
      assert.strictEqual(yield* store.read("k"), undefined)
      yield* claim(store, "k")
      assert.strictEqual((yield* Effect.flip(settle(store, "k", "\ud800x"))).reason, reason)
    })
  )

  it.effect("keeps what is to last for ever, and what lasts no time at all", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const [ever, never] = [Duration.infinity, Duration.zero]
      yield* store.claim({ key: "ever", owner: "a", guards: "g", lease: ever, retention: ever })
      assert.strictEqual((yield* store.read("ever"))?._tag, "Existing")
      yield* store.claim({ key: "never", owner: "a", guards: "g", lease: never, retention: never })
      assert.strictEqual(yield* store.read("never"), undefined)
      yield* store.markUnknown({ key: "ever", owner: "a", lapsed: false, retention: ever })
      const taken = yield* store.takeOver({ key: "ever", previousOwner: "a", owner: "b", lease: ever, retention: ever })
      assert.deepStrictEqual(taken, Option.some(2))
    })
  )

  it.effect("keeps a record that was taken over while its lease runs, however short its retention", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const [short, long] = [Duration.millis(300), Duration.seconds(5)]
      yield* claim(store, "k")
      yield* store.markUnknown({ key: "k", owner: "a", lapsed: false, retention: short })
      yield* store.takeOver({ key: "k", previousOwner: "a", owner: "b", lease: long, retention: short })
      yield* Effect.sleep("500 millis")
      const found = yield* store.read("k")
      assert.strictEqual(found?._tag === "Existing" ? `${found.state} ${found.owner}` : undefined, "claimed b")
    })
  )

  it.effect("says that a record can't be read, what to do, and nothing of what is in it, and leaves it alone", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const store = yield* open(table)
      const found = Effect.fnUntraced(function* (damage: string) {
        yield* sql`DELETE FROM ${sql(table)}`
        yield* claim(store, "k1")
        yield* settle(store, "k1", "secret")
        yield* sql.unsafe(`UPDATE ${table} SET ${damage}`)
        const read = yield* store.read("k1")
        assert.deepStrictEqual(yield* claim(store, "k1", "b"), read)
        const before = yield* sql`SELECT * FROM ${sql(table)}`
        const held = { key: "k1", owner: "a" }
        // That it was settled by its owner is plain, whatever the bytes are.
        const isSettled = damage.startsWith("result = '")
        assert.strictEqual(yield* store.settle({ ...held, result: "done", retention }), isSettled)
        assert.isFalse(yield* store.release(held))
        assert.isFalse(yield* store.markUnknown({ ...held, lapsed: false, retention }))
        const taken = yield* store.takeOver({ key: "k1", previousOwner: "a", owner: "b", lease, retention })
        assert.deepStrictEqual(taken, Option.none())
        assert.deepStrictEqual(yield* sql`SELECT * FROM ${sql(table)}`, before)
        return read
      })
      const where = `the record in ${table} WHERE key = '\\x6b31'`
      const newer = {
        _tag: "Unreadable" as const,
        reason: `A newer version has written ${where}. Nothing was executed. Run the newer version on this instance too.`
      }
      const damaged = {
        _tag: "Unreadable" as const,
        reason:
          `What became of a write can't be read: ${where} is damaged. Nothing was executed. ` +
          "Repair it, or delete it once you know that repeating the write does no harm."
      }
      assert.deepStrictEqual(yield* found("format = 2"), newer)
      assert.deepStrictEqual(yield* found("format = 2, state = 'compacted', result = NULL"), newer)
      assert.deepStrictEqual(yield* found("result = NULL"), damaged)
      assert.deepStrictEqual(yield* found("result = '\\xff'"), damaged)
      assert.deepStrictEqual(yield* found("owner = '\\xc328'"), damaged)
      assert.deepStrictEqual(yield* found("state = 'secret'"), damaged)
      assert.deepStrictEqual(yield* found("state = 'claimed'"), damaged)
      assert.deepStrictEqual(yield* found("settled_at = NULL"), damaged)
      assert.deepStrictEqual(yield* found("settled_at = 'infinity'"), damaged)
      assert.deepStrictEqual(yield* found("format = 0"), damaged)
    })
  )
})

layer(TestSchema.layer, live)("the SQL store's cleanup", (it) => {
  const fill = (table: string, count: number, expiry: string) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.unsafe(`INSERT INTO ${table} (key, format, state, owner, epoch, guards, lease_until, created_at, expires_at)
        SELECT convert_to('${expiry} ' || i, 'UTF8'), 1, 'claimed', '', 1, '', now(), now(), now() ${expiry} * interval '1 s'
        FROM generate_series(1, ${count}) AS i`)
    )
  const count = (table: string) =>
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.map(sql<{ count: number }>`SELECT count(*)::int AS count FROM ${sql(table)}`, ([row]) => row.count)
    )
  const until = <R>(done: Effect.Effect<boolean, unknown, R>) =>
    done.pipe(Effect.orDie, Effect.repeat({ until: (is) => is }), Effect.timeout("20 seconds"))

  it.effect("deletes what is past its retention, however much, while others do the same, and nothing else", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      yield* fill(table, 12_500, "- 1")
      yield* fill(table, 300, "+ 3600")
      for (let instance = 0; instance < 4; instance++) yield* SqlIdempotencyStore.make({ table })
      yield* until(Effect.map(count(table), (left) => left === 300))
    })
  )

  it.effect("comes again after its interval, for as long as the layer is open", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* SqlIdempotencyStore.make({ table, cleanupInterval: "100 millis" })
          yield* Effect.sleep("300 millis")
          yield* fill(table, 10, "- 1")
          yield* until(Effect.map(count(table), (left) => left === 0))
        })
      )
      yield* fill(table, 10, "- 1")
      yield* Effect.sleep("500 millis")
      assert.strictEqual(yield* count(table), 10)
    })
  )

  it.effect("says when PostgreSQL fails, and goes on when it is back", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logged.push(...[message].flat().map(String)))
      yield* Effect.provide(SqlIdempotencyStore.make({ table, cleanupInterval: "50 millis" }), Logger.layer([logger]))
      yield* fill(table, 10, "- 1")
      const moved = `${table.split(".")[1]}_moved`
      yield* sql`ALTER TABLE ${sql(table)} RENAME TO ${sql(moved)}`
      yield* until(Effect.sync(() => logged.length > 1))
      assert.deepStrictEqual(logged.slice(0, 2), [
        "Records past their retention could not be deleted.",
        `@ferrule/core/StoreError: PostgreSQL has no table ${table}. Run SqlIdempotencyStore.layerMigrations for it, as the schema's owner.`
      ])
      yield* sql`ALTER TABLE ${sql(`${yield* TestSchema}.${moved}`)} RENAME TO ${sql(table.split(".")[1])}`
      yield* fill(table, 10, "- 2")
      yield* until(Effect.map(count(table), (left) => left === 0))
    })
  )

  it.effect("never takes a claim that was granted over a record past its retention", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      for (let instance = 0; instance < 2; instance++) {
        yield* SqlIdempotencyStore.make({ table, cleanupInterval: "1 millis" })
      }
      for (let round = 0; round < 10; round++) {
        yield* fill(table, 500, `- ${round + 1}`)
        const keys = Array.from({ length: 500 }, (_, index) => `- ${round + 1} ${index + 1}`)
        const claims = yield* Effect.forEach(keys, (key) => claim(store, key), { concurrency: 16 })
        assert.deepStrictEqual(new Set(claims.map(({ _tag }) => _tag)), new Set(["Claimed"]))
      }
      yield* Effect.sleep("100 millis")
      assert.strictEqual(yield* count(table), 5_000)
    })
  )

  it.effect("finds them, and every step its record, by an index", () =>
    Effect.gen(function* () {
      const name = yield* newTable
      const sql = yield* connected()
      const table = yield* PostgresTable.make(name)
      yield* fill(name, 30_000, "+ 3600")
      yield* fill(name, 3_000, "- 1")
      yield* sql.unsafe(`ANALYZE ${name}`)
      // Of plans for any parameters, as the driver's prepared statements come to have.
      yield* sql.unsafe("SET plan_cache_mode = force_generic_plan")
      const indexes: Record<string, ReadonlySet<string>> = {}
      for (const [step, statement] of Object.entries(PostgresRecords.statements(table))) {
        yield* sql.unsafe(`PREPARE ${step} AS ${statement}`)
        const parameters = new Set(statement.match(/\$\d/g))
        const values = parameters.size === 0 ? "" : `(${Array.from(parameters, () => "'1'").join(", ")})`
        const plan = yield* sql.unsafe<{ "QUERY PLAN": string }>(`EXPLAIN EXECUTE ${step}${values}`)
        const lines = plan.map((row) => row["QUERY PLAN"])
        assert.deepStrictEqual(
          lines.filter((line) => line.includes("Seq Scan")),
          [],
          step
        )
        indexes[step] = new Set(
          lines.flatMap((line) => line.match(/Index Scan using \S+_(pkey|expires_at)/)?.[1] ?? [])
        )
      }
      const key = new Set(["pkey"])
      assert.deepStrictEqual(indexes, {
        claim: key,
        claimInTransaction: key,
        read: key,
        settle: key,
        release: key,
        markUnknown: key,
        markLapsed: key,
        takeOver: key,
        clean: new Set(["expires_at"])
      })
    })
  )
})

/** Claims a key 100 times at once; exactly one is granted, and every other one sees whose it is. */
const raced = Effect.fnUntraced(function* (store: IdempotencyStore["Service"], key: string) {
  const owners = Array.from({ length: 100 }, (_, index) => `owner ${index}`)
  const claims = yield* Effect.forEach(owners, (owner) => claim(store, key, owner), { concurrency: "unbounded" })
  const winners = owners.filter((_, index) => claims[index]._tag === "Claimed")
  assert.strictEqual(winners.length, 1)
  const seen = claims.flatMap((found) => (found._tag === "Existing" ? [`${found.state} ${found.owner}`] : []))
  assert.strictEqual(seen.length, 99)
  assert.deepStrictEqual(new Set(seen), new Set([`claimed ${winners[0]}`]))
})
