import { assert, layer } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Schedule } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { type Existing, StoreError } from "../src/IdempotencyStore.ts"
import {
  claim,
  connected,
  end,
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

class Refused extends Data.TaggedError("Refused") {}

const pause = Schedule.spaced("20 millis")

const live = { excludeTestServices: true } as const

/** A table beside the store's, for what a write does. */
const effects = (table: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`CREATE TABLE ${sql(`${table}_effects`)} (what text)`
    return {
      write: (what: string) => sql`INSERT INTO ${sql(`${table}_effects`)} VALUES (${what})`,
      written: Effect.map(sql<{ what: string }>`SELECT what FROM ${sql(`${table}_effects`)} ORDER BY what`, (rows) =>
        rows.map(({ what }) => what)
      )
    }
  })

/** A transaction that has claimed the key and stays open until it is told to end. */
const opened = Effect.fnUntraced(function* (store: Effect.Success<typeof newStore>, key: string) {
  const claimed = yield* Deferred.make<void>()
  const ending = yield* Deferred.make<void, Refused>()
  const fiber = yield* Effect.forkChild(
    store.transaction(
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* claim(store, key), { _tag: "Claimed" })
        yield* settle(store, key)
        yield* Deferred.succeed(claimed, undefined)
        yield* Deferred.await(ending)
      })
    )
  )
  yield* Deferred.await(claimed)
  return {
    commit: Effect.andThen(Deferred.succeed(ending, undefined), Fiber.join(fiber)),
    rollback: Effect.andThen(Deferred.fail(ending, new Refused()), Effect.exit(Fiber.join(fiber)))
  }
})

/** What a claim finds that can't see whose the record is. */
const held = (createdAt: number): Existing => ({
  _tag: "Existing",
  state: "claimed",
  owner: "",
  epoch: 1,
  guards: "guards",
  lapsed: false,
  createdAt,
  result: undefined,
  settledAt: undefined
})

layer(TestSchema.layer, live)("a transaction of the SQL store", (it) => {
  it.effect("commits the claim, the effect's own statements and the settle together", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      const { write, written } = yield* effects(table)
      const answer = yield* store.transaction(
        Effect.gen(function* () {
          yield* claim(store, "k")
          yield* write("one")
          yield* settle(store, "k", "the result")
          return "answered"
        })
      )
      assert.strictEqual(answer, "answered")
      assert.deepStrictEqual(yield* written, ["one"])
      const found = yield* store.read("k")
      assert.strictEqual(found?._tag === "Existing" ? found.result : undefined, "the result")
    })
  )

  it.effect("leaves nothing when its effect fails, dies or is interrupted, and keeps its error", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      const { write, written } = yield* effects(table)
      const begun = Effect.andThen(Effect.andThen(claim(store, "k"), write("one")), settle(store, "k"))
      const exits = yield* Effect.all([
        Effect.exit(store.transaction(Effect.andThen(begun, Effect.fail(new Refused())))),
        Effect.exit(store.transaction(Effect.andThen(begun, Effect.die("a defect")))),
        Effect.exit(Effect.timeout(store.transaction(Effect.andThen(begun, Effect.never)), "200 millis"))
      ])
      assert.deepStrictEqual(exits[0], Exit.fail(new Refused()))
      assert.deepStrictEqual(exits[1], Exit.die("a defect"))
      assert.strictEqual(Exit.isFailure(exits[2]), true)
      assert.deepStrictEqual(yield* written, [])
      assert.strictEqual(yield* store.read("k"), undefined)
      assert.deepStrictEqual(yield* claim(store, "k"), { _tag: "Claimed" })
    })
  )

  it.effect("leaves nothing when its process is killed", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      const { written } = yield* effects(table)
      const process = yield* start(table, "transaction")
      assert.strictEqual(yield* reported(process), "written")
      const found = yield* claim(store, "held")
      assert.deepStrictEqual(found, held(found._tag === "Existing" ? found.createdAt : 0))
      yield* end(process.child)
      const freed = yield* claim(store, "held").pipe(
        Effect.repeat({ until: ({ _tag }) => _tag === "Claimed", schedule: pause }),
        Effect.timeout("20 seconds")
      )
      assert.deepStrictEqual(freed, { _tag: "Claimed" })
      assert.deepStrictEqual(yield* written, [])
    })
  )

  it.effect("is told to concurrent duplicates at once, in transactions and outside, and then its end", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const began = yield* opened(store, "k")
      const outside = yield* Effect.timeout(claim(store, "k", "b"), "5 seconds")
      const inside = yield* Effect.timeout(store.transaction(claim(store, "k", "c")), "5 seconds")
      const many = yield* Effect.timeout(
        Effect.all(
          Array.from({ length: 50 }, (_, index) => claim(store, "k", `d${index}`)),
          { concurrency: "unbounded" }
        ),
        "5 seconds"
      )
      for (const found of [outside, inside, ...many]) {
        assert.deepStrictEqual(found, held(found._tag === "Existing" ? found.createdAt : 0))
      }
      assert.strictEqual(yield* store.read("k"), undefined)
      yield* began.commit
      const found = yield* store.transaction(claim(store, "k", "e"))
      assert.strictEqual(found._tag === "Existing" ? `${found.state} ${found.owner}` : found._tag, "settled a")
    })
  )

  it.effect("frees the key for the next claim when it is rolled back", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const began = yield* opened(store, "k")
      assert.strictEqual((yield* claim(store, "k", "b"))._tag, "Existing")
      yield* began.rollback
      assert.deepStrictEqual(yield* claim(store, "k", "b"), { _tag: "Claimed" })
    })
  )

  it.effect("is told also where its claim is of a record past its retention", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const store = yield* open(table)
      yield* claim(store, "k", "before")
      yield* sql`UPDATE ${sql(table)} SET expires_at = now() - interval '1 s'`
      const began = yield* opened(store, "k")
      const found = yield* Effect.timeout(claim(store, "k", "b"), "5 seconds")
      assert.deepStrictEqual(found, held(found._tag === "Existing" ? found.createdAt : 0))
      yield* began.commit
      const after = yield* claim(store, "k", "b")
      assert.strictEqual(after._tag === "Existing" ? `${after.state} ${after.owner}` : after._tag, "settled a")
    })
  )

  it.effect("is one of many: of 30 that claim a key and settle it, one does", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      const { write, written } = yield* effects(table)
      const attempt = (owner: string) =>
        store.transaction(
          Effect.gen(function* () {
            const { _tag } = yield* claim(store, "k", owner)
            if (_tag !== "Claimed") return false
            yield* write(owner)
            return yield* store.settle({ key: "k", owner, result: owner, retention })
          })
        )
      const owners = Array.from({ length: 30 }, (_, index) => `owner ${index}`)
      const done = yield* Effect.forEach(owners, attempt, { concurrency: "unbounded" })
      const effective = yield* written
      assert.strictEqual(effective.length, 1)
      assert.strictEqual(done.filter((each) => each).length, 1)
      const found = yield* store.read("k")
      assert.strictEqual(found?._tag === "Existing" ? found.result : undefined, effective[0])
    })
  )

  it.effect("sees its own claim, and one in a transaction within", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const owner = yield* store.transaction(
        Effect.gen(function* () {
          yield* claim(store, "k")
          const found = yield* store.transaction(claim(store, "k", "b"))
          return found._tag === "Existing" ? found.owner : found._tag
        })
      )
      assert.strictEqual(owner, "a")
    })
  )

  it.effect("within another keeps or undoes its own part, and ends with the outer one", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      yield* store.transaction(
        Effect.gen(function* () {
          yield* claim(store, "outer")
          yield* store.transaction(claim(store, "kept"))
          yield* Effect.exit(store.transaction(Effect.andThen(claim(store, "undone"), Effect.fail(new Refused()))))
          yield* claim(store, "after")
        })
      )
      assert.strictEqual((yield* claim(store, "outer", "b"))._tag, "Existing")
      assert.strictEqual((yield* claim(store, "kept", "b"))._tag, "Existing")
      assert.strictEqual((yield* claim(store, "after", "b"))._tag, "Existing")
      assert.strictEqual((yield* claim(store, "undone", "b"))._tag, "Claimed")
      yield* Effect.exit(
        store.transaction(Effect.andThen(store.transaction(claim(store, "inner")), Effect.fail(new Refused())))
      )
      assert.strictEqual((yield* claim(store, "inner", "b"))._tag, "Claimed")
    })
  )

  it.effect("is its own also where the caller has one open", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const sql = yield* SqlClient.SqlClient
      const exit = yield* Effect.exit(
        sql.withTransaction(Effect.andThen(store.transaction(claim(store, "k")), Effect.fail(new Refused())))
      )
      assert.deepStrictEqual(exit, Exit.fail(new Refused()))
      assert.strictEqual((yield* store.read("k"))?._tag, "Existing")
    })
  )

  it.effect("is of one store: another one of the same client stays out of it", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const audit = yield* newStore
      yield* Effect.exit(
        store.transaction(
          Effect.andThen(Effect.andThen(claim(store, "k"), claim(audit, "k")), Effect.fail(new Refused()))
        )
      )
      assert.strictEqual(yield* store.read("k"), undefined)
      assert.strictEqual((yield* audit.read("k"))?._tag, "Existing")
    })
  )

  it.effect("runs READ COMMITTED whatever the caller's transactions begin with, and leaves those as they are", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const sql = yield* SqlClient.SqlClient
      const other = yield* connected()
      const isolation = (client: SqlClient.SqlClient) =>
        Effect.map(
          client<{ level: string }>`SELECT current_setting('transaction_isolation') AS level`,
          ([row]) => row.level
        )
      const levels = yield* store
        .transaction(Effect.all([isolation(sql), other.withTransaction(isolation(other))]))
        .pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN ISOLATION LEVEL SERIALIZABLE"))
      assert.deepStrictEqual(levels, ["read committed", "serializable"])
    })
  )

  it.effect("that can't be committed is a store error", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE ${sql(`${table}_parts`)} (whole integer)`
      yield* sql`ALTER TABLE ${sql(`${table}_parts`)} ADD UNIQUE (whole) DEFERRABLE INITIALLY DEFERRED`
      const twice = sql`INSERT INTO ${sql(`${table}_parts`)} VALUES (4711), (4711)`
      const error = yield* Effect.flip(store.transaction(Effect.andThen(claim(store, "k"), twice)))
      assert.instanceOf(error, StoreError)
      const reason = "PostgreSQL rolled the transaction back, since a constraint fails. See what it has written."
      assert.strictEqual(error.message, reason)
      assert.strictEqual(yield* store.read("k"), undefined)
    })
  )

  it.effect("that goes on after a statement has failed is a store error, and leaves nothing", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const sql = yield* SqlClient.SqlClient
      const claimed = Effect.andThen(claim(store, "k"), Effect.ignore(sql`SELECT 1 / 0`))
      const rolledBack =
        "PostgreSQL rolled the transaction back, since a statement in it had failed. Let that failure end the transaction."
      const atCommit = yield* Effect.flip(store.transaction(claimed))
      assert.strictEqual(atCommit.message, rolledBack)
      const atStep = yield* Effect.flip(store.transaction(Effect.andThen(claimed, settle(store, "k"))))
      assert.instanceOf(atStep, StoreError)
      assert.strictEqual(atStep.message, rolledBack)
      assert.strictEqual(yield* store.read("k"), undefined)
    })
  )

  it.effect("whose effect fails with an error of its own database returns that", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const sql = yield* SqlClient.SqlClient
      const error = yield* Effect.flip(store.transaction(Effect.andThen(claim(store, "k"), sql`SELECT 1 / 0`)))
      assert.strictEqual(SqlError.isSqlError(error), true)
    })
  )

  it.effect("whose connection is lost is a store error, unless the effect has failed by itself", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* connected({ maxConnections: 2 })
      const store = yield* openWith(sql, table)
      const admin = yield* SqlClient.SqlClient
      const cut = Effect.flatMap(sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`, ([{ pid }]) =>
        Effect.andThen(admin`SELECT pg_terminate_backend(${pid})`, Effect.sleep("100 millis"))
      )
      const lost =
        "PostgreSQL can't be reached, or has ended the connection. See whether it runs, what its log says, and how the client is configured."
      const begun = Effect.andThen(claim(store, "k"), cut)
      const atCommit = yield* Effect.flip(store.transaction(begun))
      assert.strictEqual(atCommit.message, lost)
      const atStep = yield* Effect.flip(store.transaction(Effect.andThen(begun, settle(store, "k"))))
      assert.instanceOf(atStep, StoreError)
      assert.strictEqual(atStep.message, lost)
      const own = yield* Effect.exit(store.transaction(Effect.andThen(begun, Effect.fail(new Refused()))))
      assert.deepStrictEqual(own, Exit.fail(new Refused()))
      assert.deepStrictEqual(yield* claim(store, "k"), { _tag: "Claimed" })
    })
  )
})

layer(TestSchema.layer, live)("the SQL store's steps", (it) => {
  it.effect("stay when the transaction that the caller has open is rolled back", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const sql = yield* SqlClient.SqlClient
      const exit = yield* Effect.exit(
        sql.withTransaction(
          Effect.gen(function* () {
            yield* claim(store, "claimed")
            yield* claim(store, "settled")
            yield* sql.withTransaction(settle(store, "settled"))
            return yield* new Refused()
          })
        )
      )
      assert.deepStrictEqual(exit, Exit.fail(new Refused()))
      const states = yield* Effect.forEach(["claimed", "settled"], (key) => store.read(key))
      assert.deepStrictEqual(
        states.map((found) => (found?._tag === "Existing" ? found.state : found)),
        ["claimed", "settled"]
      )
    })
  )

  it.effect("are seen by others while the caller's transaction is open", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const store = yield* open(table)
      const sql = yield* SqlClient.SqlClient
      const others = yield* connected()
      const seen = yield* sql.withTransaction(
        Effect.andThen(claim(store, "k"), others`SELECT state FROM ${others(table)}`)
      )
      assert.deepStrictEqual(seen, [{ state: "claimed" }])
    })
  )

  it.effect("go on after the transaction in which their fiber began", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      const over = yield* Deferred.make<void>()
      const late = yield* store.transaction(
        Effect.andThen(
          claim(store, "k"),
          Effect.forkDetach(Effect.andThen(Deferred.await(over), settle(store, "k", "late")))
        )
      )
      yield* Deferred.succeed(over, undefined)
      assert.strictEqual(yield* Fiber.join(late), true)
      const found = yield* store.read("k")
      assert.strictEqual(found?._tag === "Existing" ? found.result : undefined, "late")
    })
  )

  it.effect("wait for an open transaction that holds the record they change, and then know", () =>
    Effect.gen(function* () {
      const store = yield* newStore
      yield* claim(store, "k", "before")
      yield* store.markUnknown({ key: "k", owner: "before", lapsed: false, retention })
      const take = (owner: string) => store.takeOver({ key: "k", previousOwner: "before", owner, lease, retention })
      const taken = yield* Deferred.make<void>()
      const ending = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(
        store.transaction(
          Effect.gen(function* () {
            const epoch = yield* take("a")
            yield* Deferred.succeed(taken, undefined)
            yield* Deferred.await(ending)
            return epoch
          })
        )
      )
      yield* Deferred.await(taken)
      const second = yield* Effect.forkChild(take("b"))
      // What the first has not committed is not there for a claim.
      const found = yield* claim(store, "k", "c")
      assert.strictEqual(found._tag === "Existing" ? `${found.state} ${found.owner}` : found._tag, "unknown before")
      yield* Deferred.succeed(ending, undefined)
      assert.strictEqual((yield* Fiber.join(first))._tag, "Some")
      assert.strictEqual((yield* Fiber.join(second))._tag, "None")
    })
  )
})
