/**
 * Keeps the records of writes in a table of PostgreSQL, through Effect's `SqlClient`.
 *
 * For connectors of which several instances run, on one machine or many: all that are given the same table see the same
 * records, by the clock of the database. It needs the primary of a PostgreSQL 12 or newer, and READ COMMITTED, which is the
 * default. `layerMigrations` makes the table and belongs to the deployment; `layer` is for the server, whose user needs no
 * more than to read and write that table. Each step is one statement of its own, apart from any transaction that the caller
 * has open, so the client's pool needs a connection more than the transactions that are open at once; `transaction` is the
 * way to have claim, write and settle in one.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as PostgresRecords from "./internal/PostgresRecords.ts"
import * as PostgresTable from "./internal/PostgresTable.ts"
import * as SqlTransactions from "./internal/SqlTransactions.ts"
import { type Claim, IdempotencyStore, StoreError } from "./IdempotencyStore.ts"

/**
 * - `table`: the table's name, with its schema and a dot before it where that is not the first of the search path;
 *   `ferrule_idempotency` unless given. Capitals count.
 * - `cleanupInterval`: how often records past their retention are deleted, 1 minute unless given.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly table?: string
  readonly cleanupInterval?: Duration.Input
}

/**
 * Keeps records in the table, and deletes those past their retention until the layer's scope closes.
 *
 * Fails when PostgreSQL does not answer, or when the table is missing, of another version, or cannot be written. The error
 * says what to do.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<IdempotencyStore, StoreError, SqlClient.SqlClient> =>
  Layer.effect(IdempotencyStore, make(options))

/**
 * Makes the table, or brings it up to this version, and changes nothing where that was done before. Any number of instances
 * may run it at the same time, the older ones too. It counts what it has done in a second table, `<table>_migrations`.
 *
 * Its client's user must own the schema. The server's user then needs `SELECT, INSERT, UPDATE, DELETE` on the table and
 * `SELECT` on the second one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMigrations = (
  options: Pick<Options, "table"> = {}
): Layer.Layer<never, StoreError, SqlClient.SqlClient> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { sql, table, transactions } = yield* open(options)
      yield* transactions.apart(PostgresTable.migrate(sql, table))
    })
  )

/**
 * @category constructors
 * @since 0.1.0
 */
export const make: (
  options?: Options
) => Effect.Effect<IdempotencyStore["Service"], StoreError, Scope.Scope | SqlClient.SqlClient> = Effect.fnUntraced(
  function* (options = {}) {
    const { sql, table, transactions } = yield* open(options)
    const statements = PostgresRecords.statements(table)

    /** Runs one statement; the texts come first among its parameters, then the durations. */
    const run = (
      statement: string,
      texts: ReadonlyArray<string>,
      durations: ReadonlyArray<Duration.Duration> = []
    ): Effect.Effect<ReadonlyArray<object>, StoreError> =>
      Effect.suspend(() => {
        // Two texts that are not well-formed could be the same bytes.
        if (!texts.every((text) => text.isWellFormed())) return Effect.fail(illFormed)
        const parameters = [...texts.map(PostgresRecords.encode), ...durations.map(milliseconds)]
        return transactions.apart(Effect.mapError(sql.unsafe(statement, parameters), table.fault.from))
      })

    yield* transactions.apart(PostgresTable.check(sql, table))

    yield* Effect.map(run(statements.clean, []), ([row]) => PostgresRecords.readRemoved(row)).pipe(
      Effect.repeat({ while: (removed) => removed === PostgresRecords.cleanupBatch }),
      Effect.catch((error) => Effect.logWarning("Records past their retention could not be deleted.", error)),
      Effect.repeat(Schedule.spaced(options.cleanupInterval ?? "1 minute")),
      Effect.forkScoped
    )

    return IdempotencyStore.of({
      scope: "shared",

      transaction: (effect) => transactions.run(effect, table.fault.from),

      claim: ({ guards, key, lease, owner, retention }) =>
        Effect.withFiber((fiber) => {
          const statement = transactions.isOpen(fiber) ? statements.claimInTransaction : statements.claim
          const attempt = (left: number): Effect.Effect<Claim, StoreError> =>
            Effect.flatMap(run(statement, [key, owner, guards], [lease, retention]), ([row]) => {
              if (row !== undefined) return Effect.succeed(PostgresRecords.readClaim(row, table.name, key, guards))
              return left > 1 ? attempt(left - 1) : Effect.fail(restless)
            })
          return attempt(claimAttempts)
        }),

      read: (key) =>
        Effect.map(run(statements.read, [key]), ([row]) =>
          row === undefined ? undefined : PostgresRecords.readRecord(row, table.name, key)
        ),

      settle: ({ key, owner, result, retention }) =>
        Effect.map(run(statements.settle, [key, owner, result], [retention]), isDone),

      release: ({ key, owner }) => Effect.map(run(statements.release, [key, owner]), isDone),

      markUnknown: ({ key, lapsed, owner, retention }) =>
        Effect.map(run(lapsed ? statements.markLapsed : statements.markUnknown, [key, owner], [retention]), isDone),

      takeOver: ({ key, lease, owner, previousOwner, retention }) =>
        Effect.map(run(statements.takeOver, [key, previousOwner, owner], [lease, retention]), ([row]) =>
          row === undefined ? Option.none() : Option.some(PostgresRecords.readEpoch(row))
        )
    })
  }
)

const open = Effect.fnUntraced(function* (options: Pick<Options, "table">) {
  const given = yield* SqlClient.SqlClient
  const isPostgres = given.onDialectOrElse({ pg: () => true, orElse: () => false })
  if (!isPostgres) {
    const reason = `The store needs PostgreSQL, and the client is for another database (${given.driver}).`
    return yield* new StoreError({ reason })
  }
  // Columns come back under the names that the statements give them, whatever the client does with names.
  const sql = given.withoutTransforms()
  const table = yield* PostgresTable.make(options.table ?? "ferrule_idempotency")
  return { sql, table, transactions: SqlTransactions.make(sql) }
})

const isDone = (rows: ReadonlyArray<object>): boolean => rows.length > 0

// PostgreSQL's times end in the year 294276, so what lasts longer than a thousand years lasts a thousand.
const milliseconds = (duration: Duration.Duration): string =>
  String(Math.min(Duration.toMillis(duration), 31_557_600_000_000))

const claimAttempts = 10

const restless = new StoreError({
  reason: `The record came and went ${claimAttempts} times while it was claimed. The same call again may succeed.`
})

const illFormed = new StoreError({ reason: "A key, an owner, guards or a result is not well-formed Unicode." })
