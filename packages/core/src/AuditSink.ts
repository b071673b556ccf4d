/**
 * A trail over a sink that keeps records for good, such as a file or a table, and that may fail.
 *
 * That a write is about to be executed is kept before it is, as a record of the outcome `Begun`: so the trail is known to
 * work, and what a process that dies in the middle may have done is on record. A probe of the sink's health would promise
 * neither. While the sink is down a declared policy holds. No record is lost in silence.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { type AuditRecord, AuditTrail, AuditTrailError, type Trail } from "./AuditTrail.ts"
import { inTime } from "./internal/boundedStore.ts"
import { lostRecords } from "./internal/metrics.ts"
import * as Scrubber from "./Scrubber.ts"

/**
 * Where records are kept for good: a file, a table, a queue. `append` keeps all of them or fails; it is called for one
 * batch at a time, with the records in their order. A batch that failed, or took more than five seconds, comes again.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuditSink {
  readonly append: (records: Arr.NonEmptyReadonlyArray<AuditRecord>) => Effect.Effect<void, AuditTrailError>
}

/**
 * What happens while a sink fails. `"refuse"`: no write begins, since each one's record of the outcome `Begun` has to be
 * kept first. `{ buffer }`: so many records are held in memory, which the end of the process would lose, and when they are
 * that many, no write begins. Reads are answered either way.
 *
 * @category models
 * @since 0.1.0
 */
export type WhenDown = "refuse" | { readonly buffer: number }

/**
 * Keeps records in a sink, by a policy for the time in which it fails.
 *
 * **Details**
 *
 * Records that come while a batch is being appended make up the next one, up to 256 in their order, and a call is answered
 * when its record is kept. A sink that fails is tried again every second. Its failure and its return are logged, and so is
 * each record that is given up, with all its fields: the log is then the only trail of it. The end of a write that has
 * begun is never given up while the process runs. A sink may get a record again that it has kept without saying so; two
 * records of one `correlationId` and `outcome` are the same one.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(
  sink: Effect.Effect<AuditSink, E, R>,
  options: { readonly whenDown?: WhenDown } = {}
): Layer.Layer<never, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(
    AuditTrail,
    Effect.flatMap(sink, (sink) => make(sink, options))
  )

/** A record in the line. Nobody waits any more for one that is held. */
interface Entry {
  readonly record: AuditRecord
  answer: ((kept: Effect.Effect<void, AuditTrailError>) => void) | undefined
}

const batchSize = 256
const patience = Duration.seconds(5)
const pause = 1000

/**
 * Makes the trail that `layer` provides. It appends until the scope closes, and once more then.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  sink: AuditSink,
  { whenDown = "refuse" }: { readonly whenDown?: WhenDown } = {}
): Effect.fn.Return<Trail, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const capacity = whenDown === "refuse" ? 0 : whenDown.buffer
  const waiting = Latch.makeUnsafe(false)
  let line: Array<Entry> = []
  let down: { readonly error: AuditTrailError; readonly until: number } | undefined
  let closed = false

  /** Lets go of whoever waits for this record, and says whether it stays in a line of so many others. */
  const isHeld = (entry: Entry, others: number, error: AuditTrailError): boolean => {
    const { answer, record } = entry
    if (answer === undefined) return true
    entry.answer = undefined
    const held = isEndOfWrite(record) || others < capacity
    answer(held ? Effect.void : Effect.fail(error))
    return held
  }

  const succeeded = (batch: ReadonlyArray<Entry>) => {
    line = line.slice(batch.length)
    const held = batch.filter(({ answer }) => answer === undefined).length
    for (const { answer } of batch) answer?.(Effect.void)
    if (down === undefined) return Effect.void
    down = undefined
    return Effect.logInfo(`The audit trail is back, and has kept ${held} records that had waited for it`)
  }

  const failed = (error: AuditTrailError) => {
    const isNew = down === undefined
    down = { error, until: clock.currentTimeMillisUnsafe() + pause }
    const hold = Effect.sync(() => {
      const held: Array<Entry> = []
      for (const entry of line) if (isHeld(entry, held.length, error)) held.push(entry)
      line = held
    })
    return isNew ? Effect.andThen(Effect.logError("The audit trail is down", error), hold) : hold
  }

  const attempt = Scrubber.guarded(
    Effect.suspend(() => {
      const batch = line.slice(0, batchSize)
      if (!Arr.isReadonlyArrayNonEmpty(batch)) return Effect.void
      return Effect.matchCauseEffect(inTime(sink.append(Arr.map(batch, ({ record }) => record)), patience), {
        onSuccess: () => succeeded(batch),
        onFailure: (cause) => failed(errorOf(cause))
      })
    })
  )

  const drain: Effect.Effect<void> = Effect.suspend(() =>
    line.length === 0 || down !== undefined ? Effect.void : Effect.andThen(attempt, drain)
  )
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      closed = true
      down = undefined
      yield* drain
      yield* Metric.update(lostRecords, line.length)
      for (const { record } of line) yield* Effect.logError("An audit record was not kept", record)
    })
  )

  const untilPause = Effect.suspend(() => {
    const left = down === undefined ? 0 : down.until - clock.currentTimeMillisUnsafe()
    return left > 0 ? Effect.sleep(left) : Effect.void
  })
  yield* waiting.await.pipe(
    Effect.andThen(untilPause),
    // What has gone to the sink is waited for, so that the scope does not close beneath it.
    Effect.andThen(Effect.uninterruptible(attempt)),
    Effect.andThen(Effect.sync(() => line.length === 0 && waiting.closeUnsafe())),
    Effect.forever,
    Effect.forkScoped
  )

  const keep = (record: AuditRecord): Effect.Effect<void, AuditTrailError> =>
    Effect.callback((answer) => {
      if (closed) return answer(Effect.fail(isClosed))
      const entry: Entry = { record, answer }
      const isPaused = down !== undefined && clock.currentTimeMillisUnsafe() < down.until
      if (isPaused && !isHeld(entry, line.length, down!.error)) return
      line.push(entry)
      waiting.openUnsafe()
    })
  return { record: keep, begin: keep }
})

/** That a write has begun is on record, so its end has to be. They are no more than the writes that ran at once. */
const isEndOfWrite = ({ attempts, kind, outcome }: AuditRecord): boolean =>
  kind === "write" && attempts > 0 && outcome !== "Begun"

const errorOf = (cause: Cause.Cause<{ readonly reason: string }>): AuditTrailError => {
  const error = Cause.squash(cause)
  return error instanceof AuditTrailError ? error : new AuditTrailError({ reason: "The sink failed", cause: error })
}

const isClosed = new AuditTrailError({ reason: "The audit trail has been closed" })
