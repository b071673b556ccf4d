/**
 * A store that fails at any one of its steps, before or after the step was applied, under two processes that make the
 * same write.
 */
import {
  AuditTrail,
  type ConnectorError,
  IdempotencyStore,
  StoreError,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Books, clerk, Ledger } from "./fixtures/ledger.ts"

const quiet = Layer.mergeAll(AuditTrail.layerNone, Logger.layer([]))

interface Fault {
  readonly step: number
  readonly when: "before" | "after"
}

/** Counts the steps, and fails the one that the fault names. */
class FaultyStore {
  steps = 0
  healed = false
  readonly fault: Fault | undefined
  constructor(fault: Fault | undefined) {
    this.fault = fault
  }

  private readonly wrap =
    <Options, A>(run: (options: Options) => Effect.Effect<A, StoreError>) =>
    (options: Options): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        const fails = this.fault?.step === this.steps++ && !this.healed
        if (!fails) return run(options)
        const down = Effect.fail(new StoreError({ reason: "The store is down." }))
        return this.fault?.when === "before" ? down : Effect.andThen(run(options), down)
      })

  readonly layer = Layer.effect(
    IdempotencyStore,
    Effect.map(IdempotencyStore, (store) =>
      IdempotencyStore.of({
        scope: "process",
        claim: this.wrap(store.claim),
        read: this.wrap(store.read),
        settle: this.wrap(store.settle),
        release: this.wrap(store.release),
        markUnknown: this.wrap(store.markUnknown),
        takeOver: this.wrap(store.takeOver)
      })
    )
  ).pipe(Layer.provide(IdempotencyStore.layerMemory))
}

interface Fate {
  readonly before?: Effect.Effect<void, ConnectorError>
  readonly after?: Effect.Effect<void, ConnectorError>
}

const fates: Readonly<Record<string, Fate>> = {
  "is done": {},
  "is refused before it writes": { before: Effect.fail(ValidationError.at("account", "is closed")) },
  "finds the ledger busy": { before: Effect.fail(new TransientError({ message: "busy", applied: "no" })) },
  "loses its answer": { after: Effect.fail(new TransientError({ message: "lost" })) },
  "dies after it wrote": { after: Effect.die("broken") },
  "hangs after it wrote": { after: Effect.never },
  "fails and dies at once": {
    after: Effect.failCause(
      Cause.combine(Cause.fail(new TransientError({ message: "busy", applied: "no" })), Cause.die("broken"))
    )
  }
}

type ToolName = "book" | "book_once" | "book_found" | "book_keyed"

/** Three calls at once in two processes, then later ones, the last with a store that works again. */
const play = Effect.fnUntraced(function* (tool: ToolName, fate: Fate, fault: Fault | undefined) {
  const books = new Books()
  books.before = fate.before ?? Effect.void
  books.program = fate.after ?? Effect.void
  const store = new FaultyStore(fault)
  const context = yield* Layer.build(Layer.merge(books.layer, store.layer))
  const one = yield* Effect.provideContext(TestClient.make(Ledger), context)
  const two = yield* Effect.provideContext(TestClient.make(Ledger), context)
  const answers: Array<string> = []
  const round = Effect.fnUntraced(function* (...clients: ReadonlyArray<typeof one>) {
    const fibers = yield* Effect.forEach(clients, (client) =>
      Effect.forkDetach(client.as(clerk).call(tool, { account: "rent", amount: 100 }))
    )
    yield* TestClock.adjust(Duration.minutes(2))
    for (const fiber of fibers) {
      const exit = fiber.pollUnsafe()
      if (exit === undefined) answers.push("none")
      else answers.push(Exit.isSuccess(exit) ? JSON.stringify(exit.value.result) : String(Cause.squash(exit.cause)))
    }
  })
  yield* round(one, one, two)
  books.before = Effect.void
  books.program = Effect.void
  yield* round(two)
  yield* round(one, two)
  store.healed = true
  yield* round(two)
  return { answers, entries: books.entries.length, steps: store.steps }
}, Effect.scoped)

const check = (tool: ToolName, { answers, entries }: Effect.Success<ReturnType<typeof play>>, what: string) => {
  assert.notInclude(answers, "none", `${what}: every caller gets an answer`)
  if (tool === "book_once" || tool === "book_found") assert.isAtMost(entries, 1, `${what}: ${answers.join(" | ")}`)
  const results = new Set(answers.filter((answer) => answer.startsWith("{")))
  assert.isAtMost(results.size, 1, `${what}: one result for all: ${answers.join(" | ")}`)
  const end = answers[answers.length - 1]
  assert.isTrue(end.startsWith("{") || (tool === "book_once" && end.includes("OutcomeUnknown")), `${what}: ${end}`)
}

describe("a store that fails at any one step", () => {
  for (const tool of ["book", "book_once", "book_found", "book_keyed"] as const) {
    for (const [name, fate] of Object.entries(fates)) {
      it.effect(`${tool} whose first attempt ${name}: at most one write, one result, an answer for everybody`, () =>
        Effect.gen(function* () {
          const clean = yield* play(tool, fate, undefined)
          check(tool, clean, "no fault")
          for (let step = 0; step < clean.steps; step++) {
            for (const when of ["before", "after"] as const) {
              check(tool, yield* play(tool, fate, { step, when }), `fails ${when} step ${step}`)
            }
          }
        }).pipe(Effect.provide(quiet))
      )
    }
  }
})
