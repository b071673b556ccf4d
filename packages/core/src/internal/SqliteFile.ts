/**
 * Opens a SQLite file that belongs to one store, and says what is wrong with one that it cannot use.
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { closeSync, existsSync, openSync, statSync } from "node:fs"
import { resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pathToFileURL } from "node:url"
import { StoreError } from "../IdempotencyStore.ts"

interface Format<A> {
  /** Marks the file as the store's, in its header. */
  readonly applicationId: number
  /** Of the schema, from 1. */
  readonly version: number
  readonly schema: string
  /** Compiles the store's statements, which fails when the tables are not what they were. */
  readonly prepare: (db: DatabaseSync) => A
}

/**
 * Opens the file for writing, and makes its tables when it is new or empty. Throws what `describe` explains; the file is
 * then as it was.
 */
export const open = <A>(
  filename: string,
  options: Format<A> & { readonly synchronous: "FULL" | "NORMAL" }
): { readonly db: DatabaseSync; readonly sql: A } => {
  if (filename === "" || filename === ":memory:") throw refusal(filename, "names no file", "Give a filename")
  const path = resolve(filename)
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats !== undefined && !stats.isFile()) throw refusal(filename, "is not a file", "Give another filename")
  const pending = existsSync(`${path}-wal`)
  if (stats === undefined) closeSync(openSync(path, "a", 0o600))
  else look(filename, options, path, pending)

  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    if (!pending) check(filename, db)
    const mode = decodeMode(db.prepare("PRAGMA journal_mode = WAL").get())
    if (mode.journal_mode !== "wal") throw refusal(filename, "is on a disk without shared memory", "Use a local disk")
    db.exec(`PRAGMA synchronous = ${options.synchronous}; BEGIN IMMEDIATE`)
    if (isEmpty(db)) db.exec(`${options.schema}; PRAGMA application_id = ${options.applicationId}`)
    else identify(filename, options, db)
    // Written each time, so that a full disk or one that takes no writes shows now and not at the first call.
    db.exec(`PRAGMA user_version = ${options.version}`)
    const sql = options.prepare(db)
    db.exec("COMMIT")
    return { db, sql }
  } catch (cause) {
    db.close()
    throw cause
  }
}

/** True when another connection holds the lock, and the same statement may succeed later. */
export const isBusy = (cause: unknown): boolean => {
  const code = sqliteCode(cause)
  return code === 5 || code === 6
}

/** Turns what Node or SQLite threw into an error that names the file and what to do. */
export const describe =
  (filename: string, lockTimeout: Duration.Duration) =>
  (cause: unknown): StoreError => {
    if (cause instanceof StoreError) return cause
    if (isBusy(cause)) {
      const what = `has been locked by another process for ${Duration.format(lockTimeout)}`
      return refusal(filename, what, "End that process, or what it does with the file (a shell, a backup)", cause)
    }
    const code = sqliteCode(cause) ?? (Predicate.hasProperty(cause, "code") ? cause.code : undefined)
    const fault = faults.find(({ codes }) => codes.includes(code))
    return fault === undefined
      ? refusal(
          filename,
          `cannot be used (${Predicate.isError(cause) ? cause.message : cause})`,
          "See the cause",
          cause
        )
      : refusal(filename, fault.what, fault.action, cause)
  }

// Extended SQLite codes carry the primary one in their low byte: https://www.sqlite.org/rescode.html
const sqliteCode = (cause: unknown): number | undefined =>
  Predicate.hasProperty(cause, "errcode") && Predicate.isNumber(cause.errcode) ? cause.errcode & 0xff : undefined

const restore =
  "Restore it from a backup, or move it away together with its -wal and -shm files; with a new file the store remembers " +
  "no earlier write"

const faults: ReadonlyArray<{
  readonly codes: ReadonlyArray<unknown>
  readonly what: string
  readonly action: string
}> = [
  {
    codes: ["ENOENT"],
    what: "is in a folder that does not exist",
    action: "Make the folder, or give another filename"
  },
  {
    codes: [8, "EROFS", "EACCES", "EPERM"],
    what: "cannot be written",
    action: "Let the server's user write the file and its folder, on a disk that takes writes, or give another filename"
  },
  {
    codes: [14],
    what: "cannot be opened",
    action: "Let the server's user read and write the file and its folder, or give another filename"
  },
  { codes: [13, "ENOSPC", "EDQUOT"], what: "is on a full disk", action: "Free some space; no record is lost" },
  { codes: [10], what: "is on a disk that failed to read or write", action: "Check the disk and its quota" },
  { codes: [11], what: "is damaged", action: restore },
  { codes: [1], what: "is damaged (its tables are not the store's)", action: restore },
  { codes: [26], what: "is not a SQLite database", action: "Give another filename; this file was not changed" }
]

const refusal = (filename: string, what: string, action: string, cause?: unknown): StoreError =>
  new StoreError({ reason: `${filename} ${what}. ${action}.`, ...(cause === undefined ? {} : { cause }) })

const decodeMode = Schema.decodeUnknownSync(Schema.Struct({ journal_mode: Schema.String }))

const decodeHeader = Schema.decodeUnknownSync(
  Schema.Struct({ application_id: Schema.Int, user_version: Schema.Int, tables: Schema.Int })
)

const header = (db: DatabaseSync) =>
  decodeHeader(
    db
      .prepare(
        `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) AS tables
        FROM pragma_application_id, pragma_user_version`
      )
      .get()
  )

const isEmpty = (db: DatabaseSync): boolean => {
  const { application_id, tables, user_version } = header(db)
  return application_id === 0 && user_version === 0 && tables === 0
}

const identify = (filename: string, { applicationId, version }: Format<unknown>, db: DatabaseSync): void => {
  const { application_id, user_version } = header(db)
  if (application_id !== applicationId) {
    const action = "The store keeps a file of its own: give another filename; this file was not changed"
    throw refusal(filename, "is the database of another program", action)
  }
  if (user_version > version) {
    const what = `was written by a newer version (format ${user_version}, this one reads up to ${version})`
    throw refusal(filename, what, "Run the newer version, or give another filename; this file was not changed")
  }
}

const check = (filename: string, db: DatabaseSync): void => {
  const { quick_check } = decodeCheck(db.prepare("PRAGMA quick_check(1)").get())
  if (quick_check !== "ok") throw refusal(filename, "is damaged", restore, quick_check)
}

const decodeCheck = Schema.decodeUnknownSync(Schema.Struct({ quick_check: Schema.String }))

// To open a file for writing is to change it: SQLite replays what was left pending when its last user was killed. So one
// that may not be ours is looked at through a connection that cannot write. Where nothing is pending it is opened as
// immutable, since even a reader would leave files beside it.
const look = (filename: string, format: Format<unknown>, path: string, pending: boolean): void => {
  const url = pathToFileURL(path)
  if (!pending) url.searchParams.set("immutable", "1")
  const db = new DatabaseSync(url, { readOnly: true, timeout: 0 })
  try {
    if (!isEmpty(db)) identify(filename, format, db)
    if (pending) check(filename, db)
  } finally {
    db.close()
  }
}
