/**
 * A process of the fleet: serves the connector through the whole pipeline over the store that it is told, and answers the
 * calls that its parent sends. It is made to be killed at any moment.
 */
import { AuditTrail, Pipeline } from "@ferrule/core"
import { Clock, Effect, Layer, Logger, Schedule, type Scope } from "effect"
import { flushCompileCache } from "node:module"
import type { Answer, Assignment, Order, Reply } from "./Fleet.ts"
import * as NaiveStore from "./NaiveStore.ts"
import * as Payments from "./Payments.ts"
import * as Store from "./Store.ts"
import { clerkOf } from "./Tools.ts"

const assignment = JSON.parse(process.argv[2]!) as Assignment

/** The time of day, off by what the parent says. What counts from the process's start goes on as it is. */
let step = 0
const real = Clock.Clock.defaultValue()
const clock: Clock.Clock = {
  currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + step,
  currentTimeMillis: Effect.sync(() => real.currentTimeMillisUnsafe() + step),
  currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe() + BigInt(step) * 1_000_000n,
  currentTimeNanos: Effect.sync(() => real.currentTimeNanosUnsafe() + BigInt(step) * 1_000_000n),
  monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: real.monotonicTimeNanos,
  sleep: (duration) => real.sleep(duration)
}

const answerOf = (outcome: Pipeline.Outcome): Answer => {
  switch (outcome._tag) {
    case "Completed":
      return { is: "done", json: outcome.answer.json, replayed: outcome.replay !== undefined }
    case "NoSuchTool":
      return { is: "refused", text: "no such tool" }
    case "Refused": {
      const { refusal } = outcome
      if (refusal._tag === "OutcomeUnknown") return { is: "unknown" }
      if (refusal._tag === "TransientError") return { is: "transient", text: refusal.message }
      const conflict = refusal._tag === "ValidationError" && refusal.issues.every(({ path }) => path === "amount")
      return conflict ? { is: "conflict" } : { is: "refused", text: `${refusal._tag}: ${refusal.message}` }
    }
  }
}

const reply = (message: Reply): void => void process.send!(message)

/** Over the store that the processes share, for as long as the scope is open. */
const over = <R>(
  pipeline: Effect.Effect<Pipeline.Pipeline, unknown, R | Scope.Scope>,
  store: Layer.Layer<R, unknown>
) => Effect.flatMap(Layer.build(store), (context) => Effect.provideContext(pipeline, context))

const open = async () => {
  const { ledger, naive, recovery, store } = assignment
  if (recovery === "transactional" && store.kind === "postgres") {
    const Bank = await import("./Bank.ts")
    return over(Bank.pipeline, await Store.postgres(store.port))
  }
  const layer = await Store.layer(store)
  return over(Payments.pipeline(ledger), naive ? Layer.provide(NaiveStore.layer, layer) : layer)
}
const opened = await open()

const program = Effect.gen(function* () {
  // A server that is down now is up again in a moment.
  const pipeline = yield* Effect.retry(
    opened,
    Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))
  )
  const context = yield* Effect.context<never>()
  const serve = ({ account, amount, id, tenant, tool }: Order) =>
    Effect.map(pipeline.call({ tool, arguments: { account, amount }, principal: clerkOf(tenant) }), (outcome) =>
      reply({ id, answer: answerOf(outcome) })
    )
  // What is loaded at the first use is loaded now, so that a process serves from the moment it has a turn.
  yield* pipeline.call({ tool: "find_entry", arguments: { account: "none" }, principal: clerkOf("north") })
  yield* Effect.sync(() => {
    process.on("message", (message: Order | { readonly step: number }) => {
      if ("step" in message) step = message.step
      else Effect.runForkWith(context)(serve(message))
    })
    reply({ ready: true })
    // A killed process never gets to keep what it compiled, and the next one starts in half the time with it.
    flushCompileCache()
  })
  return yield* Effect.never
})

const services = Layer.mergeAll(
  AuditTrail.layerNone,
  Layer.succeed(Clock.Clock, clock),
  assignment.verbose ? Layer.succeed(Logger.LogToStderr, true) : Logger.layer([])
)

process.on("disconnect", () => process.exit())
Effect.runFork(Effect.scoped(Effect.provide(program, services))).addObserver((exit) => {
  process.stderr.write(`${String(exit)}\n`)
  process.exit(1)
})
