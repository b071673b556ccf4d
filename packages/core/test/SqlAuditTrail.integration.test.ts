import { AuditTrail, TransientError } from "@ferrule/core"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Logger, Schedule, Schema } from "effect"
import { SqlClient } from "effect/sql"
import * as SqlAuditTrail from "../src/SqlAuditTrail.ts"
import { openShelf, record } from "./fixtures/audit.ts"
import { client, newName, TestSchema } from "./fixtures/postgres.ts"

const newTable = Effect.tap(newName, (table) => Layer.build(SqlAuditTrail.layerMigrations({ table })))

const Rows = Schema.Array(
  Schema.Struct({
    correlation_id: Schema.String,
    outcome: Schema.String,
    time: Schema.String,
    replayed: Schema.Boolean
  })
)
const rowsOf = (table: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.flatMap(
      sql`SELECT correlation_id, outcome, time::text, replayed FROM ${sql.literal(table)} ORDER BY time, correlation_id, outcome`,
      Schema.decodeUnknownEffect(Rows)
    )
  )

/** An instance with a client of its own. */
const openInstance = (table: string, options: Pick<SqlAuditTrail.Options, "whenDown"> = {}) =>
  openShelf(SqlAuditTrail.layer({ table, ...options }).pipe(Layer.provide(client({ maxConnections: 2 }))))

layer(TestSchema.layer, { excludeTestServices: true })("audit records in PostgreSQL", (it) => {
  it.effect("of 100 calls at once on two instances are all there", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const instances = [yield* openInstance(table), yield* openInstance(table)]
      yield* Effect.forEach(
        Array.from({ length: 100 }, (_, index) => index),
        (index) => instances[index % 2].call("keep", `thing ${index}`),
        { concurrency: "unbounded" }
      )
      const rows = yield* rowsOf(table)
      assert.strictEqual(rows.filter(({ outcome }) => outcome === "Begun").length, 100)
      assert.strictEqual(rows.filter(({ outcome }) => outcome === "Completed").length, 100)
    })
  )

  it.effect("are there once each, as a user who may do nothing but add them has left them", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      yield* sql`REVOKE ALL ON ${sql.literal(table)} FROM CURRENT_USER`
      yield* sql`GRANT INSERT ON ${sql.literal(table)} TO CURRENT_USER`
      const { append } = yield* SqlAuditTrail.make({ table })
      const fields = { time: 1_795_000_000_123, replayed: true, principal: "a\0b\ud800" }
      yield* append([record(1, fields)])
      yield* append([record(1, fields), record(2, fields)])
      yield* sql`GRANT SELECT ON ${sql.literal(table)} TO CURRENT_USER`
      const rows = yield* rowsOf(table)
      assert.deepStrictEqual(
        rows.map(({ correlation_id, replayed }) => [correlation_id, replayed]),
        [
          ["call-1", true],
          ["call-2", true]
        ]
      )
      assert.match(rows[0].time, /40\.123/)
    })
  )

  it.effect("are not undone with the caller's transaction", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const context = yield* Layer.build(SqlAuditTrail.layer({ table }))
      const trail = Context.get(context, AuditTrail.AuditTrail)
      yield* Effect.exit(sql.withTransaction(Effect.andThen(trail.record(record(1)), Effect.fail("undo"))))
      assert.strictEqual((yield* rowsOf(table)).length, 1)
    })
  )

  it.effect("whose table is away lets no write begin, and all that had begun is there when it is back", () =>
    Effect.gen(function* () {
      const table = yield* newTable
      const sql = yield* SqlClient.SqlClient
      const { call, gate, things } = yield* openInstance(table)
      const [, name] = table.split(".")
      yield* gate.close
      const first = yield* Effect.forkChild(call("keep", "a"))
      yield* Effect.repeat(rowsOf(table), {
        until: (rows) => rows.length === 1,
        schedule: Schedule.spaced("10 millis")
      })
      yield* sql`ALTER TABLE ${sql.literal(table)} RENAME TO away`
      yield* gate.open
      yield* Effect.yieldNow
      assert.instanceOf(yield* Effect.flip(call("keep", "b")), TransientError)
      assert.deepStrictEqual(things, ["a"])
      yield* sql`ALTER TABLE ${sql.literal(table.replace(name, "away"))} RENAME TO ${sql(name)}`
      yield* Effect.retry(
        call("keep", "b"),
        Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))
      )
      yield* Fiber.join(first)
      const rows = yield* rowsOf(table)
      assert.deepStrictEqual(rows.map(({ outcome }) => outcome).sort(), ["Begun", "Begun", "Completed", "Completed"])
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
