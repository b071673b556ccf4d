/**
 * Who did what: the work of each instance since a moment, from their audit trails.
 */
import { Effect, Schedule } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import type { Instance, Tally } from "./Instance.ts"

export interface Share extends Tally {
  readonly name: string
}

export interface Since {
  /** What each instance has done since then. A process that was killed may have taken its last lines with it. */
  readonly shares: () => ReadonlyArray<Share>
  /** The same, once that many calls are in the trails, or after five seconds. */
  readonly settled: (calls: number) => Effect.Effect<ReadonlyArray<Share>>
}

export const since = (instances: ReadonlyArray<Instance>): Since => {
  const before = instances.map(({ tally }) => ({ ...tally }))
  const shares = () =>
    instances.map(({ name, tally }, index) => ({
      name,
      executed: tally.executed - before[index].executed,
      replayed: tally.replayed - before[index].replayed
    }))
  return {
    shares,
    settled: (calls) =>
      Effect.sync(shares).pipe(
        Effect.repeat({
          until: (shares) => total(shares, "executed") + total(shares, "replayed") >= calls,
          schedule: Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "5 seconds" }))
        })
      )
  }
}

export const total = (shares: ReadonlyArray<Share>, what: keyof Tally): number =>
  shares.reduce((sum, share) => sum + share[what], 0)

export const print = (shares: ReadonlyArray<Share>) => {
  for (const { name, executed, replayed } of shares) {
    Screen.note(`${name.padEnd(8)} executed ${column(executed)}   replayed ${column(replayed)}`)
  }
}

const column = (count: number) => String(count).padStart(4)
