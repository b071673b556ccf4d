/**
 * What one owner does with the record of a write: claim it, go on from what an earlier attempt has left, execute, and end
 * the hold by what is then known. A record whose attempt was cut off is never taken for absent: the tool's recovery
 * decides.
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import {
  AuthorizationError,
  type ConnectorError,
  OutcomeUnknown,
  type ResultUnavailable,
  TransientError,
  ValidationError
} from "../ConnectorError.ts"
import type { Existing, IdempotencyStore, StoreError } from "../IdempotencyStore.ts"
import { type Attempts, isUncertain, type Lease } from "../pipeline/4_execute.ts"
import type * as Tool from "../Tool.ts"
import * as ClientKey from "./clientKey.ts"
import { outcomeUnknown, unreachable } from "./storeFault.ts"
import * as StoredResult from "./storedResult.ts"
import type { Surroundings } from "./surroundings.ts"

/**
 * A write to be done once. `execute` begins the handler now, to run while the lease lasts, and counts in `attempts`. `find`
 * looks for what an earlier attempt may have written, the first of them begun at that time (epoch milliseconds).
 */
export interface Write extends ClientKey.Keyed {
  readonly attempts: Attempts
  readonly execute: (lease: Lease, around: Surroundings) => Effect.Effect<unknown, ConnectorError>
  readonly find: ((begunAt: number) => Effect.Effect<Option.Option<unknown>, ConnectorError>) | undefined
  readonly progress: Progress | undefined
  /** Is told how the run ended that this call has begun, when its caller has left before that. */
  readonly onLeft: ((exit: Exit.Exit<Done, Refused>) => Effect.Effect<void>) | undefined
}

export type Progress = (progress: number, total?: number, message?: string) => Effect.Effect<void>

/**
 * A write that is done. `earlier` is the guards of the call that has done it, when that is not this one. `found` says that
 * nothing was recorded of its end, and the tool's search has found it.
 */
export interface Done {
  readonly stored: StoredResult.StoredResult
  readonly earlier: string | undefined
  readonly found?: true
}

export type Refused = ConnectorError | OutcomeUnknown | ResultUnavailable

/**
 * A write in the hands of one owner. `later` starts what outlives the run, and is waited for when the connector shuts
 * down. A task can be interrupted only where it says `interruptible`: while it waits, and while the author's code runs,
 * never between a step of the store and the next decision. `released` says that it has ended with nothing written and
 * nothing kept.
 */
export interface Task {
  readonly store: IdempotencyStore["Service"]
  readonly later: (work: Effect.Effect<void>) => Effect.Effect<void>
  readonly write: Write
  readonly owner: string
  /** Of the call that has begun it. */
  readonly around: Surroundings
  released: boolean
}

/** How long a call waits for another process that runs the same write, and how often it looks, in milliseconds. */
export const maxWait = 5000
export const firstPoll = 25
export const slowestPoll = 500

/** The record changed between two steps: look at it anew. */
const again: unique symbol = Symbol("again")

/** `applied` is what is known of the write before this: where a record was met, it may have been done. */
export const perform = (task: Task, applied: Applied = "no"): Effect.Effect<Done, Refused> =>
  claim(task, applied, (found) => ("state" in found ? meet(task, found) : hold(task, found)))

type Applied = TransientError["applied"]

/**
 * Claims the key now, and goes on with the lease when it is ours, else with the record as it stands once no live attempt
 * holds it.
 */
const claim = (
  task: Task,
  applied: Applied,
  goOn: (found: Existing | Lease) => Effect.Effect<Done, Refused>,
  waited = 0,
  pause = firstPoll
): Effect.Effect<Done, Refused> => {
  const { store, write, owner } = task
  const { key, guards } = write.key
  // Kept as long as an unknown outcome, which is what it becomes if this process dies.
  const { lease, unknownRetention: retention } = write.tool.idempotency
  const opened = new OpenLease(task, 1)
  return Effect.matchEffect(store.claim({ key, owner, guards, lease, retention }), {
    // Whether the claim arrived can't be known then. Nothing has run, so it is taken back.
    onFailure: (error) => Effect.andThen(release(task), unreachable(applied)(error)),
    onSuccess: (found): Effect.Effect<Done, Refused> => {
      if (found._tag === "Claimed") return goOn(opened)
      if (found._tag === "Unreadable") return ClientKey.unreadableOf(write, found.reason)
      const conflict = ClientKey.conflictOf(found.guards, write, found.state)
      if (conflict !== undefined) return Effect.fail(conflict)
      const binding = ClientKey.toAdopt(found.guards, write)
      if (binding !== undefined) {
        return Effect.flatMap(ClientKey.adopt(store, write.tool, binding), () =>
          claim(task, "unknown", goOn, waited, pause)
        )
      }
      if (found.state !== "claimed" || found.lapsed) return goOn(found)
      if (waited >= maxWait) return Effect.fail(stillRunning())
      return Effect.flatMap(Effect.interruptible(pauseIn(write, waited, pause)), () =>
        claim(task, "unknown", goOn, waited + pause, Math.min(pause * 2, slowestPoll))
      )
    }
  })
}

/** What a wait reports counts in millionths, so that what the handler reports then is still more. */
export const pauseIn = ({ progress }: Write, waited: number, pause: number): Effect.Effect<void> =>
  progress === undefined || pause < slowestPoll
    ? Effect.sleep(pause)
    : Effect.andThen(progress((waited + pause) / 1e6, undefined, "waiting for an earlier call"), Effect.sleep(pause))

/** Goes on from a record that an earlier attempt has left. */
const meet = Effect.fnUntraced(function* (task: Task, found: Existing): Effect.fn.Return<Done, Refused> {
  const { tool } = task.write
  if (found.state === "settled") return replay(tool, found)
  const done = tool.idempotency.recovery === "unknown" ? yield* giveUp(task, found) : yield* takeOver(task, found)
  return done === again ? yield* perform(task, "unknown") : done
})

export const replay = (tool: Tool.AnyWrite, found: Existing): Done => ({
  stored: StoredResult.read(tool, found.result, found.settledAt),
  earlier: found.guards
})

/** For a tool that can't find out: the record stays unknown until its owner settles late or its retention ends. */
const giveUp = Effect.fnUntraced(function* (task: Task, found: Existing): Effect.fn.Return<typeof again, Refused> {
  const { tool, key } = task.write
  if (found.state === "unknown") return yield* outcomeUnknown(tool)
  const marked = yield* task.store
    .markUnknown({ key: key.key, owner: found.owner, lapsed: true, retention: tool.idempotency.unknownRetention })
    .pipe(Effect.catch(unreachable("unknown")))
  return marked ? yield* outcomeUnknown(tool) : again
})

/** For a tool that can: take the record over, look for what was written, and execute when nothing was found. */
const takeOver = Effect.fnUntraced(function* (
  task: Task,
  found: Existing
): Effect.fn.Return<Done | typeof again, Refused> {
  const { store, write, owner } = task
  const { lease, unknownRetention: retention } = write.tool.idempotency
  const opened = new OpenLease(task, found.epoch + 1)
  const epoch = yield* store
    .takeOver({ key: write.key.key, previousOwner: found.owner, owner, lease, retention })
    .pipe(Effect.catch(unreachable("unknown")))
  if (Option.isNone(epoch)) return again
  if (write.find === undefined) return yield* hold(task, opened)
  const earlier = yield* Effect.catchCause(Effect.interruptible(write.find(found.createdAt)), (cause) =>
    Effect.andThen(markUnknown(task), Effect.failCause(verdict(write, opened.epoch, cause)))
  )
  if (Option.isNone(earlier)) return yield* hold(task, opened)
  const stored = yield* StoredResult.make(write.tool, earlier.value, task.around)
  const done: Done = { stored, earlier: found.guards, found: true }
  return yield* settle(task, stored, (ours) => Effect.succeed(ours ? done : again))
})

/** Runs the handler, and ends the hold by what is then known of the write. */
const hold = (task: Task, lease: Lease): Effect.Effect<Done, Refused> =>
  Effect.matchCauseEffectEager(task.write.execute(lease, task.around), {
    onSuccess: (value) =>
      Effect.flatMapEager(StoredResult.make(task.write.tool, value, task.around), (stored) => keep(task, stored)),
    onFailure: (cause) => {
      const failure = finalFailure(task.write, lease.epoch, cause)
      return failure === undefined
        ? Effect.andThen(conclude(task, lease.epoch, cause), Effect.failCause(verdict(task.write, lease.epoch, cause)))
        : keep(task, StoredResult.ofFailure(failure, task.around))
    }
  })

const keep = (task: Task, stored: StoredResult.StoredResult): Effect.Effect<Done> =>
  settle(task, stored, (ours) => (ours ? Effect.succeed({ stored, earlier: undefined }) : agree(task, stored)))

/**
 * The upstream's last word, where the tool asks for it to be kept: a later call gets it again. After a takeover it is not
 * the last word on the attempt before.
 */
const finalFailure = (
  { attempts, tool }: Write,
  epoch: number,
  cause: Cause.Cause<ConnectorError>
): StoredResult.Failure | undefined => {
  if (!tool.idempotency.recordFailures || epoch > 1 || attempts.count === 0) return undefined
  if (!isNotApplied(attempts, cause)) return undefined
  const [reason, ...others] = cause.reasons
  if (others.length > 0 || reason?._tag !== "Fail") return undefined
  const { error } = reason
  return error instanceof ValidationError || error instanceof AuthorizationError ? error : undefined
}

/**
 * The record is no longer ours. When another owner has settled it, everybody gets the one result that is kept; otherwise
 * ours is real and is returned. Nothing is executed again.
 */
const agree = (task: Task, stored: StoredResult.StoredResult): Effect.Effect<Done> => {
  const own: Done = { stored, earlier: undefined }
  return claim(task, "no", (found): Effect.Effect<Done> => {
    if (!("state" in found)) return settle(task, stored, () => Effect.succeed(own))
    return Effect.succeed(found.state === "settled" ? replay(task.write.tool, found) : own)
  }).pipe(Effect.orElseSucceed(() => own))
}

/**
 * Ends a hold whose write failed. The attempt before a takeover may have written even where this one did not, so its
 * record stays. A tool that looks before it writes again leaves its claim to lapse: until then the upstream may still be
 * doing what was cut off, and a search would not find it.
 */
const conclude = (task: Task, epoch: number, cause: Cause.Cause<ConnectorError>): Effect.Effect<void> => {
  if (isNotApplied(task.write.attempts, cause)) return epoch === 1 ? release(task) : markUnknown(task)
  return task.write.tool.idempotency.recovery === "reconcile" ? Effect.void : markUnknown(task)
}

const isNotApplied = (attempts: Attempts, cause: Cause.Cause<ConnectorError>): boolean =>
  attempts.count === 0 || !(attempts.uncertain || attempts.steps > 0 || cause.reasons.some(isUncertain))

/**
 * What the caller is told. When something may have been written, no single error of the handler is the whole truth. Where
 * the same call again could not find out either, or would be refused again, that is said now.
 */
const verdict = (write: Write, epoch: number, cause: Cause.Cause<ConnectorError>): Cause.Cause<Refused> => {
  const { attempts, tool } = write
  if ((epoch === 1 && isNotApplied(attempts, cause)) || Cause.hasDies(cause)) return cause
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (tool.idempotency.recovery === "unknown") return Cause.fail(outcomeUnknown(tool))
  if (error === undefined) return Cause.fail(cutOff(tool))
  if (error._tag !== "TransientError") return Cause.fail(outcomeUnknown(tool))
  return error.applied === "unknown" ? cause : Cause.fail(cutOff(tool, error.retryAfter))
}

const cutOff = (tool: Tool.AnyWrite, retryAfter?: Duration.Duration) =>
  new TransientError({
    message: `An attempt at ${tool.name} was cut off`,
    applied: "unknown",
    ...(retryAfter !== undefined && { retryAfter })
  })

export const stillRunning = () =>
  new TransientError({
    message: "The same write, begun by an earlier call, has not ended yet",
    retryAfter: Duration.seconds(2),
    applied: "unknown"
  })

/**
 * Settles, and goes on with whether the record was still ours. When the store is down the write is done all the same, so its
 * result is returned, and settled in the background: a late settle is as good as long as nobody has taken over.
 */
const settle = <A>(
  { later, store, write, owner }: Task,
  stored: StoredResult.StoredResult,
  goOn: (ours: boolean) => Effect.Effect<A>
): Effect.Effect<A> => {
  const { retention, unknownRetention } = write.tool.idempotency
  const attempt = store.settle({ key: write.key.key, owner, result: stored.text, retention })
  return Effect.matchEffect(attempt, {
    onSuccess: goOn,
    onFailure: (error) => {
      const again = Effect.retry(attempt, backingOff.pipe(Schedule.upTo({ duration: unknownRetention })))
      return Effect.logError("A done write could not be settled yet", error).pipe(
        Effect.andThen(later(logged("A done write was not settled", again))),
        Effect.andThen(goOn(true))
      )
    }
  })
}

const backingOff = Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("30 seconds")])

const release = (task: Task): Effect.Effect<void> => {
  const { store, write, owner } = task
  const released = Effect.map(store.release({ key: write.key.key, owner }), (done) => (task.released = done))
  return logged("A claim could not be released", released)
}

const markUnknown = ({ store, write, owner }: Task): Effect.Effect<void> =>
  logged(
    "A write could not be marked unknown",
    store.markUnknown({ key: write.key.key, owner, lapsed: false, retention: write.tool.idempotency.unknownRetention })
  )

/** For steps that the end of the lease makes up for. */
const logged = (message: string, step: Effect.Effect<boolean, StoreError>): Effect.Effect<void> =>
  Effect.asVoid(Effect.catch(step, (error) => Effect.logError(message, error)))

/**
 * The time in which a holder may execute: four fifths of the lease. A process that stood still until then must not write
 * any more, since another may be about to; and what is cut off has a fifth to come to rest. It goes by the clock that says
 * more: the monotonic one stops while a machine is suspended, and the time of day can be set back.
 */
class OpenLease implements Lease {
  readonly epoch: number
  private readonly clock: Clock.Clock
  private readonly length: number
  private readonly opened: bigint
  private readonly openedAt: number

  constructor({ around, write }: Task, epoch: number) {
    this.epoch = epoch
    this.clock = around.clock
    this.length = Duration.toMillis(write.tool.idempotency.lease) * 0.8
    this.opened = this.clock.monotonicTimeNanosUnsafe()
    this.openedAt = this.clock.currentTimeMillisUnsafe()
  }

  left(): number {
    const passed = Number(this.clock.monotonicTimeNanosUnsafe() - this.opened) / 1_000_000
    return this.length - Math.max(passed, this.clock.currentTimeMillisUnsafe() - this.openedAt)
  }
}
