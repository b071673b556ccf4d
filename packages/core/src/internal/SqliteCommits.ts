/**
 * Makes the changes of a SQLite file: those that arrive in one turn of the event loop in one commit, and none is answered
 * before it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"
import type { DatabaseSync, StatementSync } from "node:sqlite"
import type { StoreError } from "../IdempotencyStore.ts"
import * as SqliteFile from "./SqliteFile.ts"

interface Options {
  readonly db: DatabaseSync
  readonly sql: Readonly<Record<"begin" | "commit" | "rollback", StatementSync>>
  readonly describe: (cause: unknown) => StoreError
  /** Runs what throws while another process holds the lock, until it doesn't or the time is up. */
  readonly waitForLock: <A>(attempt: () => A) => Effect.Effect<A, StoreError>
  /** Answers what waits at the end of the scope, and what comes later. */
  readonly closed: StoreError
}

/** Gives what makes a change: an effect that runs it in the next commit, unless it is interrupted before. */
export const make = Effect.fnUntraced(function* ({
  closed,
  db,
  describe,
  sql,
  waitForLock
}: Options): Effect.fn.Return<<A>(run: () => A) => Effect.Effect<A, StoreError>, never, Scope.Scope> {
  // Both throw, and have done nothing, when another process holds the lock; otherwise every step is answered.
  const commitAlone = (step: Step): void => {
    if (step.abandoned) return
    let answer: Exit.Exit<unknown, StoreError>
    try {
      // The one statement that changes something is a transaction of its own.
      answer = Exit.succeed(step.run())
    } catch (cause) {
      if (SqliteFile.isBusy(cause)) throw cause
      answer = Exit.fail(describe(cause))
    }
    step.answer(answer)
  }
  const commitTogether = (steps: ReadonlyArray<Step>): void => {
    sql.begin.run()
    let answers: ReadonlyArray<Exit.Exit<unknown, StoreError>>
    try {
      answers = steps.map((step) => {
        if (step.abandoned) return Exit.void
        try {
          return Exit.succeed(step.run())
        } catch (cause) {
          // SQLite may have undone the steps before this one too, as it does when the disk is full.
          if (!db.isTransaction) throw cause
          return Exit.fail(describe(cause))
        }
      })
      sql.commit.run()
    } catch (cause) {
      if (db.isTransaction) sql.rollback.run()
      return fail(steps, describe(cause))
    }
    steps.forEach((step, index) => step.answer(answers[index]))
  }
  const commit = (steps: ReadonlyArray<Step>) => (steps.length === 1 ? commitAlone(steps[0]) : commitTogether(steps))

  const whenFree = yield* FiberHandle.makeRuntime<never>()
  let arrived: Array<Step> = []
  let held: ReadonlyArray<Step> = []
  let isAwaited = false
  let isClosed = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      fail([...held, ...arrived], closed)
      arrived = []
    })
  )

  const commitArrived = (): void => {
    // A caller that is answered may go on at once, and then does not wait for another turn each time.
    for (let round = 0; round < 8 && arrived.length > 0; round++) {
      const steps = arrived.splice(0, 256)
      try {
        commit(steps)
      } catch (cause) {
        if (SqliteFile.isBusy(cause)) return hold(steps)
        fail(steps, describe(cause))
      }
    }
    awaitNext()
  }
  const awaitNext = (): void => {
    isAwaited = arrived.length > 0
    if (isAwaited) setImmediate(commitArrived)
  }
  const hold = (steps: ReadonlyArray<Step>): void => {
    held = steps
    waitForLock(() => commit(steps)).pipe(
      Effect.catch((error) => Effect.sync(() => fail(steps, error))),
      Effect.andThen(
        Effect.sync(() => {
          held = []
          awaitNext()
        })
      ),
      whenFree
    )
  }

  return (run) =>
    Effect.callback((resume) => {
      if (isClosed) return resume(Effect.fail(closed))
      // The step's own `run` makes the answer, so it is an `A`.
      const step: Step = { run, answer: resume as Step["answer"], abandoned: false }
      arrived.push(step)
      if (!isAwaited) awaitNext()
      return Effect.sync(() => {
        step.abandoned = true
      })
    })
})

/** A step of a caller that waits for the next commit. */
interface Step {
  readonly run: () => unknown
  readonly answer: (exit: Exit.Exit<unknown, StoreError>) => void
  abandoned: boolean
}

const fail = (steps: ReadonlyArray<Step>, error: StoreError): void => {
  for (const step of steps) step.answer(Exit.fail(error))
}
