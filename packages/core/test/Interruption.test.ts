import { AuditTrail, IdempotencyStore } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Scheduler, Scope } from "effect"
import { Books, clerk, Ledger } from "./fixtures/ledger.ts"

/**
 * Runs fibers one operation at a time, so that a test can interrupt a call at each point at which it could ever yield.
 */
class Stepper implements Scheduler.Scheduler {
  readonly executionMode = "async"
  private readonly tasks: Array<() => void> = []
  // Two operations go into resuming a fiber, so the third is the first that is its own.
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>) {
    return fiber.currentOpCount >= 3
  }
  makeDispatcher() {
    return { scheduleTask: (task: () => void) => void this.tasks.push(task), flush: () => this.drain() }
  }
  step() {
    const task = this.tasks.shift()
    task?.()
    return task !== undefined
  }
  drain() {
    while (this.step());
  }
}

const open = (books: Books) => {
  const scope = Scope.makeUnsafe()
  const client = Effect.runSync(
    TestClient.make(Ledger).pipe(
      Effect.provide(Layer.mergeAll(books.layer, IdempotencyStore.layerMemory)),
      Scope.provide(scope)
    )
  )
  return { client, scope }
}

const quiet = Layer.mergeAll(AuditTrail.layerNone, Logger.layer([]))

/** Interrupts a first call after `steps`, lets everything finish, and calls again. */
const interruptAfter = (steps: number, tool: "book" | "book_once" | "book_found" | "book_keyed") => {
  const books = new Books()
  books.before = Effect.yieldNow
  books.program = Effect.yieldNow
  const { client } = open(books)
  const stepper = new Stepper()
  const call = () =>
    Effect.runFork(
      client
        .as(clerk)
        .call(tool, { account: "rent", amount: 100 })
        .pipe(Effect.provide(quiet), Effect.provideService(Scheduler.Scheduler, stepper))
    )
  const first = call()
  let taken = 0
  while (taken < steps && stepper.step()) taken++
  const finished = first.pollUnsafe() !== undefined
  first.interruptUnsafe()
  stepper.drain()
  const entriesAfterFirst = books.entries.length
  const second = call()
  stepper.drain()
  return { finished, entriesAfterFirst, entries: books.entries.length, second: second.pollUnsafe() }
}

describe("a caller who leaves at any point", () => {
  for (const tool of ["book", "book_once", "book_found", "book_keyed"] as const) {
    it(`${tool}: writes at most once, and the next call gets the result`, () => {
      let points = 0
      let before = 0
      for (; ; points++) {
        const run = interruptAfter(points, tool)
        assert.strictEqual(run.entries, 1, `interrupted after ${points} steps: ${run.entries} entries`)
        assert.isDefined(run.second, `interrupted after ${points} steps: the second call does not end`)
        assert.isTrue(
          run.second !== undefined && Exit.isSuccess(run.second),
          `interrupted after ${points} steps: ${String(run.second)}`
        )
        if (run.entriesAfterFirst === 0) before++
        if (run.finished) break
      }
      // The loop has interrupted on both sides of the write, or it would show nothing.
      assert.isAbove(before, 10)
      assert.isAbove(points - before, 10)
    })
  }
})
