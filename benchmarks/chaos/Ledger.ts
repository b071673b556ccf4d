/**
 * Starts the ledger and asks it what it has seen.
 */
import { Effect, type Scope } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import type { Command, Request } from "./ledger-server.ts"
import { timeout } from "./Tools.ts"
import type { Reaper } from "./Reaper.ts"

export interface Ledger {
  readonly port: number
  /** Sets the share of requests that meet a fault. */
  readonly faults: (share: number) => Effect.Effect<void>
  /** The requests since the last report. */
  readonly report: Effect.Effect<ReadonlyArray<Request>>
}

export const start = (seed: number, reaper: Reaper): Effect.Effect<Ledger, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(join(import.meta.dirname, "ledger-server.ts"), [String(seed), String(timeout)], {
          serialization: "advanced"
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    reaper.watch(child.pid!)
    const received = <A>() => Effect.promise(() => once(child, "message").then(([message]) => message as A))
    const send = (command: Command) => Effect.sync(() => void child.send(command))
    return {
      port: yield* received<number>(),
      faults: (share) => send({ faults: share }),
      report: Effect.map(
        Effect.all([received<ReadonlyArray<Request>>(), send({ report: true })], { concurrency: "unbounded" }),
        ([requests]) => requests
      )
    }
  })
