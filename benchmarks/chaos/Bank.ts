/**
 * The connector whose writes go to a table of the store's own database, in the transaction of their claim. No constraint
 * of the table would catch a second entry.
 */
import { Connector, Operation, Pipeline, Principal, Upstream } from "@ferrule/core"
import { Effect, Schema } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Request } from "./ledger-server.ts"
import { type Booking, FindEntry, operationOf, writes } from "./Tools.ts"

const Bank = Connector.make("bank", { version: "1.0.0", tools: [FindEntry, writes.transactional] })

const bank = Upstream.classify({ name: "The bank" })

const Row = Schema.Struct({
  operation: Schema.String,
  entry: Schema.Int,
  amount: Schema.Int,
  attempt: Schema.String,
  at: Schema.Number
})
const decodeRows = Schema.decodeUnknownSync(Schema.Array(Row))
const decodeCount = Schema.decodeUnknownSync(Schema.NonEmptyArray(Schema.Struct({ entries: Schema.Int })))

const handlers = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return Bank.of({
    find_entry: ({ account }) =>
      Effect.map(
        bank(sql`SELECT count(*)::int AS entries FROM chaos_entries WHERE account = ${account}`),
        (rows) => decodeCount(rows)[0]
      ),
    book_within: Effect.fnUntraced(function* ({ account, amount }: Booking) {
      const { tool, correlationId, attempt } = yield* Operation
      const { tenant } = yield* Principal
      const operation = operationOf(tenant, tool, account)
      const rows = yield* bank(sql`
        INSERT INTO chaos_entries (operation, account, amount, attempt)
        VALUES (${operation}, ${account}, ${amount}, ${`${correlationId}#${attempt}`})
        RETURNING operation, entry, amount, attempt, extract(epoch FROM at)::float8 * 1000 AS at`)
      const [{ entry }] = decodeRows(rows) as [typeof Row.Type]
      // The transaction stays open for a while, so that it is often cut off.
      yield* Effect.sleep("15 millis")
      return { account, amount, entry }
    })
  })
})

/** The connector's pipeline, over the database of its store. */
export const pipeline = Effect.provide(Pipeline.make(Bank), Bank.toLayer(handlers))

/** Makes the table of entries. */
export const prepare: Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    CREATE TABLE chaos_entries (
      entry int GENERATED ALWAYS AS IDENTITY,
      operation text NOT NULL,
      account text NOT NULL,
      amount int NOT NULL,
      attempt text NOT NULL,
      at timestamptz NOT NULL DEFAULT clock_timestamp()
    )`
})

/** The entries since the last report, as requests that were carried out and answered. */
export const report: Effect.Effect<ReadonlyArray<Request>, SqlError.SqlError, SqlClient.SqlClient> = Effect.gen(
  function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql`
      DELETE FROM chaos_entries
      RETURNING operation, entry, amount, attempt, extract(epoch FROM at)::float8 * 1000 AS at`
    return decodeRows(rows).map((row) => ({
      ...row,
      path: "table",
      fate: undefined,
      applied: true,
      answeredAt: row.at
    }))
  }
)
