/**
 * Where the records of writes are kept, so that an operation happens once however often it is called.
 *
 * A record is made by `claim` before a write is attempted and ends `settled` with the result, or `unknown` when the
 * attempt was cut off and nobody may guess. The store knows nothing of tools: keys, guards and results are opaque strings
 * of well-formed Unicode. `IdempotencyStore.layerMemory` serves tests and single processes; `SqliteIdempotencyStore` is the embedded default. A further store
 * implements this interface and runs the contract suite of `@ferrule/core/testing`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * Says that the store did not answer, or answered something that is not a record. The operation it was asked for may or
 * may not have been applied. `reason` names the fault for the operator's log; it never reaches the model.
 *
 * @category errors
 * @since 0.1.0
 */
export class StoreError extends Schema.TaggedError<StoreError>("@ferrule/core/StoreError")("StoreError", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return this.reason
  }
}

/**
 * A record as a claim finds it. `owner` is the nonce of the attempt that holds it, `epoch` counts takeovers from 1,
 * `guards` is the fingerprint of the arguments that must match. `lapsed` is true when the record is `claimed` and its
 * lease is over by the store's clock. `result` and `settledAt` are set when it is `settled`. `createdAt` is when the claim
 * was granted that the record began with. Both times are epoch milliseconds of the store's clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Existing {
  readonly _tag: "Existing"
  readonly state: "claimed" | "settled" | "unknown"
  readonly owner: string
  readonly epoch: number
  readonly guards: string
  readonly lapsed: boolean
  readonly createdAt: number
  readonly result: string | undefined
  readonly settledAt: number | undefined
}

/**
 * A record that is there and can't be read: damaged, tampered with, or written by a newer version. Whoever finds it
 * executes nothing. `reason` tells the operator what to do; it may name the record's key, and holds nothing else of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unreadable {
  readonly _tag: "Unreadable"
  readonly reason: string
}

/**
 * @category models
 * @since 0.1.0
 */
export type Claim = { readonly _tag: "Claimed" } | Existing | Unreadable

/**
 * Keeps records of writes. Each method is one atomic step, made durable (as far as the store promises it) before it
 * returns, in a transaction of the store's own; one that could not be is a `StoreError`. Times are by one clock, the
 * store's. Keys have at most 256 characters; durations are finite and may have fractions of a millisecond.
 *
 * A step sees every step that has ended before, whoever made it. One that is interrupted may still be done later, but not
 * after a step of the same caller that was begun after it. On a record that can't be read, each step but `claim` and `read`
 * answers false or none and changes nothing.
 *
 * @category services
 * @since 0.1.0
 */
export class IdempotencyStore extends Context.Service<
  IdempotencyStore,
  {
    /**
     * Who sees the records: this process alone, which also means that they end with it, or every instance that is given the
     * same store.
     */
    readonly scope: "process" | "shared"

    /**
     * Runs an effect in one transaction of the store's database: what the steps and the effect's own statements have done
     * is there as a whole when it succeeds, and none of it when it fails or the process dies. In it, `claim` does not wait
     * for a transaction that is still open: it returns its record as `claimed`, with the guards that it was called with. The
     * property is missing where the store can't.
     */
    readonly transaction?: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>

    /**
     * Makes a `claimed` record with epoch 1, or returns the one that exists, unchanged. Of any number of simultaneous
     * claims of one key exactly one is `Claimed`. A record past its `retention` counts as absent, here and in every other
     * step; while its lease runs a record is never past it. A lapsed lease changes nothing: the record stays as evidence
     * that an attempt began.
     */
    readonly claim: (options: {
      readonly key: string
      readonly owner: string
      readonly guards: string
      readonly lease: Duration.Duration
      readonly retention: Duration.Duration
    }) => Effect.Effect<Claim, StoreError>

    /**
     * Returns the record as it is, or nothing when there is none. Changes nothing. The steps of a transaction that is still
     * open have not been done for anybody but that transaction.
     */
    readonly read: (key: string) => Effect.Effect<Existing | Unreadable | undefined, StoreError>

    /**
     * Stores the result and ends the record as `settled`, kept for `retention` from now. True when `owner` holds the
     * record and it is `claimed` (its lease over or not) or `unknown`. Also true, and nothing changes, when `owner` has
     * settled it before, so that a step whose answer was lost can be repeated. Otherwise false, and nothing has changed.
     */
    readonly settle: (options: {
      readonly key: string
      readonly owner: string
      readonly result: string
      readonly retention: Duration.Duration
    }) => Effect.Effect<boolean, StoreError>

    /** Removes the record, since nothing was written. True when `owner` holds it and it is `claimed`; otherwise no change. */
    readonly release: (options: { readonly key: string; readonly owner: string }) => Effect.Effect<boolean, StoreError>

    /**
     * Turns `claimed` into `unknown`, kept for `retention` from now. True when the record is `claimed` by `owner`, and,
     * where `lapsed` is asked for, its lease is over. The owner stays the same, so that its late `settle` is accepted.
     */
    readonly markUnknown: (options: {
      readonly key: string
      readonly owner: string
      readonly lapsed: boolean
      readonly retention: Duration.Duration
    }) => Effect.Effect<boolean, StoreError>

    /**
     * Hands the record to `owner`, `claimed` with a new lease and kept for `retention` from now at least, and returns the
     * new epoch. Only when `previousOwner` still holds it, and it is `unknown` or its lease is over; otherwise none. From
     * then on every step of the previous owner changes nothing.
     */
    readonly takeOver: (options: {
      readonly key: string
      readonly previousOwner: string
      readonly owner: string
      readonly lease: Duration.Duration
      readonly retention: Duration.Duration
    }) => Effect.Effect<Option.Option<number>, StoreError>
  }
>()("@ferrule/core/IdempotencyStore") {
  /**
   * Keeps the records in this process, by Effect's `Clock`. They end with the process, so it serves tests and tools that
   * run once; a server that must not write twice after a restart needs a store on disk.
   *
   * @category layers
   * @since 0.1.0
   */
  static readonly layerMemory: Layer.Layer<IdempotencyStore> = Layer.effect(
    IdempotencyStore,
    Effect.map(Clock.Clock, (clock) => makeMemory(clock))
  )
}

/** Times are milliseconds since the store was made: small integers, which the engine keeps without a box for each. */
interface MemoryRecord {
  readonly key: string
  readonly guards: string
  state: Existing["state"]
  owner: string
  epoch: number
  leaseUntil: number
  readonly createdAt: number
  result: string | undefined
  settledAt: number | undefined
  expiresAt: number
  minute: number
  slot: number
}

function makeMemory(clock: Clock.Clock): IdempotencyStore["Service"] {
  const began = clock.currentTimeMillisUnsafe()
  const time = (): number => clock.currentTimeMillisUnsafe() - began
  const records = new Map<string, MemoryRecord>()
  // By the minute in which they expire, so that old ones are found without a scan.
  const minutes = new Map<number, Array<MemoryRecord>>()
  let swept = 0

  const find = (key: string, now: number): MemoryRecord | undefined => {
    const record = records.get(key)
    return record === undefined || record.expiresAt <= now ? undefined : record
  }

  const shelve = (record: MemoryRecord): void => {
    // After the clock was set back, a minute may have been swept already; the next sweep takes the record then.
    record.minute = Math.max(minuteOf(record.expiresAt), swept)
    const shelf = minutes.get(record.minute)
    if (shelf === undefined) minutes.set(record.minute, [record])
    else record.slot = shelf.push(record) - 1
  }

  const unshelve = (record: MemoryRecord): void => {
    const shelf = minutes.get(record.minute)!
    const last = shelf.pop()!
    if (shelf.length === 0) minutes.delete(record.minute)
    if (last === record) return
    shelf[record.slot] = last
    last.slot = record.slot
  }

  const expireAt = (record: MemoryRecord, expiresAt: number): void => {
    record.expiresAt = expiresAt
    if (minuteOf(expiresAt) === record.minute) return
    unshelve(record)
    record.slot = 0
    shelve(record)
  }

  const remove = (record: MemoryRecord): void => {
    unshelve(record)
    records.delete(record.key)
  }

  // A claim adds one record and removes up to eight, so the sweep keeps up with any rate without a pause that is felt.
  const sweep = (now: number): void => {
    const current = minuteOf(now)
    if (minutes.size === 0) swept = current
    for (let budget = 8, steps = 4096; swept < current && steps > 0; steps--) {
      for (let shelf = minutes.get(swept); shelf !== undefined; shelf = minutes.get(swept)) {
        if (budget-- === 0) return
        remove(shelf[shelf.length - 1])
      }
      swept++
    }
  }

  const existing = (record: MemoryRecord, now: number): Existing => ({
    _tag: "Existing",
    state: record.state,
    owner: record.owner,
    epoch: record.epoch,
    guards: record.guards,
    lapsed: record.state === "claimed" && record.leaseUntil <= now,
    createdAt: began + record.createdAt,
    result: record.result,
    settledAt: record.settledAt === undefined ? undefined : began + record.settledAt
  })

  return IdempotencyStore.of({
    scope: "process",

    claim: ({ guards, key, lease, owner, retention }) =>
      Effect.sync(() => {
        const now = time()
        const previous = records.get(key)
        if (previous !== undefined) {
          if (previous.expiresAt > now) return existing(previous, now)
          remove(previous)
        }
        const leaseUntil = now + Duration.toMillis(lease)
        const record: MemoryRecord = {
          key,
          guards,
          state: "claimed",
          owner,
          epoch: 1,
          leaseUntil,
          createdAt: now,
          result: undefined,
          settledAt: undefined,
          expiresAt: Math.max(leaseUntil, now + Duration.toMillis(retention)),
          minute: 0,
          slot: 0
        }
        sweep(now)
        records.set(key, record)
        shelve(record)
        return claimed
      }),

    read: (key) =>
      Effect.sync(() => {
        const now = time()
        const record = find(key, now)
        return record && existing(record, now)
      }),

    settle: ({ key, owner, result, retention }) =>
      Effect.sync(() => {
        const now = time()
        const record = find(key, now)
        if (record === undefined || record.owner !== owner) return false
        if (record.state === "settled") return true
        record.state = "settled"
        record.result = result
        record.settledAt = now
        expireAt(record, now + Duration.toMillis(retention))
        return true
      }),

    release: ({ key, owner }) =>
      Effect.sync(() => {
        const record = find(key, time())
        if (record === undefined || record.owner !== owner || record.state !== "claimed") return false
        remove(record)
        return true
      }),

    markUnknown: ({ key, lapsed, owner, retention }) =>
      Effect.sync(() => {
        const now = time()
        const record = find(key, now)
        if (record === undefined || record.owner !== owner || record.state !== "claimed") return false
        if (lapsed && record.leaseUntil > now) return false
        record.state = "unknown"
        expireAt(record, now + Duration.toMillis(retention))
        return true
      }),

    takeOver: ({ key, lease, owner, previousOwner, retention }) =>
      Effect.sync(() => {
        const now = time()
        const record = find(key, now)
        if (record === undefined || record.owner !== previousOwner || record.state === "settled") return Option.none()
        if (record.state === "claimed" && record.leaseUntil > now) return Option.none()
        record.state = "claimed"
        record.owner = owner
        record.epoch++
        record.leaseUntil = now + Duration.toMillis(lease)
        expireAt(record, Math.max(record.expiresAt, record.leaseUntil, now + Duration.toMillis(retention)))
        return Option.some(record.epoch)
      })
  })
}

const claimed: Claim = { _tag: "Claimed" }

const minuteOf = (millis: number): number => Math.floor(millis / 60_000)
