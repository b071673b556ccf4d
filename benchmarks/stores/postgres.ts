/**
 * PostgreSQL, in a schema of its own that is dropped in the end. Raw: the same client and pool, and a claim in the one
 * statement that either makes a record or returns it.
 */
import { PgClient } from "@effect/sql-pg"
import * as SqlIdempotencyStore from "@ferrule/core/SqlIdempotencyStore"
import { Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { openEffect } from "./Callers.ts"
import * as Ferrule from "./ferrule.ts"
import { guards, leaseMillis, newOwner, result, retentionMillis, wrong } from "./Sample.ts"
import type { Opened, Side } from "./Store.ts"

const url = process.env["FERRULE_TEST_POSTGRES"] ?? "postgres://ferrule:ferrule@127.0.0.1:5432/ferrule"

export const open = (side: Side): Promise<Opened> => {
  const schema = `ferrule_bench_${randomBytes(6).toString("hex")}`
  const client = PgClient.layer({ url: Redacted.make(url), maxConnections: 10 })
  const database = Layer.provideMerge(ownSchema(schema), client)
  if (side === "raw") return openEffect(database, raw(`${schema}.records`))
  const table = `${schema}.records`
  const store = SqlIdempotencyStore.layer({ table }).pipe(
    Layer.provide(SqlIdempotencyStore.layerMigrations({ table })),
    Layer.provide(database)
  )
  return Ferrule.open(store)
}

const ownSchema = (schema: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
        Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
      )
    })
  )

const raw = (table: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe(`
      CREATE TABLE ${table} (
        key bytea PRIMARY KEY, guards bytea NOT NULL, state smallint NOT NULL, owner bytea NOT NULL,
        epoch integer NOT NULL DEFAULT 1, lease_until timestamptz, result bytea, settled_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(), expires_at timestamptz NOT NULL
      ) WITH (fillfactor = 70)`)
    yield* sql.unsafe(`CREATE INDEX ON ${table} (expires_at)`)

    const claimStatement = `
      WITH made AS (
        INSERT INTO ${table} (key, guards, state, owner, lease_until, expires_at)
        VALUES ($1, $2, 0, $3, clock_timestamp() + ${interval(4)}, clock_timestamp() + ${interval(5)})
        ON CONFLICT (key) DO NOTHING RETURNING epoch)
      SELECT true AS mine, epoch, 0 AS state, NULL AS guards, NULL AS owner, false AS lapsed, NULL AS result FROM made
      UNION ALL
      SELECT false, epoch, state, guards, owner, state = 0 AND lease_until <= clock_timestamp(), result
      FROM ${table} WHERE key = $1 AND NOT EXISTS (SELECT FROM made)`
    const settleStatement = `
      UPDATE ${table} SET state = 1, result = $3, settled_at = clock_timestamp(), lease_until = NULL,
        expires_at = clock_timestamp() + ${interval(4)}
      WHERE key = $1 AND owner = $2 AND state IN (0, 2) RETURNING epoch`

    const claim = (key: string, owner: Uint8Array) =>
      sql.unsafe<{ readonly mine: boolean; readonly result: Uint8Array | null }>(claimStatement, [
        encode(key),
        guardBytes,
        owner,
        leaseMillis,
        retentionMillis
      ])
    return {
      first: (key: string) => {
        const owner = encode(newOwner())
        return Effect.flatMap(claim(key, owner), ([row]) =>
          row?.mine === true
            ? Effect.map(sql.unsafe(settleStatement, [encode(key), owner, resultBytes, retentionMillis]), (rows) => {
                if (rows.length !== 1) wrong("not settled")
              })
            : wrong("not claimed")
        )
      },
      replay: (key: string) =>
        Effect.map(claim(key, encode(newOwner())), ([row]) => {
          if (row === undefined || row.result === null || decode(row.result) !== result) wrong("not replayed")
        })
    }
  })

const interval = (parameter: number) => `$${parameter}::float8 * interval '1 millisecond'`

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encode = (text: string): Uint8Array => encoder.encode(text)
const decode = (bytes: Uint8Array): string => decoder.decode(bytes)
const guardBytes = encode(guards)
const resultBytes = encode(result)
