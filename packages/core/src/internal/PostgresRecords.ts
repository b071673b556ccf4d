/**
 * The statements on a table of records in PostgreSQL, and what their rows mean.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Claim, Existing, Unreadable } from "../IdempotencyStore.ts"
import type { Table } from "./PostgresTable.ts"

/** Texts are kept as bytes, since PostgreSQL's text can't hold U+0000 and depends on the database's encoding. */
export const encode = (text: string): Uint8Array => encoder.encode(text)

/** How many records `clean` deletes at most. */
export const cleanupBatch = 1000

/** PostgreSQL keeps a plan for each of these, since nothing but the parameters changes between two runs. */
export const statements = ({ quoted: table }: Table) => ({
  /** Takes key, owner, guards, lease, retention, as the next one. */
  claim: claim(table, "pg_try_advisory_xact_lock_shared"),
  claimInTransaction: claim(table, "pg_try_advisory_xact_lock"),

  /** Takes key. */
  read: `SELECT ${record} FROM ${table} WHERE key = $1 AND expires_at > ${now}`,

  /** Takes key, owner, result, retention. */
  settle: `
    UPDATE ${table} SET state = 'settled', result = coalesce(result, $3), settled_at = coalesce(settled_at, ${now}),
      lease_until = NULL, expires_at = CASE state WHEN 'settled' THEN expires_at ELSE ${now} + ${duration(4)} END
    WHERE key = $1 AND owner = $2 AND expires_at > ${now} AND ${readable}
    RETURNING epoch`,

  /** Takes key, owner. */
  release: `
    DELETE FROM ${table} WHERE key = $1 AND owner = $2 AND state = 'claimed' AND expires_at > ${now} AND ${readable}
    RETURNING epoch`,

  /** Takes key, owner, retention, as the next one. */
  markUnknown: markUnknown(table, ""),
  markLapsed: markUnknown(table, `AND lease_until <= ${now}`),

  /** Takes key, previous owner, owner, lease, retention. */
  takeOver: `
    UPDATE ${table} SET state = 'claimed', owner = $3, epoch = epoch + 1, lease_until = ${now} + ${duration(4)},
      expires_at = greatest(expires_at, ${now} + greatest(${duration(4)}, ${duration(5)}))
    WHERE key = $1 AND owner = $2 AND expires_at > ${now} AND ${readable}
      AND (state = 'unknown' OR state = 'claimed' AND lease_until <= ${now})
    RETURNING epoch`,

  // What another instance deletes, or a claim is taking over, is left to them.
  clean: `
    WITH removed AS (
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${table} WHERE expires_at <= ${now}
        ORDER BY expires_at LIMIT ${cleanupBatch} FOR UPDATE SKIP LOCKED))
      RETURNING epoch
    )
    SELECT count(*)::integer AS removed FROM removed`
})

/** What a claim's row says; the key and the guards are those of the claim. */
export const readClaim = (row: object, table: string, key: string, guards: string): Claim => {
  // Told apart before they are decoded, since a decoding that fails costs more than the rest of a replay.
  if (Predicate.hasProperty(row, "answer") && row.answer === "found") return readRecord(row, table, key)
  const { answer, createdAt } = decodeAnswer(row)
  return answer === "granted" ? { _tag: "Claimed" } : inOpenTransaction(guards, createdAt)
}

/** What the row of a record says. */
export const readRecord = (row: object, table: string, key: string): Existing | Unreadable =>
  Result.getOrElse(
    Result.flatMap(decodeRecord(row), (record) => Result.try(() => existing(record))),
    () => unreadable(row, table, key)
  )

/** The epoch that a step's row says. */
export const readEpoch = (row: object): number => decodeEpoch(row).epoch

/** How many records `clean` has deleted. */
export const readRemoved = (row: object): number => decodeRemoved(row).removed

/** Of a record, not of the table: what the same columns mean. */
const format = 1

// When the server got the statement: one time for all of it, and not that of the transaction, which may be long ago.
const now = "statement_timestamp()"
const duration = (parameter: number) => `$${parameter}::float8 * interval '1 millisecond'`
// Whole microseconds first, since a fraction of a second times a thousand may fall short of the millisecond.
const millis = (column: string) => `floor(round(date_part('epoch', ${column}) * 1000000) / 1000)`

// What nobody can read, no step changes. Whether bytes are a text is not for SQL to say.
const readable = `format = ${format} AND isfinite(created_at) AND CASE state
      WHEN 'claimed' THEN lease_until IS NOT NULL AND result IS NULL AND settled_at IS NULL
      WHEN 'unknown' THEN result IS NULL AND settled_at IS NULL
      WHEN 'settled' THEN result IS NOT NULL AND isfinite(settled_at)
    END`

const record = `
    'found' AS answer, format, state, owner, epoch, guards, state = 'claimed' AND lease_until <= ${now} AS lapsed,
    ${millis("created_at")} AS "createdAt", result, ${millis("settled_at")} AS "settledAt"`

// One statement, so that a claim is one round trip; a replay takes no lock and writes nothing. The advisory lock stands
// for a record that can't be seen yet: a claim in a transaction holds it until that ends, and where it is held this says
// so, and does not wait for the row. Claims outside of transactions share it, since each of them ends at once. No row at
// all means that another claim was granted after this statement's snapshot was taken: then it has to run again.
const claim = (table: string, lock: string) => `
  WITH found AS MATERIALIZED (
    SELECT * FROM ${table} WHERE key = $1 AND expires_at > ${now}
  ),
  free AS MATERIALIZED (
    SELECT ${lock}(hashtextextended(encode($1, 'hex'), '${table}'::regclass::oid::bigint)) AS free
    WHERE NOT EXISTS (SELECT FROM found)
  ),
  granted AS (
    INSERT INTO ${table} (key, format, state, owner, epoch, guards, lease_until, created_at, expires_at)
    SELECT $1, ${format}, 'claimed', $2, 1, $3,
      ${now} + ${duration(4)}, ${now}, ${now} + greatest(${duration(4)}, ${duration(5)})
    FROM free WHERE free
    ON CONFLICT (key) DO UPDATE SET
      format = excluded.format, state = excluded.state, owner = excluded.owner, epoch = excluded.epoch,
      guards = excluded.guards, lease_until = excluded.lease_until, created_at = excluded.created_at,
      result = NULL, settled_at = NULL, expires_at = excluded.expires_at
    WHERE ${table}.expires_at <= ${now}
    RETURNING epoch
  )
  SELECT ${record} FROM found
  UNION ALL
  SELECT CASE WHEN free THEN 'granted' ELSE 'open' END, NULL, NULL, NULL, NULL, NULL, NULL, ${millis(now)}, NULL, NULL
  FROM free WHERE NOT free OR EXISTS (SELECT FROM granted)`

const markUnknown = (table: string, condition: string) => `
  UPDATE ${table} SET state = 'unknown', lease_until = NULL, expires_at = ${now} + ${duration(3)}
  WHERE key = $1 AND owner = $2 AND state = 'claimed' AND expires_at > ${now} AND ${readable} ${condition}
  RETURNING epoch`

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const decodeAnswer = Schema.decodeUnknownSync(
  Schema.Struct({ answer: Schema.Literals(["granted", "open"]), createdAt: Schema.Int })
)

const Bytes = Schema.Uint8Array
const holder = {
  format: Schema.Literal(format),
  owner: Bytes,
  epoch: Schema.Int,
  guards: Bytes,
  createdAt: Schema.Int
}
const noResult = { result: Schema.Null, settledAt: Schema.Null }

const Record = Schema.Union([
  Schema.Struct({ state: Schema.Literal("claimed"), ...holder, lapsed: Schema.Boolean, ...noResult }),
  Schema.Struct({ state: Schema.Literal("unknown"), ...holder, lapsed: Schema.Literal(false), ...noResult }),
  Schema.Struct({
    state: Schema.Literal("settled"),
    ...holder,
    lapsed: Schema.Literal(false),
    result: Bytes,
    settledAt: Schema.Int
  })
])
const decodeRecord = Schema.decodeUnknownResult(Record)

const decodeEpoch = Schema.decodeUnknownSync(Schema.Struct({ epoch: Schema.Int }))
const decodeRemoved = Schema.decodeUnknownSync(Schema.Struct({ removed: Schema.Int }))

/** Throws where bytes are no text. */
const existing = (record: typeof Record.Type): Existing => ({
  _tag: "Existing",
  state: record.state,
  owner: decoder.decode(record.owner),
  epoch: record.epoch,
  guards: decoder.decode(record.guards),
  lapsed: record.lapsed,
  createdAt: record.createdAt,
  result: record.result === null ? undefined : decoder.decode(record.result),
  settledAt: record.settledAt ?? undefined
})

/** A claim in a transaction that is still open: nothing is known of it but that it is there. */
const inOpenTransaction = (guards: string, now: number): Existing => ({
  _tag: "Existing",
  state: "claimed",
  owner: "",
  epoch: 1,
  guards,
  lapsed: false,
  createdAt: now,
  result: undefined,
  settledAt: undefined
})

// Neither the row nor the decoder's words are in the text, since a result may hold secrets.
const unreadable = (row: object, table: string, key: string): Unreadable => {
  const hex = Array.from(encode(key), (byte) => byte.toString(16).padStart(2, "0")).join("")
  const where = `the record in ${table} WHERE key = '\\x${hex}'`
  const isNewer = Predicate.hasProperty(row, "format") && Predicate.isNumber(row.format) && row.format > format
  return {
    _tag: "Unreadable",
    reason: isNewer
      ? `A newer version has written ${where}. Nothing was executed. Run the newer version on this instance too.`
      : `What became of a write can't be read: ${where} is damaged. Nothing was executed. ` +
        "Repair it, or delete it once you know that repeating the write does no harm."
  }
}
