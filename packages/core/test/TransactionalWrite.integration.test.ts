import {
  AuditTrail,
  Connector,
  type ConnectorError,
  IdempotencyStore,
  Operation,
  Policy,
  Principal,
  Tool,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Schedule, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { SqlClient } from "effect/sql"
import * as SqlIdempotencyStore from "../src/SqlIdempotencyStore.ts"
import { client, connected, newName, newTable, TestSchema } from "./fixtures/postgres.ts"

const Text = Schema.String.check(Schema.isMaxLength(50)).annotate({ description: "A text." })
const ada = Principal.make({ id: "ada", roles: ["clerk"] })

const book = {
  title: "Book",
  description: "Books an entry in the database that also keeps the records.",
  input: Schema.Struct({ account: Text, amount: Schema.optionalKey(Text), occurrence: Tool.occurrence }),
  output: Schema.Struct({ id: Schema.Int.annotate({ description: "The entry's number." }) }),
  allow: Policy.role("clerk"),
  timeout: "2 seconds",
  retry: Schedule.recurs(2),
  idempotency: { identity: ["account"], occurrence: "occurrence", recovery: "transactional" }
} as const
const Book = Tool.write("book", book)
const Ledger = Connector.make("ledger", { version: "1.0.0", tools: [Book] })

const Entries = Schema.Array(Schema.Struct({ id: Schema.Int, account: Schema.String }))

/** The handlers' table and the records', in one database. */
const newBooks = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [entries, records] = [yield* newName, yield* newTable]
  yield* sql`CREATE TABLE ${sql.literal(entries)} (id serial PRIMARY KEY, account text NOT NULL)`
  const entered = Effect.map(sql`SELECT id, account FROM ${sql.literal(entries)}`, Schema.decodeUnknownSync(Entries))
  const recorded = Effect.map(sql`SELECT count(*)::int AS count FROM ${sql.literal(records)}`, ([row]) => row["count"])
  return { entries, records, entered, recorded }
})

type Books = Effect.Success<typeof newBooks>

const limiter = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

/** An instance of the connector with a pool of its own. `then` runs in the handler after it has written. */
const newInstance = Effect.fnUntraced(function* (
  { entries, records }: Books,
  then: Effect.Effect<unknown, ConnectorError, SqlClient.SqlClient | Operation> = Effect.void,
  connector: Connector.Connector<"ledger", typeof Book> = Ledger
) {
  const database = yield* Layer.build(client({ maxConnections: 8 }))
  const sql = Context.get(database, SqlClient.SqlClient)
  const handlers = connector.toLayer({
    book: ({ account }) =>
      Effect.gen(function* () {
        const [row] = yield* Effect.orDie(
          sql`INSERT INTO ${sql.literal(entries)} (account) VALUES (${account}) RETURNING id`
        )
        yield* then
        return { id: Number(row["id"]) }
      }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
  })
  const store = SqlIdempotencyStore.layer({ table: records }).pipe(Layer.provide(Layer.succeedContext(database)))
  const quiet = Layer.merge(AuditTrail.layerNone, Logger.layer([]))
  const services = yield* Layer.build(Layer.mergeAll(handlers, store, quiet, limiter))
  const made = yield* Effect.provide(TestClient.make(connector), services)
  return (account: string, args: object = {}, options: { readonly idempotencyKey?: string } = {}) =>
    Effect.provide(made.as(ada).call("book", { account, ...args }, options), services)
})

layer(TestSchema.layer, { excludeTestServices: true })("a transactional write", (it) => {
  it.effect("is one commit with its record, and a repeat is answered from it", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      const call = yield* newInstance(books)
      const first = yield* call("rent")
      const second = yield* call("rent")
      assert.deepStrictEqual(second.result, first.result)
      assert.isUndefined(first.replay)
      assert.isDefined(second.replay)
      assert.strictEqual((yield* books.entered).length, 1)
      const conflict = yield* Effect.flip(call("rent", { amount: "7" }))
      assert.strictEqual(conflict._tag, "ValidationError")
    })
  )

  const failures: Record<string, [Effect.Effect<unknown, ConnectorError>, string]> = {
    "is refused": [
      Effect.fail(new ValidationError({ issues: [{ path: "account", message: "is closed", expected: "" }] })),
      "ValidationError"
    ],
    "says that it may have written": [Effect.fail(new TransientError({ message: "No answer" })), "TransientError"],
    dies: [Effect.die(new Error("a secret")), "Internal"],
    "takes too long": [Effect.sleep("10 seconds"), "TransientError"]
  }
  for (const [what, [failure, tag]] of Object.entries(failures)) {
    it.effect(`that ${what} leaves neither an entry nor a record, and says so`, () =>
      Effect.gen(function* () {
        const books = yield* newBooks
        const failing = yield* newInstance(books, failure)
        const error = yield* Effect.flip(failing("rent"))
        assert.strictEqual(error._tag, tag)
        if (error._tag === "TransientError") assert.strictEqual(error.applied, "no")
        assert.deepStrictEqual(yield* books.entered, [])
        assert.strictEqual(yield* books.recorded, 0)
        const call = yield* newInstance(books)
        assert.isUndefined((yield* call("rent")).replay)
        assert.strictEqual((yield* books.entered).length, 1)
      })
    )
  }

  it.effect("is tried again in a transaction of its own, whatever the one before has broken", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      let attempts = 0
      const breaking = Effect.gen(function* () {
        attempts++
        if ((yield* Operation).attempt !== attempts) return yield* Effect.die("a wrong count")
        if (attempts === 3) return
        const sql = yield* SqlClient.SqlClient
        yield* Effect.ignore(sql`SELECT 1 / 0`)
        return yield* new TransientError({ message: "The statement failed" })
      })
      const call = yield* newInstance(books, breaking)
      assert.isUndefined((yield* call("rent")).replay)
      assert.strictEqual(attempts, 3)
      assert.strictEqual((yield* books.entered).length, 1)
    })
  )

  it.effect("that says it wrote nothing is tried again without what it had written all the same", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      let attempts = 0
      const unsure = Effect.suspend(() =>
        ++attempts === 1 ? Effect.fail(new TransientError({ message: "Busy", applied: "no" })) : Effect.void
      )
      const call = yield* newInstance(books, unsure)
      yield* call("rent")
      assert.strictEqual(attempts, 2)
      assert.strictEqual((yield* books.entered).length, 1)
    })
  )

  it.effect("whose connection is cut leaves nothing, and the same call then writes once", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      let cut = false
      const admin = yield* connected()
      const cutting = Effect.gen(function* () {
        if (cut) return
        cut = true
        const sql = yield* SqlClient.SqlClient
        const [row] = yield* Effect.orDie(sql`SELECT pg_backend_pid() AS pid`)
        yield* Effect.orDie(admin`SELECT pg_terminate_backend(${row["pid"]})`)
      })
      const call = yield* newInstance(books, cutting)
      const exit = yield* Effect.exit(call("rent"))
      // The cut shows at the settle, which is safe to repeat, so the call itself may already have done it again.
      if (Exit.isFailure(exit)) assert.isUndefined((yield* call("rent")).replay)
      assert.strictEqual((yield* books.entered).length, 1)
      assert.strictEqual(yield* books.recorded, 1)
      assert.isDefined((yield* call("rent")).replay)
    })
  )

  it.effect("is also the write of a key that came to another instance while it ran, then and ever after", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      const [begun, gate] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const slow = yield* newInstance(books, Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(gate)))
      const other = yield* newInstance(books)
      const running = yield* Effect.forkChild(slow("rent", {}, { idempotencyKey: "client-key-number-1" }))
      yield* Deferred.await(begun)
      const waiting = yield* Effect.forkChild(other("rent", {}, { idempotencyKey: "client-key-number-2" }))
      const sql = yield* SqlClient.SqlClient
      const adopted = sql`SELECT FROM ${sql.literal(books.records)} WHERE state = 'settled'`
      yield* Effect.repeat(adopted, { until: ({ length }) => length === 1 })
      yield* Deferred.succeed(gate, undefined)
      const { result } = yield* Fiber.join(running)
      assert.deepStrictEqual((yield* Fiber.join(waiting)).result, result)
      assert.deepStrictEqual((yield* other("rent", {}, { idempotencyKey: "client-key-number-2" })).result, result)
      const fresh = yield* Effect.flip(other("rent", {}, { idempotencyKey: "client-key-number-3" }))
      assert.strictEqual(fresh._tag, "ValidationError")
      assert.strictEqual((yield* books.entered).length, 1)
    })
  )

  it.effect("that 100 callers ask of two instances at once is done once, and all get its result", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      const instances = [
        yield* newInstance(books, Effect.sleep("100 millis")),
        yield* newInstance(books, Effect.sleep("100 millis"))
      ]
      const calls = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => instances[index % 2]("rent")),
        (call) => Effect.forkChild(call, { startImmediately: true })
      )
      const ends = yield* Effect.all(calls.map(Fiber.join))
      const [entry] = yield* books.entered
      assert.deepStrictEqual(new Set(ends.map(({ result }) => result.id)), new Set([entry.id]))
      assert.strictEqual(ends.filter(({ replay }) => replay === undefined).length, 1)
      assert.strictEqual((yield* books.entered).length, 1)
    })
  )

  it.effect("that its limit refuses leaves no record, is not tried again, and is done by the same call later", () =>
    Effect.gen(function* () {
      const books = yield* newBooks
      const limited = Tool.write("book", { ...book, rateLimit: { limit: 1, window: "500 millis" } })
      const call = yield* newInstance(
        books,
        Effect.void,
        Connector.make("ledger", { version: "1.0.0", tools: [limited] })
      )
      yield* call("rent")
      const error = yield* Effect.flip(call("food"))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.message, "book is limited to 1 call in 500ms for each caller")
      assert.strictEqual(error.applied, "no")
      assert.isDefined((yield* call("rent")).replay)
      assert.strictEqual(yield* books.recorded, 1)
      yield* Effect.sleep(error.retryAfter ?? 0)
      assert.strictEqual((yield* call("food")).replay, undefined)
    })
  )
})

describe("a store without transactions", () => {
  it.effect("is refused by a connector with a transactional write, before anything is served", () =>
    Effect.gen(function* () {
      const handlers = Ledger.toLayer({ book: () => Effect.succeed({ id: 1 }) })
      const error = yield* Effect.flip(
        Effect.provide(TestClient.make(Ledger), [handlers, IdempotencyStore.layerMemory, AuditTrail.layerNone])
      )
      assert.include(error.message, "book is transactional")
    }).pipe(Effect.scoped)
  )
})
