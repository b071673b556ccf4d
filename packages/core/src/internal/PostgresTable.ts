/**
 * The table of a store in PostgreSQL: its name, its migrations, and what has to be so before it can be used.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError } from "effect/sql/SqlError"
import { StoreError } from "../IdempotencyStore.ts"
import * as PostgresFault from "./PostgresFault.ts"

/** `name` is as the user wrote it, `migrations` is the table that counts them, `quoted` and `index` are for statements. */
export interface Table {
  readonly name: string
  readonly migrations: string
  readonly quoted: string
  readonly index: string
  readonly fault: PostgresFault.Faults
}

/** Takes a name, or a schema and a name with a dot in between. One that is refused is not echoed. */
export const make = (name: string): Effect.Effect<Table, StoreError> => {
  const parts = name.split(".")
  if (parts.length > 2 || !parts.every((part) => identifier.test(part))) return refuse(notIdentifier)
  const migrations = `${name}_migrations`
  return Effect.succeed({
    name,
    migrations,
    quoted: parts.map((part) => `"${part}"`).join("."),
    index: `"${parts[parts.length - 1]}_expires_at"`,
    fault: PostgresFault.make(name, migrations)
  })
}

/** Runs the migrations that the table has not seen. Any number of processes may do so at once. */
export const migrate = (sql: SqlClient.SqlClient, { fault, index, migrations, quoted }: Table) =>
  Migrator.make({})({
    loader: Migrator.fromRecord({
      "1_create": Effect.andThen(
        sql.unsafe(`CREATE TABLE ${quoted} (
          key bytea PRIMARY KEY,
          format smallint NOT NULL,
          state text NOT NULL,
          owner bytea NOT NULL,
          epoch integer NOT NULL,
          guards bytea NOT NULL,
          lease_until timestamptz,
          created_at timestamptz NOT NULL,
          result bytea,
          settled_at timestamptz,
          expires_at timestamptz NOT NULL
        )`),
        Effect.asVoid(sql.unsafe(`CREATE INDEX ${index} ON ${quoted} (expires_at)`))
      )
    }),
    table: migrations
  }).pipe(
    Effect.provideService(SqlClient.SqlClient, sql),
    Effect.mapError((error) => {
      const cause = isSqlError(error) ? error : error.cause
      return isSqlError(cause) ? fault.from(cause) : new StoreError({ reason: error.message })
    })
  )

/** Fails, and says what to do, unless the table is there in the version that this module knows and takes writes. */
export const check = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { fault, migrations, name, quoted }: Table
): Effect.fn.Return<void, StoreError> {
  const rows = yield* Effect.mapError(
    sql`SELECT
      (SELECT coalesce(max(migration_id), 0) FROM ${sql(migrations)}) AS version,
      (SELECT bool_and(has_table_privilege(${quoted}, needed))
        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed) AS granted,
      current_setting('transaction_read_only') = 'on' AS readonly,
      current_setting('transaction_isolation') AS isolation,
      current_setting('synchronous_commit') AS commits`,
    fault.from
  )
  const [{ commits, granted, isolation, readonly, version }] = yield* Effect.orDie(decodeSession(rows))
  if (version < known) {
    const action = "Run SqlIdempotencyStore.layerMigrations for it, as the schema's owner"
    return yield* refuse(`The table ${name} is of an older version (${version}, this one needs ${known}). ${action}.`)
  }
  if (version > known) {
    const action = "Run the newer version, or give another table"
    return yield* refuse(`The table ${name} is of a newer version (${version}, this one knows ${known}). ${action}.`)
  }
  if (readonly) return yield* fault.of("25006")
  if (!granted) return yield* fault.of("42501")
  if (isolation !== "read committed") {
    return yield* refuse(
      `The client's transactions are ${isolation}. Connect with default_transaction_isolation = 'read committed'.`
    )
  }
  if (commits === "off") {
    yield* Effect.logWarning(
      "synchronous_commit is off: when PostgreSQL crashes, its last records are lost, and their writes may be repeated."
    )
  }
})

/** The number of the last migration. */
const known = 1

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,49}$/

const notIdentifier =
  "The table's name is not an identifier. Give a name, or schema.name, each of up to 50 letters, digits and _."

const refuse = (reason: string): Effect.Effect<never, StoreError> => Effect.fail(new StoreError({ reason }))

const decodeSession = Schema.decodeUnknownEffect(
  Schema.Tuple([
    Schema.Struct({
      version: Schema.Int,
      granted: Schema.Boolean,
      readonly: Schema.Boolean,
      isolation: Schema.String,
      commits: Schema.String
    })
  ])
)
