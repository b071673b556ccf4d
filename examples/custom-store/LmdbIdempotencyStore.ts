/**
 * Keeps the records of writes in LMDB, an embedded database whose transactions hold across processes.
 *
 * The processes of one machine may share the file, on a local disk. Results are in it, in the clear: put
 * `EncryptedIdempotencyStore.layer` around this layer where its other readers must not see them. README.md tells why each
 * part is as it is.
 */
import { IdempotencyStore, StoreError } from "@ferrule/core"
import type { Existing, Unreadable } from "@ferrule/core/IdempotencyStore"
import { Clock, Duration, Effect, Layer, Option, Result, Schema } from "effect"
import { open, type RootDatabase } from "lmdb"
import { closeSync, openSync, readSync } from "node:fs"

export const layer = (options: { readonly filename: string }): Layer.Layer<IdempotencyStore, StoreError> =>
  Layer.effect(IdempotencyStore, make(options.filename))

const make = Effect.fnUntraced(function* (filename: string) {
  const clock = yield* Clock.Clock
  const failed = (what: string) => (cause: unknown) => new StoreError({ reason: `${filename} ${what}.`, cause })
  const root = yield* Effect.acquireRelease(
    Effect.try({ try: () => openFile(filename), catch: failed("can't be opened") }),
    (root) => Effect.promise(() => root.close())
  )
  const records = root.openDB<string, string>({ name: "ferrule-records", encoding: "string" })
  /** The records by when their retention ends, so that old ones are found without a scan. */
  const expiries = root.openDB<boolean, [expiresAt: number, key: string]>({ name: "ferrule-expiries" })

  const now = () => Math.floor(clock.currentTimeMillisUnsafe())

  const get = (key: string): Record | Unreadable | undefined => {
    const text = records.get(key)
    return text === undefined ? undefined : Result.getOrElse(decode(text), () => unreadable(filename, key))
  }

  /** The record, unless its retention is over. */
  const find = (key: string, time: number): Record | Unreadable | undefined => {
    const record = get(key)
    return record === undefined || "_tag" in record || record.expiresAt > time ? record : undefined
  }

  /** The record that this owner holds. */
  const held = (key: string, owner: string, time: number): Record | undefined => {
    const record = find(key, time)
    return record === undefined || "_tag" in record || record.owner !== owner ? undefined : record
  }

  const remove = (key: string, expiresAt: number) => {
    records.removeSync(key)
    expiries.removeSync([expiresAt, key])
  }

  const put = (key: string, record: Record) => {
    const previous = get(key)
    // Also one whose retention is over: by its entry, the next sweep would take the new record.
    if (previous !== undefined && !("_tag" in previous)) expiries.removeSync([previous.expiresAt, key])
    records.putSync(key, encode(record))
    expiries.putSync([record.expiresAt, key], true)
  }

  const sweep = (time: number) => {
    const over = Array.from(expiries.getKeys({ end: [time + 1, ""], limit: 8 }))
    for (const [expiresAt, key] of over) remove(key, expiresAt)
  }

  /** One atomic step: what `change` does is committed, and on the disk, before anybody is answered. */
  const step = <A>(change: (time: number) => A): Effect.Effect<A, StoreError> =>
    Effect.try({
      // An asynchronous transaction would end the process, instead of failing, when the disk is full.
      try: () => root.transactionSync(() => change(now())),
      catch: failed("did not take a step")
    })

  const read = (key: string) =>
    Effect.try({
      try: () => {
        // Without this the view may be as old as this turn of the event loop.
        root.resetReadTxn()
        const time = now()
        return shown(find(key, time), time)
      },
      catch: failed("can't be read")
    })

  return IdempotencyStore.of({
    scope: "shared",

    read,

    claim: ({ guards, key, lease, owner, retention }) =>
      // A replay only reads: it takes no lock and makes no commit.
      Effect.flatMap(read(key), (found) =>
        found !== undefined
          ? Effect.succeed(found)
          : step((time) => {
              const found = shown(find(key, time), time)
              if (found !== undefined) return found
              sweep(time)
              const leaseUntil = after(time, lease)
              const expiresAt = Math.max(leaseUntil, after(time, retention))
              put(key, { format: 1, state: "claimed", owner, epoch: 1, guards, leaseUntil, createdAt: time, expiresAt })
              return { _tag: "Claimed" }
            })
      ),

    settle: ({ key, owner, result, retention }) =>
      step((time) => {
        const record = held(key, owner, time)
        if (record === undefined) return false
        if (record.state === "settled") return true
        const { leaseUntil: _, ...rest } = record
        put(key, { ...rest, state: "settled", result, settledAt: time, expiresAt: after(time, retention) })
        return true
      }),

    release: ({ key, owner }) =>
      step((time) => {
        const record = held(key, owner, time)
        if (record?.state !== "claimed") return false
        remove(key, record.expiresAt)
        return true
      }),

    markUnknown: ({ key, lapsed, owner, retention }) =>
      step((time) => {
        const record = held(key, owner, time)
        if (record?.state !== "claimed" || (lapsed && record.leaseUntil > time)) return false
        put(key, { ...record, state: "unknown", expiresAt: after(time, retention) })
        return true
      }),

    takeOver: ({ key, lease, owner, previousOwner, retention }) =>
      step((time) => {
        const record = held(key, previousOwner, time)
        if (record === undefined || record.state === "settled") return Option.none()
        if (record.state === "claimed" && record.leaseUntil > time) return Option.none()
        const leaseUntil = after(time, lease)
        const expiresAt = Math.max(record.expiresAt, leaseUntil, after(time, retention))
        const epoch = record.epoch + 1
        put(key, { ...record, state: "claimed", owner, epoch, leaseUntil, expiresAt })
        return Option.some(epoch)
      })
  })
})

const openFile = (filename: string): RootDatabase => {
  // Made for its owner's eyes only, which LMDB would not do by itself.
  const file = openSync(filename, "a+", 0o600)
  try {
    const head = Buffer.alloc(64)
    const foreign = readSync(file, head, 0, 64, 0) > 0 && !head.includes(magic)
    // LMDB ends the process on a file that is none of its own.
    if (foreign) throw new Error("It is not a file of LMDB")
  } finally {
    closeSync(file)
  }
  // Without overlappingSync a commit ends when it is on the disk, not before.
  return open({ path: filename, noSubdir: true, overlappingSync: false })
}

const magic = Buffer.from("dec0efbe", "hex")

const common = {
  format: Schema.Literal(1),
  owner: Schema.String,
  epoch: Schema.Int,
  guards: Schema.String,
  createdAt: Schema.Int,
  expiresAt: Schema.Int
}
const Record = Schema.Union([
  Schema.Struct({ ...common, state: Schema.Literals(["claimed", "unknown"]), leaseUntil: Schema.Int }),
  Schema.Struct({ ...common, state: Schema.Literal("settled"), result: Schema.String, settledAt: Schema.Int })
])
type Record = typeof Record.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Record))
const encode = Schema.encodeSync(Schema.fromJsonString(Record))

/** A record as others see it. */
const shown = (record: Record | Unreadable | undefined, time: number): Existing | Unreadable | undefined => {
  if (record === undefined || "_tag" in record) return record
  const { createdAt, epoch, guards, owner, state } = record
  const lapsed = state === "claimed" && record.leaseUntil <= time
  const [result, settledAt] = state === "settled" ? [record.result, record.settledAt] : []
  return { _tag: "Existing", state, owner, epoch, guards, lapsed, createdAt, result, settledAt }
}

const unreadable = (filename: string, key: string): Unreadable => ({
  _tag: "Unreadable",
  reason:
    `${filename}: the record with the key ${key} is damaged, or was written by a newer version. Nothing was executed. ` +
    "Delete it once you know that repeating its write does no harm."
})

const after = (time: number, duration: Duration.Duration): number =>
  Math.min(time + Math.ceil(Duration.toMillis(duration)), Number.MAX_SAFE_INTEGER)
