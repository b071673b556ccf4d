/**
 * Keeps audit records in a table of PostgreSQL or SQLite, through Effect's `SqlClient`.
 *
 * For teams that ask their records questions, and for several instances that share one trail. `layerMigrations` makes the
 * table and belongs to the deployment. `layer` is for the server, whose user needs no more than `INSERT` on the table, so
 * that what is on record can't be changed from there. Nothing is deleted: how long records are kept is the deployment's to
 * say. A record that is appended twice, since the answer to the first time was lost, is there once.
 */
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import * as AuditSink from "./AuditSink.ts"
import { type AuditRecord, AuditTrailError } from "./AuditTrail.ts"

/**
 * - `table`: the table's name, with its schema and a dot before it where that is not the first of the search path;
 *   `ferrule_audit` unless given. Capitals count.
 * - `whenDown`: what happens while the database takes no records, `"refuse"` unless given.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly table?: string
  readonly whenDown?: AuditSink.WhenDown
}

/**
 * Keeps records in the table until the layer's scope closes. Fails when the database does not answer, or when the table is
 * missing, of another version, or may not be added to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, AuditTrailError, SqlClient.SqlClient> =>
  AuditSink.layer(make(options), { whenDown: options.whenDown ?? "refuse" })

/**
 * Makes the table, or brings it up to this version, and changes nothing where that was done before. It counts what it has
 * done in a second table, `<table>_migrations`. Its client's user must own the schema.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMigrations = (
  options: Pick<Options, "table"> = {}
): Layer.Layer<never, AuditTrailError, SqlClient.SqlClient> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { fault, isPostgres, name, quoted, sql } = yield* open(options)
      const time = isPostgres ? "timestamptz" : "text"
      const flag = isPostgres ? "boolean" : "integer"
      const index = `"${name.split(".").at(-1)}_time"`
      const create = Effect.andThen(
        sql.unsafe(`CREATE TABLE ${quoted} (
          time ${time} NOT NULL,
          correlation_id text NOT NULL,
          connector text NOT NULL,
          principal text NOT NULL,
          tenant text,
          tool text,
          kind text,
          decision text NOT NULL,
          explanation text,
          outcome text NOT NULL,
          reference text,
          replayed ${flag} NOT NULL,
          found ${flag} NOT NULL,
          attempts integer NOT NULL,
          duration_ms bigint NOT NULL,
          PRIMARY KEY (correlation_id, outcome)
        )`),
        Effect.asVoid(sql.unsafe(`CREATE INDEX ${index} ON ${quoted} (time)`))
      )
      const migrations = { loader: Migrator.fromRecord({ "1_create": create }), table: `${name}_migrations` }
      yield* Migrator.make({})(migrations).pipe(
        Effect.provideService(SqlClient.SqlClient, sql),
        Effect.mapError((error) => {
          const cause = isSqlError(error) ? error : error.cause
          return isSqlError(cause) ? fault("was not made", cause) : new AuditTrailError({ reason: error.message })
        })
      )
    })
  )

/**
 * Makes the sink, for a trail with more than one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (
  options?: Pick<Options, "table">
) => Effect.Effect<AuditSink.AuditSink, AuditTrailError, SqlClient.SqlClient> = Effect.fnUntraced(function* (
  options = {}
) {
  const { fault, isPostgres, quoted, sql } = yield* open(options)
  // Says whether the table is there and may be added to, and adds nothing.
  const columns = Object.keys(columnsOf)
  const nothing = columns.map(() => "NULL").join()
  yield* Effect.mapError(
    sql.unsafe(`EXPLAIN INSERT INTO ${quoted} (${columns.join()}) VALUES (${nothing}) ON CONFLICT DO NOTHING`),
    (error) => fault("takes no records. Run SqlAuditTrail.layerMigrations for it, and GRANT INSERT on it", error)
  )

  const rowOf = (record: AuditRecord) =>
    Object.fromEntries(
      Object.entries(columnsOf).map(([column, valueOf]) => {
        const value = valueOf(record)
        // SQLite has no booleans.
        return [column, typeof value === "boolean" && !isPostgres ? Number(value) : value]
      })
    )

  return {
    append: (records) =>
      Effect.mapError(
        sql`INSERT INTO ${sql.literal(quoted)} ${sql.insert(Arr.map(records, rowOf))} ON CONFLICT DO NOTHING`,
        (error) => fault("took no records", error)
      )
  }
})

const open = Effect.fnUntraced(function* ({ table = "ferrule_audit" }: Pick<Options, "table">) {
  const given = yield* SqlClient.SqlClient
  const dialect = given.onDialectOrElse({ pg: () => "pg", sqlite: () => "sqlite", orElse: () => undefined })
  if (dialect === undefined) {
    const reason = `The trail needs PostgreSQL or SQLite, and the client is for another database (${given.driver}).`
    return yield* new AuditTrailError({ reason })
  }
  const parts = table.split(".")
  if (parts.length > 2 || !parts.every((part) => /^[A-Za-z_][A-Za-z0-9_]{0,49}$/.test(part))) {
    const reason =
      "The table's name is not an identifier. Give a name, or schema.name, each of up to 50 letters, digits and _."
    return yield* new AuditTrailError({ reason })
  }
  // The database's own words stay out of it, since they may quote what was to be stored.
  const fault = (what: string, { reason }: SqlError) => {
    const code = Predicate.hasProperty(reason.cause, "code") ? ` ${String(reason.cause.code)}` : ""
    return new AuditTrailError({ reason: `The audit table ${table} ${what} (${reason._tag}${code}).` })
  }
  return {
    // Columns have the names that the statements give them, whatever the client does with names.
    sql: given.withoutTransforms(),
    isPostgres: dialect === "pg",
    name: table,
    quoted: parts.map((part) => `"${part}"`).join("."),
    fault
  }
})

const columnsOf: { readonly [column: string]: (record: AuditRecord) => string | number | boolean | null } = {
  time: ({ time }) => DateTime.formatIso(DateTime.makeUnsafe(time)),
  correlation_id: ({ correlationId }) => correlationId,
  connector: ({ connector }) => connector,
  principal: ({ principal }) => storable(principal),
  tenant: ({ tenant }) => storable(tenant),
  tool: ({ tool }) => storable(tool),
  kind: ({ kind }) => storable(kind),
  decision: ({ decision }) => decision,
  explanation: ({ explanation }) => storable(explanation),
  outcome: ({ outcome }) => outcome,
  reference: ({ reference }) => storable(reference),
  replayed: ({ replayed }) => replayed,
  found: ({ found }) => found,
  attempts: ({ attempts }) => attempts,
  duration_ms: ({ duration }) => Math.round(duration)
}

// PostgreSQL stores no NUL and no half of a surrogate pair. A record that can't be stored would hold up those after it.
const storable = (text: string | undefined): string | null =>
  text === undefined ? null : text.toWellFormed().replaceAll("\0", "\ufffd")
