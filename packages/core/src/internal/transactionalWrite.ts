/**
 * A write whose claim, effect and settle are one transaction of the store's own database: they are there together or not
 * at all, so nothing is ever left to find out.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type ConnectorError, OutcomeUnknown, TransientError } from "../ConnectorError.ts"
import type { Claim, IdempotencyStore, StoreError } from "../IdempotencyStore.ts"
import { unlimited } from "../pipeline/4_execute.ts"
import * as Retry from "../Retry.ts"
import { inTime, storeTimeout } from "./boundedStore.ts"
import * as ClientKey from "./clientKey.ts"
import * as OneWrite from "./oneWrite.ts"
import { outcomeUnknown, unreachable, unreadable } from "./storeFault.ts"
import * as StoredResult from "./storedResult.ts"
import * as Surroundings from "./surroundings.ts"

/** Another transaction of this key is still open. */
class Busy extends Data.TaggedError("Busy") {}

type Transaction = NonNullable<IdempotencyStore["Service"]["transaction"]>

/** Each attempt is a transaction of its own, since a statement that fails ends the one that it is in. */
export const perform = (
  task: OneWrite.Task,
  transaction: Transaction
): Effect.Effect<OneWrite.Done, OneWrite.Refused> => {
  const { tool } = task.write
  const within = Duration.times(tool.timeout, 0.8)
  const attempts = Retry.transient(waiting(task, transaction), tool.retry, { safe: true, within })
  return Effect.flatMap(attempts, (answer) => ("stored" in answer ? Effect.succeed(answer) : Effect.fail(answer)))
}

/** A refusal that no further attempt would change is an answer too. */
type Answer = OneWrite.Done | OutcomeUnknown | TransientError

const waiting = (
  task: OneWrite.Task,
  transaction: Transaction,
  waited = 0,
  pause = OneWrite.firstPoll
): Effect.Effect<Answer, ConnectorError> =>
  Effect.catchTag(once(task, transaction), "Busy", () => {
    if (waited >= OneWrite.maxWait) return Effect.succeed(OneWrite.stillRunning())
    const { binding, tool } = task.write
    // Under which key the open transaction runs can't be seen.
    const adopted = binding === undefined || binding.adopted ? Effect.void : ClientKey.adopt(task.store, tool, binding)
    return adopted.pipe(
      Effect.andThen(Effect.interruptible(OneWrite.pauseIn(task.write, waited, pause))),
      Effect.andThen(
        Effect.suspend(() => waiting(task, transaction, waited + pause, Math.min(pause * 2, OneWrite.slowestPoll)))
      )
    )
  })

const once = (task: OneWrite.Task, transaction: Transaction): Effect.Effect<Answer, ConnectorError | Busy> =>
  Effect.suspend(() => {
    const { store, write, owner } = task
    const { attempts } = write
    const { key, guards } = write.key
    const { lease, retention } = write.tool.idempotency
    const begun = attempts.count
    let settled = false

    // Nobody takes over what is not there before it is done.
    const execute = Effect.withFiber(({ context }) => {
      const around = Surroundings.of(context)
      return Effect.flatMap(write.execute(unlimited, around), (value) =>
        Effect.flatMap(StoredResult.make(write.tool, value, around), (stored) =>
          Effect.flatMap(
            store.settle({ key, owner, result: stored.text, retention }),
            (ours): Effect.Effect<Answer> => {
              settled = true
              return ours
                ? Effect.succeed({ stored, earlier: undefined })
                : Effect.die(new Error("The store refused to settle in the transaction of its own claim"))
            }
          )
        )
      )
    })
    const meet = (found: Claim): Effect.Effect<Answer, ConnectorError | StoreError | Busy> => {
      if (found._tag === "Claimed") return execute
      if (found._tag === "Unreadable") return Effect.flip(unreadable(write.tool, found.reason))
      const conflict = ClientKey.conflictOf(found.guards, write, found.state)
      if (conflict !== undefined) return Effect.fail(conflict)
      if (found.state === "settled") return Effect.succeed(OneWrite.replay(write.tool, found))
      if (found.state === "claimed" && !found.lapsed) return Effect.fail(new Busy())
      // Left by an attempt of another kind, before the tool became transactional: only that one can tell.
      return Effect.succeed(outcomeUnknown(write.tool))
    }
    const whole = transaction(Effect.flatMap(store.claim({ key, owner, guards, lease, retention }), meet))
    const ended = Effect.tapCause(inTime(whole, Duration.sum(write.tool.timeout, storeTimeout)), () =>
      Effect.sync(() => {
        if (settled) return
        // What it has done is undone, and the next attempt is the first again.
        attempts.uncertain = false
        task.released = true
      })
    )
    return Effect.catchTags(ended, {
      StoreError: (error) => (settled ? uncommitted(error) : unreachable("no")(error)),
      TransientError: (error): Effect.Effect<Answer, TransientError> => {
        // Without the handler having been reached, it is the connector that can't now, and it has said for how long.
        if (attempts.count === begun) return Effect.succeed(error)
        const { message, retryAfter } = error
        return Effect.fail(
          new TransientError({ message, applied: "no", ...(retryAfter !== undefined && { retryAfter }) })
        )
      }
    })
  })

/** The commit may have gone through, with its answer lost. Repeating the call finds out. */
const uncommitted = (error: StoreError): Effect.Effect<never, TransientError> =>
  Effect.andThen(
    Effect.logError("The transaction of a write may not have been committed", error),
    Effect.fail(
      new TransientError({
        message: "The connector was told nothing of the end of its transaction",
        retryAfter: Duration.seconds(1),
        applied: "unknown"
      })
    )
  )
