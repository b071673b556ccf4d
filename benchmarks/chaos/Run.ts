/**
 * One combination of store, recovery and faults: rounds of load under faults, each with a quiet end at which every
 * operation has to come to rest, and then the judgement.
 */
import type { Tool } from "@ferrule/core"
import { Duration, Effect, type Scope } from "effect"
import type { Dice } from "./Dice.ts"
import { inject } from "./Faults.ts"
import * as Fleet from "./Fleet.ts"
import * as History from "./History.ts"
import * as Judge from "./Judge.ts"
import type { Request } from "./ledger-server.ts"
import * as Ledger from "./Ledger.ts"
import * as Load from "./Load.ts"
import type { Reaper } from "./Reaper.ts"
import type { Running } from "./Servers.ts"
import { writes } from "./Tools.ts"

export interface Options {
  readonly script: string
  readonly reaper: Reaper
  readonly store: Running
  readonly recovery: Tool.Recovery
  readonly naive: boolean
  readonly verbose: boolean
  readonly faults: ReadonlyArray<History.Fault>
  readonly processes: number
  readonly callers: number
  readonly operations: number
  /** How long faults go on, in milliseconds, or how many processes are killed. */
  readonly until: { readonly milliseconds: number } | { readonly kills: number }
  /** Begins the names of accounts. */
  readonly name: string
  readonly seed: number
  readonly dice: Dice
}

export interface Figures {
  readonly faults: Record<History.Fault, number>
  readonly answers: Record<Fleet.Answer["is"], number>
  /** Operations that the ledger applied. */
  operations: number
  /** Operations that a fault can have touched. */
  hit: number
  repeats: number
  /** Operations whose result was given while the store could not be reached, and then called unknown. */
  unsettled: number
  unknownSeen: number
  unknownLeft: number
  /** How often each invariant was broken, on how many operations, and what happened to the first of them. */
  readonly broken: Record<Judge.Fault, number>
  brokenOperations: number
  readonly stories: Array<ReadonlyArray<string>>
}

/** How long faults go on until an end is made and judged, in milliseconds, so that a long run forgets what was right. */
const longestRound = 20_000
/** The share of requests to the ledger that meet a fault while answers are dropped. */
const dropped = 0.1
const mostStories = 3

export const run = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Figures, Fleet.WorkerEnded, Scope.Scope> {
  const { reaper, script, store } = options
  const ledger = yield* Ledger.start(options.seed, reaper)
  const fleet = yield* Fleet.make({
    script,
    assignment: {
      store: store.address,
      recovery: options.recovery,
      ledger: ledger.port,
      naive: options.naive,
      verbose: options.verbose
    },
    processes: options.processes,
    standby: options.faults.includes("kill") ? 3 : 0,
    reaper
  })
  const figures = none()
  const rounds = Effect.gen(function* () {
    for (let round = 1, left = options.until; ; round++) {
      const before = figures.faults.kill
      const length = "milliseconds" in left ? Math.min(left.milliseconds, longestRound) : longestRound
      const enough = "kills" in left ? before + left.kills : Infinity
      yield* Effect.scoped(
        play({ ...options, name: `${options.name}-${round}`, fleet, ledger }, length, enough, figures)
      )
      left =
        "milliseconds" in left
          ? { milliseconds: left.milliseconds - length }
          : { kills: left.kills - (figures.faults.kill - before) }
      if (("milliseconds" in left ? left.milliseconds : left.kills) <= 0) return figures
    }
  })
  return yield* Effect.raceFirst(rounds, fleet.died)
})

interface Stage extends Options {
  readonly fleet: Fleet.Fleet
  readonly ledger: Ledger.Ledger
}

const play = Effect.fnUntraced(function* (stage: Stage, length: number, kills: number, figures: Figures) {
  const { dice, faults, fleet, ledger, recovery, store } = stage
  const history = History.make(fleet)
  const load = { ...stage, history }
  const lease = Duration.toMillis(writes[recovery].idempotency.lease)
  const count = (fault: History.Fault) => void figures.faults[fault]++

  const stop = yield* Load.start(load)
  yield* ledger.faults(faults.includes("drop") ? dropped : 0)
  const enough = Effect.repeat(Effect.sleep("20 millis"), { until: () => figures.faults.kill >= kills })
  yield* Effect.forEach(faults, (fault) => inject(fault, { fleet, history, dice, store, lease, count }), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.scoped, Effect.raceFirst(enough), Effect.timeoutOption(length))

  yield* ledger.faults(0)
  for (const slot of fleet.slots) fleet.step(slot, 0)
  history.heal("clock", fleet.slots)
  yield* stop
  yield* Load.sweep(load)
  judge(history, [...(yield* ledger.report), ...(yield* store.report)], figures)
})

/** Adds what a round has shown. */
const judge = (history: History.History, requests: ReadonlyArray<Request>, figures: Figures): void => {
  const byOperation = Map.groupBy(requests, ({ operation }) => operation)
  for (const request of requests) if (request.fate !== undefined) figures.faults.drop++
  for (const key of history.keys) {
    const own = byOperation.get(key.operation) ?? []
    const verdict = Judge.judge(key, own)
    for (const { answer } of key.calls) if (answer !== undefined) figures.answers[answer.is]++
    if (verdict.effects > 0) figures.operations++
    if (key.hits.size > 0) figures.hit++
    figures.repeats += verdict.repeats
    if (verdict.unsettled) figures.unsettled++
    if (verdict.unknownSeen) figures.unknownSeen++
    if (verdict.unknownLeft) figures.unknownLeft++
    for (const { count, fault } of verdict.findings) figures.broken[fault] += count
    if (verdict.findings.length === 0) continue
    figures.brokenOperations++
    const what = verdict.findings.map(({ count, fault }) => `${fault} ${count}`).join(", ")
    if (figures.stories.length < mostStories) figures.stories.push([what, ...Judge.tell(key, own)])
  }
}

const none = (): Figures => ({
  faults: { kill: 0, pause: 0, restart: 0, cut: 0, drop: 0, clock: 0 },
  answers: { done: 0, conflict: 0, unknown: 0, transient: 0, refused: 0, cut: 0 },
  operations: 0,
  hit: 0,
  repeats: 0,
  unsettled: 0,
  unknownSeen: 0,
  unknownLeft: 0,
  broken: { duplicate: 0, lost: 0, diverging: 0, ghost: 0, conflict: 0, unexplained: 0, open: 0, failed: 0 },
  brokenOperations: 0,
  stories: []
})
