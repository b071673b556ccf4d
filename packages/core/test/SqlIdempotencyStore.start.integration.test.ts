import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Inspectable, Layer, Logger, Redacted, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, Statement } from "effect/sql"
import { StoreError } from "../src/IdempotencyStore.ts"
import * as SqlIdempotencyStore from "../src/SqlIdempotencyStore.ts"
import {
  claim,
  connected,
  newName,
  newTable,
  open,
  openWith,
  reported,
  settle,
  start,
  TestSchema
} from "./fixtures/postgres.ts"

const live = { excludeTestServices: true } as const

const migrate = (table: string) => Effect.scoped(Layer.build(SqlIdempotencyStore.layerMigrations({ table })))

const refusal = <A, R>(effect: Effect.Effect<A, StoreError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

layer(TestSchema.layer, live)("the SQL store's migrations", (it) => {
  it.effect("make the table once, however many processes run them at the same time", () =>
    Effect.gen(function* () {
      const table = yield* newName
      const sql = yield* SqlClient.SqlClient
      const processes = yield* Effect.all(Array.from({ length: 8 }, () => start(table, "migrate")))
      for (const process of processes) assert.strictEqual(yield* reported(process), "ready")
      for (const { child } of processes) child.stdin.write("go\n")
      const outcomes = yield* Effect.all(processes.map(reported), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        outcomes,
        Array.from({ length: 8 }, () => "open")
      )
      const done = yield* sql`SELECT migration_id, name FROM ${sql(`${table}_migrations`)}`
      assert.deepStrictEqual(done, [{ migration_id: 1, name: "create" }])
    })
  )

  it.effect("keep the records that are there when they run again", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      yield* claim(yield* open(table), "k")
      yield* migrate(table)
      assert.strictEqual((yield* claim(yield* open(table), "k", "b"))._tag, "Existing")
    })
  )

  it.effect("stay when the transaction that the caller has open is rolled back", () =>
    Effect.gen(function* () {
      const table = yield* newName
      const sql = yield* SqlClient.SqlClient
      yield* Effect.exit(sql.withTransaction(Effect.andThen(migrate(table), Effect.fail("no"))))
      assert.strictEqual((yield* claim(yield* open(table), "k"))._tag, "Claimed")
    })
  )

  it.effect("take capitals as they are, and a name without its schema from the search path", () =>
    Effect.gen(function* () {
      const schema = yield* TestSchema
      const sql = yield* connected({ startupParameters: { search_path: schema } })
      yield* Effect.provideService(migrate("Writes_Of_Ours"), SqlClient.SqlClient, sql)
      assert.strictEqual((yield* claim(yield* openWith(sql, "Writes_Of_Ours"), "k"))._tag, "Claimed")
      assert.strictEqual((yield* claim(yield* open(`${schema}.Writes_Of_Ours`), "k", "b"))._tag, "Existing")
    })
  )

  it.effect("refuse a table of the same name that is not the store's, and leave it alone", () =>
    Effect.gen(function* () {
      const table = yield* newName
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE ${sql(table)} AS SELECT 'theirs' AS what`
      const reason = `PostgreSQL has a table ${table} that is not the store's. Give another table.`
      assert.strictEqual(yield* refusal(migrate(table)), reason)
      assert.deepStrictEqual(yield* sql`SELECT what FROM ${sql(table)}`, [{ what: "theirs" }])
    })
  )

  it.effect("say that there is no such schema", () =>
    Effect.gen(function* () {
      const reason = "PostgreSQL has no schema for the table nowhere.writes. Create it, or give another table."
      assert.strictEqual(yield* refusal(migrate("nowhere.writes")), reason)
    })
  )

  it.effect("say that the user may not make a table", () =>
    Effect.gen(function* () {
      const schema = `${yield* TestSchema}_closed`
      const sql = yield* SqlClient.SqlClient
      yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
        Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
      )
      yield* sql`REVOKE ALL ON SCHEMA ${sql(schema)} FROM CURRENT_USER`
      assert.strictEqual(yield* refusal(migrate(`${schema}.writes`)), rights(`${schema}.writes`))
    })
  )
})

const rights = (table: string) =>
  `PostgreSQL does not let the client's user use the table ${table}. ` +
  `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table}, SELECT ON ${table}_migrations, and USAGE on their schema.`

layer(TestSchema.layer, live)("at start the SQL store", (it) => {
  it.effect("gets along with the rights to read and write its table", () =>
    Effect.gen(function* () {
      const schema = `${yield* TestSchema}_granted`
      const sql = yield* SqlClient.SqlClient
      yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
        Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
      )
      const table = `${schema}.writes`
      yield* migrate(table)
      yield* sql`REVOKE ALL ON SCHEMA ${sql(schema)} FROM CURRENT_USER`
      yield* sql`GRANT USAGE ON SCHEMA ${sql(schema)} TO CURRENT_USER`
      yield* sql`REVOKE ALL ON ${sql(table)}, ${sql(`${table}_migrations`)} FROM CURRENT_USER`
      yield* sql`GRANT SELECT ON ${sql(`${table}_migrations`)} TO CURRENT_USER`
      yield* sql`GRANT SELECT, INSERT, UPDATE, DELETE ON ${sql(table)} TO CURRENT_USER`
      const store = yield* open(table)
      assert.deepStrictEqual(yield* claim(store, "k"), { _tag: "Claimed" })
      assert.strictEqual(yield* settle(store, "k"), true)
      assert.strictEqual(yield* store.release({ key: "k", owner: "a" }), false)
      yield* sql`REVOKE DELETE ON ${sql(table)} FROM CURRENT_USER`
      assert.strictEqual(yield* refusal(Effect.scoped(open(table))), rights(table))
      yield* sql`REVOKE SELECT ON ${sql(`${table}_migrations`)} FROM CURRENT_USER`
      assert.strictEqual(yield* refusal(Effect.scoped(open(table))), rights(table))
    })
  )

  it.effect("refuses a table that is missing", () =>
    Effect.gen(function* () {
      const table = yield* newName
      const missing = `PostgreSQL has no table ${table}. Run SqlIdempotencyStore.layerMigrations for it, as the schema's owner.`
      assert.strictEqual(yield* refusal(Effect.scoped(open(table))), missing)
      yield* migrate(table)
      const sql = yield* SqlClient.SqlClient
      yield* sql`DROP TABLE ${sql(table)}`
      assert.strictEqual(yield* refusal(Effect.scoped(open(table))), missing)
    })
  )

  it.effect("refuses a table of an older version, and one of a newer", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const migrations = sql(`${table}_migrations`)
      yield* sql`UPDATE ${migrations} SET migration_id = 0`
      assert.strictEqual(
        yield* refusal(Effect.scoped(open(table))),
        `The table ${table} is of an older version (0, this one needs 1). ` +
          "Run SqlIdempotencyStore.layerMigrations for it, as the schema's owner."
      )
      yield* sql`UPDATE ${migrations} SET migration_id = 7`
      assert.strictEqual(
        yield* refusal(Effect.scoped(open(table))),
        `The table ${table} is of a newer version (7, this one knows 1). Run the newer version, or give another table.`
      )
      // An older instance that starts late leaves a newer table alone.
      yield* migrate(table)
    })
  )

  it.effect("refuses a connection that takes no writes, as a standby's", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* connected({ startupParameters: { default_transaction_read_only: "on" } })
      const reason =
        "PostgreSQL takes no writes from the client. " +
        "Connect to the primary, not to a standby, and with default_transaction_read_only off."
      assert.strictEqual(yield* refusal(Effect.scoped(openWith(sql, table))), reason)
    })
  )

  it.effect("refuses a connection whose transactions would not see what others commit", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* connected({ startupParameters: { default_transaction_isolation: "repeatable read" } })
      const reason =
        "The client's transactions are repeatable read. " +
        "Connect with default_transaction_isolation = 'read committed'."
      assert.strictEqual(yield* refusal(Effect.scoped(openWith(sql, table))), reason)
    })
  )

  it.effect("warns where commits do not wait for the disk", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
      yield* Effect.provide(open(table), logger)
      assert.deepStrictEqual(logged, [])
      const sql = yield* connected({ startupParameters: { synchronous_commit: "off" } })
      yield* Effect.provide(openWith(sql, table), logger)
      assert.deepStrictEqual(logged, [
        [
          "synchronous_commit is off: when PostgreSQL crashes, its last records are lost, and their writes may be repeated."
        ]
      ])
    })
  )

  it.effect("refuses names that are not identifiers, and does not repeat them", () =>
    Effect.gen(function* () {
      const reason =
        "The table's name is not an identifier. Give a name, or schema.name, each of up to 50 letters, digits and _."
      const names = [
        "",
        ".",
        "a.",
        ".a",
        "a.b.c",
        "1a",
        "a-b",
        'a"b',
        "a b",
        "a;b",
        "ä",
        "a\n",
        "x".repeat(51),
        "$user.t"
      ]
      for (const name of names) {
        assert.strictEqual(yield* refusal(Effect.scoped(open(name))), reason, name)
        assert.strictEqual(yield* refusal(migrate(name)), reason, name)
      }
    })
  )

  it.effect("refuses the client of another database", () =>
    Effect.gen(function* () {
      const never = () => Effect.never
      const sql = yield* SqlClient.make({
        acquirer: Effect.succeed({
          execute: never,
          executeRaw: never,
          executeStream: () => Stream.never,
          executeValues: never,
          executeValuesUnprepared: never,
          executeUnprepared: never
        }),
        compiler: Statement.makeCompilerSqlite(),
        driver: "sqlite-node",
        spanAttributes: []
      }).pipe(Effect.provide(Reactivity.layer))
      const reason = "The store needs PostgreSQL, and the client is for another database (sqlite-node)."
      assert.strictEqual(yield* refusal(Effect.scoped(openWith(sql, "writes"))), reason)
    })
  )

  it.effect("says that PostgreSQL is not there, by whatever name", () =>
    Effect.gen(function* () {
      const at = (host: string) =>
        Effect.scoped(
          Effect.flatMap(connected({ url: Redacted.make(`postgres://ferrule:ferrule@${host}/ferrule`) }), (sql) =>
            refusal(openWith(sql, "writes"))
          )
        )
      assert.strictEqual(
        yield* at("127.0.0.1:1"),
        "PostgreSQL refuses connections. Start it, or correct the client's host and port."
      )
      assert.strictEqual(
        yield* at("nowhere.invalid"),
        "PostgreSQL is on a host whose name is not known. Correct the client's host, or the name service."
      )
    })
  )
})

layer(TestSchema.layer, live)("when PostgreSQL fails the SQL store says so:", (it) => {
  /** What a claim says when PostgreSQL refuses it with a code of its own. */
  const raised = Effect.fnUntraced(function* (code: string) {
    const table = yield* newTable
    const sql = yield* SqlClient.SqlClient
    const store = yield* open(table)
    yield* sql.unsafe(`
      CREATE FUNCTION ${table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'cannot store %', convert_from(NEW.guards, 'UTF8') USING ERRCODE = '${code}'; END $$`)
    yield* sql.unsafe(`CREATE TRIGGER refuse BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_refuse()`)
    return yield* Effect.flip(claim(store, "k"))
  })

  const says = (what: string, code: string, reason: string) =>
    it.effect(what, () =>
      Effect.gen(function* () {
        const error = yield* raised(code)
        assert.instanceOf(error, StoreError)
        assert.strictEqual(error.reason, reason)
        assert.strictEqual(Inspectable.toStringUnknown(error).includes("guards"), false)
        assert.strictEqual(error.cause, undefined)
      })
    )

  says("its disk is full", "53100", "PostgreSQL has a full disk. Free some space; no record is lost.")
  says(
    "it has become a standby",
    "25006",
    "PostgreSQL takes no writes from the client. Connect to the primary, not to a standby, and with default_transaction_read_only off."
  )
  says(
    "it is going down",
    "57P01",
    "PostgreSQL can't be reached, or has ended the connection. See whether it runs, what its log says, and how the client is configured."
  )
  says(
    "it has no connection left",
    "53300",
    "PostgreSQL has no connection left. Raise max_connections, or make the clients' pools smaller."
  )
  says(
    "a page is damaged",
    "XX001",
    "PostgreSQL is damaged, or has met a fault of its own. See its log, and check its disk."
  )
  says("something else is wrong", "P0001", "PostgreSQL failed (P0001). Its log says why.")

  it.effect("the table is gone, or is no longer as it was", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const store = yield* open(table)
      yield* claim(store, "k")
      yield* sql`ALTER TABLE ${sql(table)} DROP COLUMN guards`
      assert.strictEqual(
        (yield* Effect.flip(claim(store, "k"))).reason,
        `PostgreSQL has a table ${table} that is not as its migrations made it. Restore it from a backup, or give another table.`
      )
      yield* sql`DROP TABLE ${sql(table)}`
      assert.strictEqual(
        (yield* Effect.flip(claim(store, "k"))).reason,
        `PostgreSQL has no table ${table}. Run SqlIdempotencyStore.layerMigrations for it, as the schema's owner.`
      )
    })
  )

  it.effect("a statement took too long", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const admin = yield* SqlClient.SqlClient
      const sql = yield* connected({ startupParameters: { statement_timeout: "200" } })
      const store = yield* openWith(sql, table)
      yield* claim(store, "k")
      const error = yield* admin.withTransaction(
        Effect.andThen(admin`SELECT 1 FROM ${admin(table)} FOR UPDATE`, Effect.flip(settle(store, "k")))
      )
      assert.strictEqual(
        error.reason,
        "PostgreSQL ran into a timeout of its own. See what it waits for in pg_stat_activity."
      )
    })
  )

  it.effect("the key is too long for its index", () =>
    Effect.gen(function* () {
      const store = yield* open(yield* newTable)
      // Of letters that do not compress.
      const key = Array.from({ length: 4000 }, (_, index) =>
        String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))
      ).join("")
      assert.strictEqual(
        (yield* Effect.flip(claim(store, key))).reason,
        "PostgreSQL cannot index so long a key. Keep keys below 2,600 bytes."
      )
    })
  )

  it.effect("the connection is lost, and the next call has another", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const admin = yield* SqlClient.SqlClient
      const sql = yield* connected({ applicationName: table })
      const store = yield* openWith(sql, table)
      yield* claim(store, "k")
      const lost = yield* admin.withTransaction(
        Effect.gen(function* () {
          yield* admin`SELECT 1 FROM ${admin(table)} FOR UPDATE`
          const settling = yield* Effect.forkChild(Effect.flip(settle(store, "k")))
          yield* Effect.sleep("200 millis")
          yield* admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ${table}`
          return yield* Fiber.join(settling)
        })
      )
      assert.strictEqual(
        lost.reason,
        "PostgreSQL can't be reached, or has ended the connection. See whether it runs, what its log says, and how the client is configured."
      )
      assert.strictEqual(yield* settle(store, "k"), true)
    })
  )
})
