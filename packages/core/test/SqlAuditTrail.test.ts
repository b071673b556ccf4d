import { TransientError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as SqlAuditTrail from "../src/SqlAuditTrail.ts"
import { openShelf, record } from "./fixtures/audit.ts"
import * as SqliteClient from "./fixtures/sqliteClient.ts"

const newFile = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-audit-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  ),
  (folder) => join(folder, "audit.db")
)

const rowsOf = (file: string) => {
  const db = new DatabaseSync(file)
  const rows = db.prepare("SELECT * FROM ferrule_audit ORDER BY rowid").all()
  db.close()
  return rows.map((row) => ({ ...row }))
}

const over = (file: string, options: SqlAuditTrail.Options = {}) =>
  SqlAuditTrail.layer(options).pipe(
    Layer.provide(SqlAuditTrail.layerMigrations()),
    Layer.provide(SqliteClient.layer(file))
  )

describe("audit records in SQLite", () => {
  it.effect("are rows, and a write has one for its beginning", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      yield* TestClock.setTime(1_795_000_000_000)
      const { call } = yield* openShelf(over(file))
      yield* call("keep", "vase")
      yield* call("look", "vase")
      const [begun, ended, look] = rowsOf(file)
      assert.strictEqual(begun["outcome"], "Begun")
      assert.strictEqual(begun["correlation_id"], ended["correlation_id"])
      assert.deepStrictEqual(look, {
        time: "2026-11-18T11:06:40.000Z",
        correlation_id: look["correlation_id"],
        connector: "shelf",
        principal: "keeper-1",
        tenant: "acme",
        tool: "look",
        kind: "read",
        decision: "allowed",
        explanation: "has the role keeper",
        outcome: "Completed",
        reference: null,
        replayed: 0,
        found: 0,
        attempts: 1,
        duration_ms: 0
      })
    })
  )

  it.effect("are there once each, in their order, however often they are appended", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      const client = yield* Layer.build(SqliteClient.layer(file))
      yield* Effect.provide(Layer.build(SqlAuditTrail.layerMigrations()), client)
      yield* Effect.provide(Layer.build(SqlAuditTrail.layerMigrations()), client)
      const { append } = yield* Effect.provide(SqlAuditTrail.make(), client)
      yield* append([record(1), record(2)])
      yield* append([record(1), record(2), record(3, { principal: "a\0b\ud800" })])
      assert.deepStrictEqual(
        rowsOf(file).map((row) => [row["correlation_id"], row["principal"]]),
        [
          ["call-1", "clerk-1"],
          ["call-2", "clerk-1"],
          ["call-3", "a\ufffdb\ufffd"]
        ]
      )
    })
  )

  it.effect("are not lost while another process holds the file, and no write begins", () =>
    Effect.gen(function* () {
      const file = yield* newFile
      const { call, things } = yield* openShelf(over(file))
      yield* call("keep", "a")
      const other = new DatabaseSync(file)
      other.exec("BEGIN EXCLUSIVE")
      assert.instanceOf(yield* Effect.flip(call("keep", "b")), TransientError)
      assert.deepStrictEqual(things, ["a"])
      other.exec("ROLLBACK")
      other.close()
      yield* TestClock.adjust("1 second")
      yield* call("keep", "b")
      assert.deepStrictEqual(
        rowsOf(file).map(({ outcome }) => outcome),
        ["Begun", "Completed", "Begun", "Completed"]
      )
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("need their table, at start", () =>
    Effect.gen(function* () {
      const client = SqliteClient.layer(yield* newFile)
      const refused = (options: SqlAuditTrail.Options) =>
        Effect.map(
          Effect.flip(Layer.build(Layer.provide(SqlAuditTrail.layer(options), client))),
          ({ reason }) => reason
        )
      assert.strictEqual(
        yield* refused({}),
        "The audit table ferrule_audit takes no records. Run SqlAuditTrail.layerMigrations for it, and GRANT INSERT on it (UnknownError ERR_SQLITE_ERROR)."
      )
      assert.strictEqual(
        yield* refused({ table: "a; DROP TABLE b" }),
        "The table's name is not an identifier. Give a name, or schema.name, each of up to 50 letters, digits and _."
      )
    })
  )
})
