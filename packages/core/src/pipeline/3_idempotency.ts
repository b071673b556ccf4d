/**
 * Step 3: a write happens once. Claim the key, or join, replay, wait or refuse.
 *
 * The run of a write belongs to the connector, not to the call that began it: calls join it and leave it. When the last
 * one leaves before the handler has started, the key is released; after that the write finishes and settles, so that a
 * caller who comes back gets its result. Calls of the same key in this process share one run; other processes meet at the
 * store.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { IdempotencyStore } from "../IdempotencyStore.ts"
import { atOnce } from "../internal/atOnce.ts"
import { bounded } from "../internal/boundedStore.ts"
import * as ClientKey from "../internal/clientKey.ts"
import * as OneWrite from "../internal/oneWrite.ts"
import type { Surroundings } from "../internal/surroundings.ts"
import * as TransactionalWrite from "../internal/transactionalWrite.ts"

export type { Done, Refused, Write } from "../internal/oneWrite.ts"

/** How long a connector that shuts down waits for its writes, and then for what can't be interrupted. */
const drain = Duration.seconds(10)
const lastDrain = Duration.seconds(5)

interface Run {
  readonly task: OneWrite.Task
  readonly fiber: Fiber.Fiber<OneWrite.Done, OneWrite.Refused>
  callers: number
}

/** Makes a call's wait for the run what interrupts the call. */
export type Wait = typeof Effect.interruptible

/**
 * Runs a write once, in what surrounds its call. It begins now. To be called where nothing interrupts; only its wait for the
 * run can be interrupted.
 */
export type Once = (
  write: OneWrite.Write,
  wait: Wait,
  around: Surroundings
) => Effect.Effect<OneWrite.Done, OneWrite.Refused>

/**
 * Makes the step over a store. Its scope is the connector's: closing it waits a bounded time for the writes that run.
 */
export const make = Effect.fnUntraced(function* (
  given: IdempotencyStore["Service"]
): Effect.fn.Return<Once, never, Scope.Scope> {
  const store = bounded(given)
  const runs = new Map<string, Run>()
  const unsettled = new Set<Fiber.Fiber<void>>()
  // One random name and a count: a name drawn for each write takes half a kilobyte where the store is in memory.
  const owners = `${globalThis.crypto.randomUUID()}:`
  let owned = 0
  const work = yield* Scope.make()
  yield* Effect.addFinalizer((exit) =>
    Effect.suspend(() => Fiber.awaitAll([...runs.values()].map((run) => run.fiber))).pipe(
      Effect.andThen(Effect.suspend(() => Fiber.awaitAll(unsettled))),
      Effect.timeoutOption(drain),
      Effect.andThen(Effect.forkDetach(Scope.close(work, exit), { startImmediately: true })),
      Effect.flatMap((closing) => Effect.timeoutOption(Fiber.await(closing), lastDrain))
    )
  )

  const later: OneWrite.Task["later"] = (effect) =>
    Effect.map(Effect.forkIn(effect, work, { startImmediately: true }), (fiber) => {
      unsettled.add(fiber)
      fiber.addObserver(() => unsettled.delete(fiber))
    })

  const forget = (run: Run) => {
    const { key } = run.task.write.key
    if (runs.get(key) === run) runs.delete(key)
  }

  const attend = (run: Run, wait: Wait, onLeft?: OneWrite.Write["onLeft"]) =>
    Effect.onInterrupt(wait(Fiber.join(run.fiber)), () => {
      const { attempts } = run.task.write
      run.callers--
      if (run.callers > 0 || attempts.count > 0) {
        return onLeft === undefined ? Effect.void : later(Effect.flatMap(Fiber.await(run.fiber), onLeft))
      }
      // In one turn with the look at the count, so that no attempt begins in between.
      attempts.abandoned = true
      // From here on a new call must not join what is being taken back.
      forget(run)
      return Fiber.interrupt(run.fiber)
    })

  const start = (write: OneWrite.Write, wait: Wait, around: Surroundings) => {
    const task: OneWrite.Task = { store, later, write, owner: owners + ++owned, around, released: false }
    const { transaction } = store
    const performed =
      write.tool.idempotency.recovery === "transactional" && transaction !== undefined
        ? TransactionalWrite.perform(task, transaction)
        : OneWrite.perform(task)
    return atOnce(
      around.context,
      performed,
      (fiber) => {
        const run: Run = { task, fiber: Fiber.runIn(fiber, work), callers: 1 }
        runs.set(write.key.key, run)
        fiber.addObserver(() => forget(run))
        return attend(run, wait, write.onLeft)
      },
      uninterruptible
    )
  }

  /** A run that ends with nothing written leaves the key to those who wait: one of them runs, and the others join it. */
  const join = (
    run: Run,
    write: OneWrite.Write,
    wait: Wait,
    around: Surroundings,
    since: number
  ): Effect.Effect<OneWrite.Done, OneWrite.Refused> => {
    const { guards } = run.task.write.key
    // The run may be the one that is wrong, so the record decides.
    if (ClientKey.conflictOf(guards, write) !== undefined) return start(write, wait, around)
    const binding = ClientKey.toAdopt(guards, write)
    if (binding !== undefined) {
      return Effect.andThen(
        ClientKey.adopt(store, write.tool, binding),
        Effect.suspend(() => begin(write, wait, around, since))
      )
    }
    run.callers++
    return Effect.matchCauseEffect(attend(run, wait), {
      onSuccess: ({ stored }): Effect.Effect<OneWrite.Done, OneWrite.Refused> =>
        Effect.succeed({ stored, earlier: guards }),
      onFailure: (cause) =>
        (run.task.released || isOnlyIts(run, write)) && timeIn(around) - since < OneWrite.maxWait
          ? begin(write, wait, around, since)
          : Effect.failCause(cause)
    })
  }

  /** A run that was refused since its caller may not be told of the operation says nothing to one who may. */
  const isOnlyIts = ({ task }: Run, { isTold }: OneWrite.Write): boolean =>
    isTold && !task.write.isTold && task.write.attempts.count === 0

  const begin = (
    write: OneWrite.Write,
    wait: Wait,
    around: Surroundings,
    since?: number
  ): Effect.Effect<OneWrite.Done, OneWrite.Refused> => {
    const run = runs.get(write.key.key)
    return run === undefined ? start(write, wait, around) : join(run, write, wait, around, since ?? timeIn(around))
  }

  return (write, wait, around) =>
    write.binding === undefined
      ? begin(write, wait, around)
      : Effect.andThen(
          ClientKey.bind(store, write, write.binding, owners + ++owned),
          Effect.suspend(() => begin(write, wait, around))
        )
})

const timeIn = ({ clock }: Surroundings): number => clock.currentTimeMillisUnsafe()

const uninterruptible = { uninterruptible: true }
