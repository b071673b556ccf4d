/**
 * Step 3: a write happens once. Claim the key, or join, replay, wait or refuse.
 *
 * The run of a write belongs to the connector, not to the call that began it: calls join it and leave it. When the last
 * one leaves before the handler has started, the key is released; after that the write finishes and settles, so that a
 * caller who comes back gets its result. Calls of the same key in this process share one run; other processes meet at the
 * store. A record whose attempt was cut off is never taken for absent: the tool's recovery decides.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import {
  type ConnectorError,
  OutcomeUnknown,
  type ResultUnavailable,
  TransientError,
  ValidationError
} from "../ConnectorError.ts"
import { differences, type IdempotencyKey } from "../IdempotencyKey.ts"
import { type Existing, type IdempotencyStore, StoreError } from "../IdempotencyStore.ts"
import * as StoredResult from "../internal/storedResult.ts"
import type * as Tool from "../Tool.ts"
import { type Attempts, isUncertain, type Window } from "./4_execute.ts"

/**
 * A write to be done once. `execute` runs the handler within a window of time, and counts in `attempts`. `find` looks for
 * what an earlier attempt may have written.
 */
export interface Write {
  readonly tool: Tool.AnyWrite
  readonly key: IdempotencyKey
  readonly attempts: Attempts
  readonly execute: (window: Window) => Effect.Effect<unknown, ConnectorError>
  readonly find: Effect.Effect<Option.Option<unknown>, ConnectorError> | undefined
}

/** A write that is done, by this call or by an earlier one. */
export interface Done {
  readonly stored: StoredResult.StoredResult
  readonly replayed: boolean
}

export type Refused = ConnectorError | OutcomeUnknown | ResultUnavailable

/** How long a call waits for another process that runs the same write, and how often it looks, in milliseconds. */
const maxWait = 5000
const firstPoll = 25
const slowestPoll = 500
/** How long a connector that shuts down waits for its writes, and then for what can't be interrupted. */
const drain = Duration.seconds(10)
const lastDrain = Duration.seconds(5)
/** How long a step of the store may take. */
const storeTimeout = Duration.seconds(10)

interface Run {
  readonly write: Write
  readonly fiber: Fiber.Fiber<Done, Refused>
  callers: number
}

/**
 * A write in the hands of one owner. `work` is the scope that what outlives a call runs in. A task can be interrupted only
 * where it says `interruptible`: while it waits, and while the author's code runs, never between a step of the store and
 * the next decision.
 */
interface Task {
  readonly store: IdempotencyStore["Service"]
  readonly work: Scope.Scope
  readonly write: Write
  readonly owner: string
}

/** The record changed between two steps: look at it anew. */
const again: unique symbol = Symbol("again")

/**
 * Makes the step over a store. Its scope is the connector's: closing it waits a bounded time for the writes that run.
 */
export const make = Effect.fnUntraced(function* (
  given: IdempotencyStore["Service"]
): Effect.fn.Return<(write: Write) => Effect.Effect<Done, Refused>, never, Scope.Scope> {
  const store = bounded(given)
  const runs = new Map<string, Run>()
  // One random name and a count: a name drawn for each write takes half a kilobyte where the store is in memory.
  const owners = `${globalThis.crypto.randomUUID()}:`
  let owned = 0
  const work = yield* Scope.make()
  yield* Effect.addFinalizer((exit) =>
    Effect.suspend(() => Fiber.awaitAll([...runs.values()].map((run) => run.fiber))).pipe(
      Effect.timeoutOption(drain),
      Effect.andThen(Effect.forkDetach(Scope.close(work, exit), { startImmediately: true })),
      Effect.flatMap((closing) => Effect.timeoutOption(Fiber.await(closing), lastDrain))
    )
  )

  const forget = (run: Run) => {
    if (runs.get(run.write.key.key) === run) runs.delete(run.write.key.key)
  }

  const attend = (run: Run, restore: typeof Effect.interruptible) =>
    Effect.onInterrupt(restore(Fiber.join(run.fiber)), () => {
      run.callers--
      if (run.callers > 0 || run.write.attempts.count > 0) return Effect.void
      // In one turn with the look at the count, so that no attempt begins in between.
      run.write.attempts.abandoned = true
      // From here on a new call must not join what is being taken back.
      forget(run)
      return Fiber.interrupt(run.fiber)
    })

  return (write) =>
    Effect.uninterruptibleMask((restore) => {
      const current = runs.get(write.key.key)
      if (current !== undefined) {
        const conflict = conflictOf(current.write.key.guards, write)
        if (conflict !== undefined) return Effect.fail(conflict)
        current.callers++
        return Effect.map(attend(current, restore), ({ stored }) => ({ stored, replayed: true }))
      }
      const task = perform({ store, work, write, owner: owners + ++owned })
      return Effect.flatMap(Effect.forkIn(task, work, { startImmediately: true, uninterruptible: true }), (fiber) => {
        const done = fiber.pollUnsafe()
        if (done !== undefined) return done
        const run: Run = { write, fiber, callers: 1 }
        runs.set(write.key.key, run)
        fiber.addObserver(() => forget(run))
        return attend(run, restore)
      })
    })
})

const perform = (task: Task): Effect.Effect<Done, Refused> =>
  Clock.clockWith((clock) => {
    const window = openWindow(clock, task.write.tool)
    return Effect.flatMap(claim(task), (found) => (found === undefined ? hold(task, 1, window) : meet(task, found)))
  })

/** Claims the key: nothing when it is ours, else the record as it stands once no live attempt holds it. */
const claim = (
  task: Task,
  waited = 0,
  pause = firstPoll
): Effect.Effect<Existing | undefined, ConnectorError | OutcomeUnknown> => {
  const { store, write, owner } = task
  const { key, guards } = write.key
  // Kept as long as an unknown outcome, which is what it becomes if this process dies.
  const { lease, unknownRetention: retention } = write.tool.idempotency
  return Effect.matchEffect(store.claim({ key, owner, guards, lease, retention }), {
    // Whether the claim arrived can't be known then. Nothing has run, so it is taken back.
    onFailure: (error) => Effect.andThen(release(task), unreachable("no")(error)),
    onSuccess: (found): Effect.Effect<Existing | undefined, ConnectorError | OutcomeUnknown> => {
      if (found._tag === "Claimed") return Effect.undefined
      if (found._tag === "Unreadable") {
        const refused = Effect.fail(outcomeUnknown(write.tool))
        return Effect.andThen(Effect.logError("A record of a write can't be read", found.reason), refused)
      }
      const conflict = conflictOf(found.guards, write)
      if (conflict !== undefined) return Effect.fail(conflict)
      if (found.state !== "claimed" || found.lapsed) return Effect.succeed(found)
      if (waited >= maxWait) return Effect.fail(stillRunning())
      return Effect.flatMap(Effect.interruptible(Effect.sleep(pause)), () =>
        claim(task, waited + pause, Math.min(pause * 2, slowestPoll))
      )
    }
  })
}

const stillRunning = () =>
  new TransientError({
    message: "The same write, begun by an earlier call, has not ended yet",
    retryAfter: Duration.seconds(2),
    applied: "unknown"
  })

/** Goes on from a record that an earlier attempt has left. */
const meet = Effect.fnUntraced(function* (task: Task, found: Existing): Effect.fn.Return<Done, Refused> {
  const { tool } = task.write
  if (found.state === "settled") {
    return { stored: yield* StoredResult.read(tool, found.result, found.settledAt), replayed: true }
  }
  const done = tool.idempotency.recovery === "unknown" ? yield* giveUp(task, found) : yield* takeOver(task, found)
  return done === again ? yield* perform(task) : done
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
  const window = openWindow(yield* Clock.Clock, write.tool)
  const epoch = yield* store
    .takeOver({ key: write.key.key, previousOwner: found.owner, owner, lease, retention })
    .pipe(Effect.catch(unreachable("unknown")))
  if (Option.isNone(epoch)) return again
  if (write.find === undefined) return yield* hold(task, epoch.value, window)
  const earlier = yield* Effect.onError(Effect.interruptible(write.find), () => markUnknown(task))
  if (Option.isNone(earlier)) return yield* hold(task, epoch.value, window)
  const stored = yield* StoredResult.make(write.tool, earlier.value)
  return (yield* settle(task, stored)) ? { stored, replayed: true } : again
})

/** Runs the handler, and ends the hold by what is then known of the write. */
const hold = (task: Task, epoch: number, window: Window): Effect.Effect<Done, Refused> =>
  Effect.matchCauseEffect(task.write.execute(window), {
    onSuccess: (value) =>
      Effect.flatMapEager(StoredResult.make(task.write.tool, value), (stored) =>
        Effect.flatMap(settle(task, stored), (ours) =>
          ours ? Effect.succeed({ stored, replayed: false }) : agree(task, stored)
        )
      ),
    onFailure: (cause) => Effect.andThen(conclude(task, epoch, cause), Effect.failCause(verdict(task.write, cause)))
  })

/**
 * The record is no longer ours. When another owner has settled it, everybody gets the one result that is kept; otherwise
 * ours is real and is returned. Nothing is executed again.
 */
const agree = (task: Task, stored: StoredResult.StoredResult): Effect.Effect<Done> => {
  const own = { stored, replayed: false }
  return Effect.flatMap(claim(task), (found): Effect.Effect<Done> => {
    if (found === undefined) return Effect.as(settle(task, stored), own)
    if (found.state !== "settled") return Effect.succeed(own)
    return Effect.map(StoredResult.read(task.write.tool, found.result, found.settledAt), (kept) => ({
      stored: kept,
      replayed: true
    }))
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
  attempts.count === 0 || !(attempts.uncertain || cause.reasons.some(isUncertain))

/**
 * What the caller is told. When something may have been written, no single error of the handler is the whole truth; and
 * where the same call again could not find out either, that is said now.
 */
const verdict = ({ tool, attempts }: Write, cause: Cause.Cause<ConnectorError>): Cause.Cause<Refused> => {
  if (isNotApplied(attempts, cause) || Cause.hasDies(cause)) return cause
  if (tool.idempotency.recovery === "unknown") return Cause.fail(outcomeUnknown(tool))
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return error instanceof TransientError && error.applied === "unknown" ? cause : Cause.fail(cutOff(tool))
}

const cutOff = (tool: Tool.AnyWrite) =>
  new TransientError({ message: `An attempt at ${tool.name} was cut off`, applied: "unknown" })

/**
 * Settles, and tells whether the record was still ours. When the store is down the write is done all the same, so its
 * result is returned, and settled in the background for as long as the lease keeps others away.
 */
const settle = ({ store, work, write, owner }: Task, stored: StoredResult.StoredResult): Effect.Effect<boolean> => {
  const { lease, retention } = write.tool.idempotency
  const attempt = store.settle({ key: write.key.key, owner, result: stored.text, retention })
  return Effect.catch(attempt, (error) => {
    const later = Effect.retry(attempt, Schedule.spaced("250 millis").pipe(Schedule.upTo({ duration: lease })))
    return Effect.logError("A done write could not be settled yet", error).pipe(
      Effect.andThen(Effect.forkIn(logged("A done write was not settled", later), work)),
      Effect.as(true)
    )
  })
}

const release = ({ store, write, owner }: Task): Effect.Effect<void> =>
  logged("A claim could not be released", store.release({ key: write.key.key, owner }))

const markUnknown = ({ store, write, owner }: Task): Effect.Effect<void> =>
  logged(
    "A write could not be marked unknown",
    store.markUnknown({ key: write.key.key, owner, lapsed: false, retention: write.tool.idempotency.unknownRetention })
  )

/** For steps that the end of the lease makes up for. */
const logged = (message: string, step: Effect.Effect<boolean, StoreError>): Effect.Effect<void> =>
  Effect.asVoid(Effect.catch(step, (error) => Effect.logError(message, error)))

const unreachable = (applied: "no" | "unknown") => (error: StoreError) =>
  Effect.andThen(
    Effect.logError("The idempotency store failed", error),
    Effect.fail(
      new TransientError({
        message: "The connector can't reach its record of writes, so this call executed nothing",
        retryAfter: Duration.seconds(1),
        applied
      })
    )
  )

/**
 * The time in which a hold may execute: four fifths of the lease, by the monotonic clock. A process that stood still until
 * then must not write any more, since another may be about to; and what is cut off has a fifth to come to rest.
 */
const openWindow = (clock: Clock.Clock, tool: Tool.AnyWrite): Window => {
  const length = Duration.toMillis(tool.idempotency.lease) * 0.8
  const opened = clock.monotonicTimeNanosUnsafe()
  return { left: () => length - Number(clock.monotonicTimeNanosUnsafe() - opened) / 1_000_000 }
}

const conflictOf = (recorded: string, write: Write): ValidationError | undefined => {
  const [first, ...others] = differences(recorded, write.key.guards).map((path) => ({
    path,
    message: "differs from an earlier call that means the same operation",
    expected: "the earlier value, or other values in the fields that identify the operation"
  }))
  return first === undefined ? undefined : new ValidationError({ issues: [first, ...others] })
}

const outcomeUnknown = ({ idempotency: { checkWith } }: Tool.AnyWrite) =>
  new OutcomeUnknown(checkWith === undefined ? {} : { checkWith })

/** A store that does not answer has failed. The memory store always answers at once. */
const bounded = (store: IdempotencyStore["Service"]): IdempotencyStore["Service"] =>
  store.scope === "process"
    ? store
    : {
        scope: store.scope,
        claim: (options) => inTime(store.claim(options)),
        settle: (options) => inTime(store.settle(options)),
        release: (options) => inTime(store.release(options)),
        markUnknown: (options) => inTime(store.markUnknown(options)),
        takeOver: (options) => inTime(store.takeOver(options))
      }

const inTime = <A>(step: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
  Effect.flatMap(Effect.forkDetach(step, { startImmediately: true }), (fiber) =>
    Effect.timeoutOrElse(Fiber.join(fiber), {
      duration: storeTimeout,
      orElse: () => {
        fiber.interruptUnsafe()
        return Effect.fail(
          new StoreError({ reason: `The store did not answer within ${Duration.format(storeTimeout)}` })
        )
      }
    })
  )
