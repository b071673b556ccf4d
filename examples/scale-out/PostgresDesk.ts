/**
 * The system of record in PostgreSQL, for instances on any number of machines: the same `Desk` that the service desk keeps
 * in a file, so that its tools and handlers work on it unchanged.
 *
 * Each change is one statement. An instance that dies or stands still in the middle of one holds no lock that others wait
 * for, and the statement, which the database has, ends by itself. The desk remembers for a day which operation opened a
 * ticket, and opens no second one for it: not even for an instance that woke up late, or for one that could not yet see
 * what another is writing.
 */
import { type ConnectorError, Upstream, ValidationError } from "@ferrule/core"
import { Effect, Layer, Option, Schema } from "effect"
import { SqlClient, type SqlError, type Statement } from "effect/sql"
import { Desk } from "../service-desk/Desk.ts"
import { Ticket, TicketSummary } from "../service-desk/Ticket.ts"

export const layer: Layer.Layer<Desk, never, SqlClient.SqlClient> = Layer.effect(
  Desk,
  Effect.map(SqlClient.SqlClient, (sql) => make(sql))
)

/** Makes the tables where they are not there yet. It belongs to the deployment, not to an instance. */
export const migrate: Effect.Effect<void, SqlError.SqlError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of tables) yield* sql.unsafe(statement)
})

const make = (sql: SqlClient.SqlClient): Desk["Service"] => {
  const ticket = sql.literal(whole)
  const short = sql.literal(summary)

  const read = (ticketId: string) =>
    first(Ticket, sql`SELECT ${ticket} FROM ticket WHERE number = ${numberOf(ticketId)} AND deleted_at IS NULL`)

  const openedBy = (operation: string) =>
    first(
      Ticket,
      sql`SELECT ${ticket} FROM ticket JOIN opening ON opening.ticket = number
        WHERE operation = ${operation} AND deleted_at IS NULL`
    )

  return Desk.of({
    search: ({ text, queue, limit }) => {
      const pattern = `%${text.replace(/[\\%_]/g, "\\$&")}%`
      const matches = sql`FROM ticket WHERE deleted_at IS NULL
        AND (subject ILIKE ${pattern} OR body ILIKE ${pattern} OR requester ILIKE ${pattern})
        AND (${queue ?? null}::text IS NULL OR queue = ${queue ?? null}::text)`
      return Effect.all({
        tickets: all(TicketSummary, sql`SELECT ${short} ${matches} ORDER BY number DESC LIMIT ${limit}`),
        total: Effect.map(all(Count, sql`SELECT count(*)::int AS count ${matches}`), ([{ count }]) => count)
      })
    },

    read: (ticketId) => Effect.flatMap(read(ticketId), existing),

    openedBy,

    open: ({ operation, queue, subject, body, requester }) =>
      first(
        Ticket,
        sql`WITH opened AS (
            INSERT INTO opening AS earlier (operation, ticket, at)
            VALUES (${operation}, nextval('ticket_number'), clock_timestamp())
            ON CONFLICT (operation) DO UPDATE SET ticket = excluded.ticket, at = excluded.at
              WHERE earlier.at < excluded.at - interval '24 hours'
            RETURNING ticket, at
          )
          INSERT INTO ticket (number, queue, subject, body, requester, opened_at)
          SELECT ticket, ${queue}, ${subject}, ${body}, ${requester}, at FROM opened
          RETURNING ${ticket}`
      ).pipe(
        Effect.flatMap((opened) => (Option.isSome(opened) ? Effect.succeed(opened) : openedBy(operation))),
        Effect.flatMap(existing)
      ),

    keepReply: ({ ticketId, mail, author, body }) =>
      Effect.andThen(
        done(sql`INSERT INTO reply (mail, ticket, author, body, sent_at)
          SELECT ${mail}, number, ${author}, ${body}, clock_timestamp() FROM ticket
          WHERE number = ${numberOf(ticketId)} AND deleted_at IS NULL
          ON CONFLICT (mail) DO NOTHING`),
        Effect.flatMap(read(ticketId), existing)
      ),

    reassign: ({ ticketId, version, queue, assignee }) =>
      Effect.flatMap(
        first(
          Ticket,
          sql`UPDATE ticket SET queue = ${queue}, assignee = ${assignee}, version = version + 1
            WHERE number = ${numberOf(ticketId)} AND version = ${version} AND deleted_at IS NULL
            RETURNING ${ticket}`
        ),
        Option.match({
          onSome: Effect.succeed,
          onNone: () =>
            Effect.flatMap(read(ticketId), existing).pipe(
              Effect.filterOrFail(
                (now) => now.version === version + 1 && now.queue === queue && now.assignee === assignee,
                () => ValidationError.at("version", "is not the ticket's present one", "the one that read_ticket shows")
              )
            )
        })
      ),

    remove: ({ ticketId, by, reason }) =>
      Effect.andThen(
        done(sql`WITH gone AS (
            UPDATE ticket
            SET subject = '', body = '', requester = '', assignee = NULL, status = 'closed',
              deleted_at = clock_timestamp(), deleted_by = ${by}, delete_reason = ${reason}
            WHERE number = ${numberOf(ticketId)} AND deleted_at IS NULL
            RETURNING number
          ), replies AS (DELETE FROM reply WHERE ticket IN (SELECT number FROM gone))
          DELETE FROM opening WHERE ticket IN (SELECT number FROM gone)`),
        first(
          Removed,
          sql`SELECT ${ticketId} AS "ticketId", ${sql.literal(utc("deleted_at"))} AS "deletedAt" FROM ticket
            WHERE number = ${numberOf(ticketId)} AND deleted_at IS NOT NULL`
        )
      ).pipe(Effect.flatMap(existing))
  })
}

type Query = Statement.Statement<object>

const done = (query: Query): Effect.Effect<void, ConnectorError> =>
  Upstream.classify({ name: "The desk" })(Effect.asVoid(query))

const all = <A>(row: Schema.Decoder<A>, query: Query): Effect.Effect<ReadonlyArray<A>, ConnectorError> =>
  Effect.flatMap(query, Schema.decodeUnknownEffect(Schema.Array(row))).pipe(Upstream.classify({ name: "The desk" }))

const first = <A>(row: Schema.Decoder<A>, query: Query): Effect.Effect<Option.Option<A>, ConnectorError> =>
  Effect.map(all(row, query), ([row]) => Option.fromUndefinedOr(row))

const existing = <A>(found: Option.Option<A>): Effect.Effect<A, ConnectorError> =>
  Option.isSome(found)
    ? Effect.succeed(found.value)
    : Effect.fail(ValidationError.at("ticketId", "names no ticket", "the id of one that search_tickets finds"))

const numberOf = (ticketId: string) => Number(ticketId.slice(2))

const Count = Schema.Struct({ count: Schema.Int })
const Removed = Schema.Struct({ ticketId: Schema.String, deletedAt: Schema.String })

const utc = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const summary = "'T-' || number AS id, queue, subject, status, assignee, requester, version"
const whole = `${summary}, body, ${utc("opened_at")} AS "openedAt", coalesce((
    SELECT json_agg(json_build_object('author', author, 'body', text, 'sentAt', ${utc("sent_at")}) ORDER BY position)
    FROM (SELECT position, author, reply.body AS text, sent_at FROM reply WHERE reply.ticket = number
      ORDER BY position DESC LIMIT 50) AS latest
  ), '[]') AS replies`

const tables = [
  // Drawn from each time the desk is asked to open a ticket, also when it then opens none.
  "CREATE SEQUENCE IF NOT EXISTS ticket_number AS integer START 1001",
  `CREATE TABLE IF NOT EXISTS ticket (
    number integer PRIMARY KEY,
    queue text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    status text NOT NULL DEFAULT 'open',
    assignee text,
    requester text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    opened_at timestamptz NOT NULL,
    deleted_at timestamptz,
    deleted_by text,
    delete_reason text
  )`,
  "CREATE TABLE IF NOT EXISTS opening (operation text PRIMARY KEY, ticket integer NOT NULL, at timestamptz NOT NULL)",
  "CREATE INDEX IF NOT EXISTS opening_ticket ON opening (ticket)",
  `CREATE TABLE IF NOT EXISTS reply (
    mail text PRIMARY KEY,
    ticket integer NOT NULL REFERENCES ticket (number),
    position bigint GENERATED ALWAYS AS IDENTITY,
    author text NOT NULL,
    body text NOT NULL,
    sent_at timestamptz NOT NULL
  )`,
  "CREATE INDEX IF NOT EXISTS reply_ticket ON reply (ticket)"
]
