/**
 * The processes that serve the connector. Each takes its turn in a slot until it is killed; one that stands by, loaded and
 * ready, then takes its place at once.
 */
import type { Tool } from "@ferrule/core"
import { Data, Deferred, Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { build } from "rolldown"
import type { Reaper } from "./Reaper.ts"
import type { Address } from "./Store.ts"

/** What a worker is told at its start. */
export interface Assignment {
  readonly store: Address
  readonly recovery: Tool.Recovery
  readonly ledger: number
  readonly naive: boolean
  /** Whether it logs to stderr. */
  readonly verbose: boolean
}

export interface Order {
  readonly id: number
  readonly tool: string
  readonly tenant: string
  readonly account: string
  readonly amount: number
}

/** How a call ended. `cut` says that its process died before it answered. */
export type Answer =
  | { readonly is: "done"; readonly json: string; readonly replayed: boolean }
  | { readonly is: "conflict" | "unknown" | "cut" }
  | { readonly is: "transient" | "refused"; readonly text: string }

export type Reply = { readonly ready: true } | { readonly id: number; readonly answer: Answer }

/** Says that a process ended which nobody has killed. */
export class WorkerEnded extends Data.TaggedError("WorkerEnded")<{ readonly message: string }> {}

export interface Fleet {
  readonly slots: ReadonlyArray<number>
  /** Sends a call to the process in the slot, once there is one, and waits for its answer or its end. */
  readonly call: (slot: number, order: Omit<Order, "id">) => Effect.Effect<Answer>
  /** Kills the slot's process; false when there is none now. */
  readonly kill: (slot: number) => boolean
  /** Stops the slot's process where it is, and returns what lets it go on; nothing when there is none that runs. */
  readonly pause: (slot: number) => (() => void) | undefined
  /** Sets the slot's time of day off by milliseconds, for its later processes too. */
  readonly step: (slot: number, milliseconds: number) => void
  /** Fails the run: a process ended that nobody has killed. */
  readonly died: Effect.Effect<never, WorkerEnded>
}

interface Worker {
  readonly process: ChildProcess
  readonly calls: Map<number, (answer: Answer) => void>
  paused: boolean
  killed: boolean
}

/** One file starts in a quarter of the time that its hundreds of modules take, and a kill costs a start. */
export const bundle = (folder: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    await build({
      input: join(import.meta.dirname, "worker.ts"),
      platform: "node",
      output: { dir: folder, entryFileNames: "worker.mjs", chunkFileNames: "[name].mjs" },
      logLevel: "silent"
    })
    return join(folder, "worker.mjs")
  })

export const make = Effect.fnUntraced(function* (options: {
  readonly script: string
  readonly assignment: Assignment
  readonly processes: number
  readonly standby: number
  readonly reaper: Reaper
}): Effect.fn.Return<Fleet, WorkerEnded, Scope.Scope> {
  const slots = Array.from({ length: options.processes }, (_, slot) => slot)
  const serving: Array<Worker | undefined> = slots.map(() => undefined)
  const steps = slots.map(() => 0)
  const ready: Array<Worker> = []
  const workers = new Set<Worker>()
  const failed = yield* Deferred.make<never, WorkerEnded>()
  const complete = yield* Deferred.make<void>()
  let closing = false
  let ids = 0

  const tell = (slot: number, message: object): void => void serving[slot]?.process.send(message, () => {})

  const fill = (): void => {
    for (const slot of slots) {
      if (serving[slot] !== undefined || ready.length === 0) continue
      serving[slot] = ready.shift()
      if (steps[slot] !== 0) tell(slot, { step: steps[slot] })
    }
    if (serving.every((worker) => worker !== undefined)) Deferred.doneUnsafe(complete, Effect.void)
  }

  const start = (): void => {
    const child = fork(options.script, [JSON.stringify(options.assignment)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      env: { ...process.env, NODE_COMPILE_CACHE: join(options.script, "..", "cache") }
    })
    const worker: Worker = { process: child, calls: new Map(), paused: false, killed: false }
    workers.add(worker)
    options.reaper.watch(child.pid!)
    child.on("message", (reply: Reply) => {
      if ("ready" in reply) {
        ready.push(worker)
        fill()
      } else {
        worker.calls.get(reply.id)?.(reply.answer)
        worker.calls.delete(reply.id)
      }
    })
    child.once("exit", (code, signal) => {
      workers.delete(worker)
      options.reaper.forget(child.pid!)
      for (const end of worker.calls.values()) end({ is: "cut" })
      if (worker.killed || closing) return
      const message = `A worker ended by itself (${signal ?? `code ${code}`})`
      Deferred.doneUnsafe(failed, Effect.fail(new WorkerEnded({ message })))
    })
    // A message to a process that has died meanwhile is lost, as it would be on a network.
    child.on("error", () => {})
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closing = true
      for (const worker of workers) worker.process.kill("SIGKILL")
    })
  )
  for (let index = 0; index < options.processes + options.standby; index++) start()
  yield* Effect.raceFirst(Deferred.await(complete), Deferred.await(failed))

  const call = (slot: number, order: Omit<Order, "id">): Effect.Effect<Answer> =>
    Effect.suspend(() => {
      const worker = serving[slot]
      if (worker === undefined) return Effect.delay(call(slot, order), "2 millis")
      return Effect.callback<Answer>((resume) => {
        const id = ++ids
        worker.calls.set(id, (answer) => resume(Effect.succeed(answer)))
        worker.process.send({ id, ...order }, () => {})
      })
    })

  return {
    slots,
    call,
    kill: (slot) => {
      const worker = serving[slot]
      if (worker === undefined) return false
      worker.killed = true
      worker.process.kill("SIGKILL")
      serving[slot] = undefined
      fill()
      start()
      return true
    },
    pause: (slot) => {
      const worker = serving[slot]
      if (worker === undefined || worker.paused) return undefined
      worker.paused = true
      worker.process.kill("SIGSTOP")
      return () => {
        worker.paused = false
        worker.process.kill("SIGCONT")
      }
    },
    step: (slot, step) => {
      steps[slot] = step
      tell(slot, { step })
    },
    died: Deferred.await(failed)
  }
})
