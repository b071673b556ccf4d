/**
 * Keeps the records of writes in one SQLite file, through Node's own `node:sqlite` (Node 22.19 or newer).
 *
 * The embedded default: it needs no server, survives `kill -9` and power loss, and several processes on one machine may share
 * the file. Use a local disk; on a network file system SQLite's locks do not hold. The file is the store's own: one that
 * another program made is refused, so that neither can harm the other. It is created for its owner's eyes only (mode 600),
 * since results are in it. `layer` opens it, or says at start what is wrong with it.
 *
 * Retention goes by the time of day. On Linux a lease goes by the monotonic clock that the processes of a machine share, so
 * that setting the time ahead ends no lease of a holder that still runs, and setting it back keeps none alive. Elsewhere, and
 * after the machine was started anew, it goes by the time of day too: a step ahead could make a write with the recovery
 * `"reconcile"` twice, so keep the machine's time by small steps there. Set ahead by more than a write's retention, any system
 * forgets it.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { bootId } from "./internal/bootId.ts"
import * as SqliteCommits from "./internal/SqliteCommits.ts"
import * as SqliteFile from "./internal/SqliteFile.ts"
import { type Claim, type Existing, IdempotencyStore, StoreError, type Unreadable } from "./IdempotencyStore.ts"

/**
 * - `filename`: the file, made when absent; its folder must exist.
 * - `durability`: what a record survives once a step has returned. `"power-loss"` (default) waits for the disk at each
 *   commit. `"process"` does not: it survives the end of the process, but after power loss or a crash of the system the
 *   last writes may run again.
 * - `lockTimeout`: how long a step waits while another process holds the file's lock, 5 seconds unless given.
 * - `cleanupInterval`: how often records past their retention are deleted, 1 minute unless given.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly filename: string
  readonly durability?: "power-loss" | "process"
  readonly lockTimeout?: Duration.Input
  readonly cleanupInterval?: Duration.Input
}

/**
 * Opens the file and keeps records in it, by Effect's `Clock`, until the layer's scope closes. Steps that arrive in the
 * same turn of the event loop share one commit, and none is answered before it.
 *
 * Fails when the file or its folder cannot be opened or written, is damaged, belongs to another program, or was written by
 * a newer version. The error names the file and says what to do, and the file is as it was.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<IdempotencyStore, StoreError> =>
  Layer.effect(IdempotencyStore, make(options))

/**
 * @category constructors
 * @since 0.1.0
 */
export const make: (options: Options) => Effect.Effect<IdempotencyStore["Service"], StoreError, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const clock = yield* Clock.Clock
    const lockTimeout = Duration.fromInputUnsafe(options.lockTimeout ?? "5 seconds")
    const describe = SqliteFile.describe(options.filename, lockTimeout)
    // Other processes hold the lock in real time, so waiting for it never follows a test's clock.
    const untilTimeout = Schedule.spaced("2 millis").pipe(Schedule.upTo({ duration: lockTimeout }))
    const waitForLock = <A>(attempt: () => A): Effect.Effect<A, StoreError> => {
      const once = Effect.try({ try: attempt, catch: describe })
      const isBusy = (error: StoreError) => SqliteFile.isBusy(error.cause)
      const retried = Effect.retry(once, { while: isBusy, schedule: untilTimeout })
      const inRealTime = Effect.provideService(retried, Clock.Clock, Clock.Clock.defaultValue())
      // Nearly always the lock is free, and then nothing of the retrying is set up.
      return Effect.catch(once, (error) => (isBusy(error) ? inRealTime : Effect.fail(error)))
    }

    const now = (): number => Math.floor(clock.currentTimeMillisUnsafe())
    const boot = bootId()
    /** Milliseconds since the machine's start, or always 0 where that has no name. */
    const ticks = (): number => (boot === "" ? 0 : Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n))
    const ticksAfter = (lease: Duration.Duration): number => (boot === "" ? 0 : after(ticks(), lease))
    const { db, sql } = yield* Effect.acquireRelease(
      waitForLock(() => {
        const synchronous = options.durability === "process" ? "NORMAL" : "FULL"
        return SqliteFile.open(options.filename, {
          applicationId,
          version: 1,
          synchronous,
          schema,
          prepare: prepareFor(boot, ticks)
        })
      }),
      ({ db }) => Effect.sync(() => db.close())
    )

    const find = (key: string, time: number): Existing | Unreadable | undefined => {
      const row = sql.find.get(key, time)
      return row === undefined ? undefined : (decodeRow(row) ?? unreadable(options.filename, key))
    }

    const closed = new StoreError({ reason: `${options.filename} has been closed.` })
    const write = yield* SqliteCommits.make({ db, sql, describe, waitForLock, closed })

    yield* write(() => sql.clean.run(now(), cleanupBatch).changes).pipe(
      Effect.repeat({ while: (removed) => removed === cleanupBatch }),
      Effect.catch((error) => Effect.logWarning("Records past their retention could not be deleted.", error)),
      Effect.repeat(Schedule.spaced(options.cleanupInterval ?? "1 minute")),
      Effect.forkScoped
    )

    return IdempotencyStore.of({
      scope: "shared",

      claim: ({ guards, key, lease, owner, retention }) =>
        Effect.suspend((): Effect.Effect<Claim, StoreError> => {
          try {
            // A replay only reads: it takes no lock and makes no commit.
            const existing = find(key, now())
            if (existing !== undefined) return Effect.succeed(existing)
          } catch (cause) {
            if (!SqliteFile.isBusy(cause)) return Effect.fail(describe(cause))
          }
          return write(() => {
            for (;;) {
              const time = now()
              const leaseUntil = after(time, lease)
              const expiresAt = Math.max(leaseUntil, after(time, retention))
              const { changes } = sql.claim.run(key, time, owner, guards, leaseUntil, expiresAt, ticksAfter(lease))
              const found = changes === 1 ? claimed : find(key, time)
              // Outside a transaction, another process may have released the record in between.
              if (found !== undefined) return found
            }
          })
        }),

      read: (key) =>
        Effect.suspend(() => {
          try {
            return Effect.succeed(find(key, now()))
          } catch (cause) {
            // Another process holds the lock for a moment: the step that waits for it reads too.
            return SqliteFile.isBusy(cause) ? write(() => find(key, now())) : Effect.fail(describe(cause))
          }
        }),

      settle: ({ key, owner, result, retention }) =>
        write(() => {
          const time = now()
          return sql.settle.run(key, time, owner, result, after(time, retention)).changes === 1
        }),

      release: ({ key, owner }) => write(() => sql.release.run(key, now(), owner).changes === 1),

      markUnknown: ({ key, lapsed, owner, retention }) =>
        write(() => {
          const time = now()
          const expiresAt = after(time, retention)
          return sql.markUnknown.run(key, time, owner, expiresAt, lapsed ? 1 : 0).changes === 1
        }),

      takeOver: ({ key, lease, owner, previousOwner, retention }) =>
        write(() => {
          const time = now()
          const leaseUntil = after(time, lease)
          const expiresAt = Math.max(leaseUntil, after(time, retention))
          const row = sql.takeOver.get(key, time, previousOwner, owner, leaseUntil, expiresAt, ticksAfter(lease))
          return row === undefined ? Option.none() : Option.some(decodeEpoch(row).epoch)
        })
    })
  })

const claimed: Claim = { _tag: "Claimed" }

/** The record in a row of `find`, and none when it can't be read. By hand, since a schema takes half as long as SQLite. */
const decodeRow = (row: unknown): Existing | undefined => {
  const [state, owner, epoch, guards, createdAt, result, settledAt, lapsed] = row as ReadonlyArray<unknown>
  if (typeof owner !== "string" || typeof guards !== "string") return undefined
  if (typeof epoch !== "number" || typeof createdAt !== "number") return undefined
  if (state === "settled") {
    if (lapsed !== 0 || typeof result !== "string" || typeof settledAt !== "number") return undefined
    return { _tag: "Existing", state, owner, epoch, guards, lapsed: false, createdAt, result, settledAt }
  }
  if ((state !== "claimed" && state !== "unknown") || result !== null || settledAt !== null) return undefined
  if (lapsed !== 0 && (lapsed !== 1 || state === "unknown")) return undefined
  const nothing = { result: undefined, settledAt: undefined }
  return { _tag: "Existing", state, owner, epoch, guards, lapsed: lapsed === 1, createdAt, ...nothing }
}

const decodeEpoch = Schema.decodeUnknownSync(Schema.Struct({ epoch: Schema.Int }))

// Neither the row nor the decoder's words are in the text, since a result may hold secrets.
const unreadable = (filename: string, key: string): Unreadable => ({
  _tag: "Unreadable",
  reason:
    `${filename}: the record with the key ${key} is damaged, and what became of its write cannot be read. ` +
    "Nothing was executed. Repair the row, or delete it once you know that repeating the write does no harm."
})

const after = (time: number, duration: Duration.Duration): number =>
  Math.min(time + Math.ceil(Duration.toMillis(duration)), Number.MAX_SAFE_INTEGER)

// Few enough that calls in between are not held up.
const cleanupBatch = 200

// "FERR"
const applicationId = 0x46455252

const schema = `
CREATE TABLE ferrule_idempotency (
  key TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  guards TEXT NOT NULL,
  lease_until INTEGER,
  lease_boot TEXT NOT NULL,
  lease_ticks INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  result TEXT,
  settled_at INTEGER,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ferrule_idempotency_expires_at ON ferrule_idempotency (expires_at);
`

// Parameters go by number, since binding them by name costs as much as the statement.
const prepareFor = (boot: string, ticks: () => number) => (db: DatabaseSync) => {
  // Asked only where a lease counts, which it does not in a replay.
  db.function("ticks", { directOnly: true }, ticks)
  return statements(boot, db)
}

const statements = (boot: string, db: DatabaseSync) => ({
  begin: db.prepare("BEGIN IMMEDIATE"),
  commit: db.prepare("COMMIT"),
  rollback: db.prepare("ROLLBACK"),

  /** Takes key, time. */
  find: inArrays(
    db.prepare(`
    SELECT state, owner, epoch, guards, created_at, result, settled_at,
      CASE WHEN state <> 'claimed' THEN 0 WHEN lease_until IS NOT NULL THEN ${isOver(boot)} END
    FROM ferrule_idempotency WHERE key = ?1 AND expires_at > ?2`)
  ),

  /** Takes key, time, owner, guards, end of the lease, expiry, end of the lease in ticks. */
  claim: db.prepare(`
    INSERT INTO ferrule_idempotency (
      key, state, owner, epoch, guards, lease_until, lease_boot, lease_ticks, created_at, expires_at)
    VALUES (?1, 'claimed', ?3, 1, ?4, ?5, '${boot}', ?7, ?2, ?6)
    ON CONFLICT (key) DO UPDATE SET
      state = 'claimed', owner = ?3, epoch = 1, guards = ?4, lease_until = ?5, lease_boot = '${boot}', lease_ticks = ?7,
      created_at = ?2, result = NULL, settled_at = NULL, expires_at = ?6
    WHERE ferrule_idempotency.expires_at <= ?2`),

  /** Takes key, time, owner, result, expiry. */
  settle: db.prepare(`
    UPDATE ferrule_idempotency
    SET state = 'settled', result = coalesce(result, ?4), settled_at = coalesce(settled_at, ?2), lease_until = NULL,
      expires_at = iif(state = 'settled', expires_at, ?5)
    WHERE key = ?1 AND owner = ?3 AND expires_at > ?2 AND ${readable}`),

  /** Takes key, time, owner. */
  release: db.prepare(`
    DELETE FROM ferrule_idempotency
    WHERE key = ?1 AND owner = ?3 AND state = 'claimed' AND expires_at > ?2 AND ${readable}`),

  /** Takes key, time, owner, expiry, 1 when the lease must be over. */
  markUnknown: db.prepare(`
    UPDATE ferrule_idempotency
    SET state = 'unknown', lease_until = NULL, expires_at = ?4
    WHERE key = ?1 AND owner = ?3 AND state = 'claimed' AND (?5 = 0 OR ${isOver(boot)}) AND expires_at > ?2
      AND ${readable}`),

  /** Takes key, time, previous owner, owner, end of the lease, expiry, end of the lease in ticks. */
  takeOver: db.prepare(`
    UPDATE ferrule_idempotency
    SET state = 'claimed', owner = ?4, epoch = epoch + 1, lease_until = ?5, lease_boot = '${boot}', lease_ticks = ?7,
      expires_at = max(expires_at, ?6)
    WHERE key = ?1 AND owner = ?3 AND expires_at > ?2 AND ${readable}
      AND (state = 'unknown' OR state = 'claimed' AND ${isOver(boot)})
    RETURNING epoch`),

  /** Takes time, limit. */
  clean: db.prepare(`
    DELETE FROM ferrule_idempotency WHERE rowid IN (
      SELECT rowid FROM ferrule_idempotency WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)`)
})

/** Gives rows as arrays, since an object with the names of the columns costs a third of the statement. */
const inArrays = (statement: StatementSync): StatementSync => {
  statement.setReturnArrays(true)
  return statement
}

// What nobody can read, no step changes.
const readable = `CASE state
      WHEN 'claimed' THEN lease_until IS NOT NULL AND result IS NULL AND settled_at IS NULL
      WHEN 'unknown' THEN result IS NULL AND settled_at IS NULL
      WHEN 'settled' THEN result IS NOT NULL AND settled_at IS NOT NULL
    END`

/** Whether a lease is over: by the ticks since the machine's start where it is the same one, else by the time of day. */
const isOver = (boot: string): string =>
  `iif(lease_boot <> '' AND lease_boot = '${boot}', lease_ticks <= ticks(), lease_until <= ?2)`
