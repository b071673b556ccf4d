/**
 * The system of record: tickets and their replies in one SQLite file. Each change is one transaction, and each failure is
 * already one of the three classes that a tool may fail with.
 */
import { type ConnectorError, Upstream, ValidationError } from "@ferrule/core"
import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import { DatabaseSync } from "node:sqlite"
import { Reply, Ticket, TicketSummary, type Queue } from "./Ticket.ts"

/** Says at start that the desk's file can't be used. */
export class DeskFileError extends Schema.TaggedError<DeskFileError>("service-desk/DeskFileError")("DeskFileError", {
  filename: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `The desk's file ${this.filename} can't be opened. Check that its folder exists and may be written to.`
  }
}

export class Desk extends Context.Service<
  Desk,
  {
    /** The newest tickets that contain the text, and how many there are. */
    readonly search: (query: {
      readonly text: string
      readonly queue?: Queue
      readonly limit: number
    }) => Effect.Effect<{ readonly tickets: ReadonlyArray<TicketSummary>; readonly total: number }, ConnectorError>

    readonly read: (ticketId: string) => Effect.Effect<Ticket, ConnectorError>

    /** Opens a ticket and remembers the operation that did. */
    readonly open: (ticket: {
      readonly operation: string
      readonly queue: Queue
      readonly subject: string
      readonly body: string
      readonly requester: string
    }) => Effect.Effect<Ticket, ConnectorError>

    /** The ticket that the operation has opened, if it has. */
    readonly openedBy: (operation: string) => Effect.Effect<Option.Option<Ticket>, ConnectorError>

    /** Keeps a reply under the id of its mail. A mail that is there already is kept once. */
    readonly keepReply: (reply: {
      readonly ticketId: string
      readonly mail: string
      readonly author: string
      readonly body: string
    }) => Effect.Effect<Ticket, ConnectorError>

    /** Changes the version that the caller has seen, and no other. Doing the same again changes nothing. */
    readonly reassign: (change: {
      readonly ticketId: string
      readonly version: number
      readonly queue: Queue
      readonly assignee: string
    }) => Effect.Effect<Ticket, ConnectorError>

    /** Removes what people wrote and keeps that it was removed. Doing it again returns when that was. */
    readonly remove: (removal: {
      readonly ticketId: string
      readonly by: string
      readonly reason: string
    }) => Effect.Effect<{ readonly ticketId: string; readonly deletedAt: string }, ConnectorError>
  }
>()("service-desk/Desk") {
  static readonly layer = (options: { readonly filename: string }): Layer.Layer<Desk, DeskFileError> =>
    Layer.effect(
      Desk,
      Effect.acquireRelease(
        Effect.try({
          try: () => open(options.filename),
          catch: (cause) => new DeskFileError({ filename: options.filename, cause })
        }),
        (db) => Effect.sync(() => db.close())
      ).pipe(Effect.map(make))
    )
}

const make = (db: DatabaseSync): Desk["Service"] => {
  const sql = prepare(db)

  const ticketOf = (row: unknown): Ticket | undefined => {
    if (row === undefined) return undefined
    const { number, ...ticket } = decodeTicket(row)
    return { ...ticket, replies: sql.replies.all(number).map((reply) => decodeReply(reply)) }
  }
  const find = (ticketId: string) => ticketOf(sql.read.get(numberOf(ticketId)))

  return Desk.of({
    search: ({ text, queue, limit }) =>
      attempt(() => {
        const pattern = `%${text.replace(/[\\%_]/g, "\\$&")}%`
        const rows = sql.search.all(pattern, queue ?? null, limit)
        const { total } = decodeCount(sql.count.get(pattern, queue ?? null))
        return { tickets: rows.map((row) => decodeSummary(row)), total }
      }),

    read: (ticketId) =>
      Effect.flatMap(
        attempt(() => find(ticketId)),
        existing
      ),

    openedBy: (operation) => attempt(() => Option.fromUndefinedOr(ticketOf(sql.openedBy.get(operation)))),

    open: ({ operation, queue, subject, body, requester }) =>
      Effect.flatMap(now, (openedAt) =>
        transaction(db, () => {
          const { lastInsertRowid } = sql.open.run(operation, queue, subject, body, requester, openedAt)
          return ticketOf(sql.read.get(lastInsertRowid))!
        })
      ),

    keepReply: ({ ticketId, mail, author, body }) =>
      Effect.flatMap(now, (sentAt) =>
        transaction(db, () => {
          sql.keepReply.run(numberOf(ticketId), mail, author, body, sentAt)
          return find(ticketId)
        })
      ).pipe(Effect.flatMap(existing)),

    reassign: ({ ticketId, version, queue, assignee }) =>
      transaction(db, () => {
        const { changes } = sql.reassign.run(numberOf(ticketId), version, queue, assignee)
        return { changed: changes === 1, ticket: find(ticketId) }
      }).pipe(
        Effect.flatMap(({ changed, ticket }) => Effect.map(existing(ticket), (ticket) => ({ changed, ticket }))),
        Effect.filterOrFail(
          ({ changed, ticket }) =>
            changed || (ticket.version === version + 1 && ticket.queue === queue && ticket.assignee === assignee),
          () => ValidationError.at("version", "is not the ticket's present one", "the version that read_ticket shows")
        ),
        Effect.map(({ ticket }) => ticket)
      ),

    remove: ({ ticketId, by, reason }) =>
      Effect.flatMap(now, (time) =>
        transaction(db, () => {
          const number = numberOf(ticketId)
          sql.remove.run(number, time, by, reason)
          sql.removeReplies.run(number)
          return sql.removed.get(number)
        })
      ).pipe(
        Effect.flatMap((row) => (row === undefined ? Effect.fail(noTicket()) : Effect.succeed(decodeRemoved(row)))),
        Effect.map(({ deletedAt }) => ({ ticketId, deletedAt }))
      )
  })
}

const noTicket = () => ValidationError.at("ticketId", "names no ticket", "the id of one that search_tickets finds")

const existing = (ticket: Ticket | undefined) =>
  ticket === undefined ? Effect.fail(noTicket()) : Effect.succeed(ticket)

const now = Effect.map(DateTime.now, DateTime.formatIso)

const numberOf = (ticketId: string) => Number(ticketId.slice(2))

const attempt = <A>(run: () => A): Effect.Effect<A, ConnectorError> =>
  Effect.try({ try: run, catch: sqlError }).pipe(Upstream.classify({ name: "The desk" }))

const transaction = <A>(db: DatabaseSync, run: () => A): Effect.Effect<A, ConnectorError> =>
  attempt(() => {
    db.exec("BEGIN IMMEDIATE")
    try {
      const value = run()
      db.exec("COMMIT")
      return value
    } finally {
      if (db.isTransaction) db.exec("ROLLBACK")
    }
  })

/** Node gives SQLite's result code as `errcode`, where Effect looks for `errno`. */
const sqlError = (cause: unknown): SqlError => {
  const errno = cause instanceof Error && "errcode" in cause ? cause.errcode : undefined
  return new SqlError({ reason: classifySqliteError({ errno, cause }, { message: String(cause) }) })
}

const decodeTicket = Schema.decodeUnknownSync(
  Schema.Struct({ ...Ticket.fields, replies: Schema.optionalKey(Schema.Never), number: Schema.Int })
)
const decodeSummary = Schema.decodeUnknownSync(TicketSummary)
const decodeReply = Schema.decodeUnknownSync(Reply)
const decodeCount = Schema.decodeUnknownSync(Schema.Struct({ total: Schema.Int }))
const decodeRemoved = Schema.decodeUnknownSync(Schema.Struct({ deletedAt: Schema.String }))

const open = (filename: string): DatabaseSync => {
  // A change that meets another process's lock waits a quarter of a second; what is still locked then is transient.
  const db = new DatabaseSync(filename, { timeout: 250 })
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS ticket (
      number INTEGER PRIMARY KEY AUTOINCREMENT,
      operation TEXT NOT NULL,
      queue TEXT NOT NULL,
      subject TEXT NOT NULL,
      body TEXT NOT NULL,
      status TEXT NOT NULL DEFAULT 'open',
      assignee TEXT,
      requester TEXT NOT NULL,
      version INTEGER NOT NULL DEFAULT 1,
      opened_at TEXT NOT NULL,
      deleted_at TEXT,
      deleted_by TEXT,
      delete_reason TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS ticket_operation ON ticket (operation);
    CREATE TABLE IF NOT EXISTS reply (
      mail TEXT NOT NULL PRIMARY KEY,
      ticket INTEGER NOT NULL REFERENCES ticket (number),
      author TEXT NOT NULL,
      body TEXT NOT NULL,
      sent_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS reply_ticket ON reply (ticket);
    INSERT INTO sqlite_sequence (name, seq)
      SELECT 'ticket', 1000 WHERE NOT EXISTS (SELECT * FROM sqlite_sequence WHERE name = 'ticket');
  `)
  return db
}

const summary = "'T-' || number AS id, queue, subject, status, assignee, requester, version"
const whole = `${summary}, number, body, opened_at AS openedAt`
const matches = `
  FROM ticket
  WHERE deleted_at IS NULL
    AND (subject LIKE ?1 ESCAPE '\\' OR body LIKE ?1 ESCAPE '\\' OR requester LIKE ?1 ESCAPE '\\')
    AND (?2 IS NULL OR queue = ?2)`

const prepare = (db: DatabaseSync) => ({
  search: db.prepare(`SELECT ${summary} ${matches} ORDER BY number DESC LIMIT ?3`),
  count: db.prepare(`SELECT count(*) AS total ${matches}`),
  read: db.prepare(`SELECT ${whole} FROM ticket WHERE number = ?1 AND deleted_at IS NULL`),
  openedBy: db.prepare(`
    SELECT ${whole} FROM ticket WHERE operation = ?1 AND deleted_at IS NULL ORDER BY number DESC LIMIT 1`),
  replies: db.prepare(`
    SELECT author, body, sentAt FROM (
      SELECT rowid, author, body, sent_at AS sentAt FROM reply WHERE ticket = ?1 ORDER BY rowid DESC LIMIT 50)
    ORDER BY rowid`),
  open: db.prepare(`
    INSERT INTO ticket (operation, queue, subject, body, requester, opened_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`),
  keepReply: db.prepare(`
    INSERT INTO reply (ticket, mail, author, body, sent_at)
    SELECT number, ?2, ?3, ?4, ?5 FROM ticket WHERE number = ?1 AND deleted_at IS NULL
    ON CONFLICT (mail) DO NOTHING`),
  reassign: db.prepare(`
    UPDATE ticket SET queue = ?3, assignee = ?4, version = version + 1
    WHERE number = ?1 AND version = ?2 AND deleted_at IS NULL`),
  remove: db.prepare(`
    UPDATE ticket
    SET subject = '', body = '', requester = '', assignee = NULL, status = 'closed',
      deleted_at = ?2, deleted_by = ?3, delete_reason = ?4
    WHERE number = ?1 AND deleted_at IS NULL`),
  removeReplies: db.prepare("DELETE FROM reply WHERE ticket = ?1"),
  removed: db.prepare("SELECT deleted_at AS deletedAt FROM ticket WHERE number = ?1")
})
