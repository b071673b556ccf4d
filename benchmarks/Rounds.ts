/**
 * Measures subjects in turns. In each round every subject has one window at each concurrency, so that what else the
 * machine does falls on all of them. A figure is the median of its rounds, and a ratio the median of the ratios within
 * each round.
 */
import { setTimeout } from "node:timers/promises"
import type { Running, Subject } from "./loads/child.ts"
import type { Load, Window } from "./Load.ts"

export const modes = ["memory", "stdio", "http"] as const

export type Mode = (typeof modes)[number]

export const concurrencies = [1, 64] as const

export interface Figure extends Subject {
  readonly mode: Mode
  readonly concurrency: number
  readonly callsPerSecond: number
  /** Calls per second in each round. */
  readonly rounds: ReadonlyArray<number>
}

export interface Pace {
  readonly rounds: number
  readonly milliseconds: number
  /** Of each window: a server that stood idle while others ran is not what its users meet. */
  readonly settle: number
  /** Counted in calls, because a slow server that had only the time of a fast one would still be cold. */
  readonly warmUp: { readonly calls: number; readonly milliseconds: number }
}

export const measure = async (mode: Mode, subjects: ReadonlyArray<Subject>, pace: Pace): Promise<Array<Figure>> => {
  const running = await startAll(mode, subjects)
  try {
    for (const { load, subject } of running) {
      await guarded(load, { concurrency: 64, ...pace.warmUp }, labelOf(mode, subject))
    }
    const turns = running.flatMap(({ load, subject }) =>
      concurrencies.map((concurrency) => ({ label: labelOf(mode, subject), load, subject, concurrency }))
    )
    const rates = await takeTurns(turns, pace)
    return turns.map(({ concurrency, subject }, index) => {
      const rounds = rates[index]
      return { ...subject, mode, concurrency, callsPerSecond: median(rounds), rounds }
    })
  } finally {
    for (const { load } of running) load.stop()
  }
}

/** What has one window in each round. */
export interface Turn {
  readonly label: string
  readonly load: Load
  readonly concurrency: number
}

/** Measures the calls per second of each turn in each round. */
export const takeTurns = async (
  turns: ReadonlyArray<Turn>,
  { milliseconds, rounds, settle }: Pick<Pace, "milliseconds" | "rounds" | "settle">
): Promise<ReadonlyArray<ReadonlyArray<number>>> => {
  const rates: ReadonlyArray<Array<number>> = turns.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, { concurrency, label, load }] of turns.entries()) {
      const { calls, seconds } = await guarded(load, { concurrency, milliseconds, settle }, label)
      rates[index].push(calls / seconds)
    }
  }
  return rates
}

/** How many times as fast the first was as the second. */
export const ratio = (figure: Pick<Figure, "rounds">, other: Pick<Figure, "rounds">): number =>
  median(figure.rounds.map((rate, round) => rate / other.rounds[round]))

/** How many microseconds a call of the first takes more than one of the second. */
export const added = (figure: Pick<Figure, "rounds">, other: Pick<Figure, "rounds">): number =>
  median(figure.rounds.map((rate, round) => 1e6 / rate - 1e6 / other.rounds[round]))

/** How far the rounds lie apart: the slowest to the fastest, as a share of the median. */
export const spread = ({ callsPerSecond, rounds }: Pick<Figure, "callsPerSecond" | "rounds">): number =>
  (Math.max(...rounds) - Math.min(...rounds)) / callsPerSecond

export interface Footprint extends Subject {
  readonly before: { readonly rss: number; readonly heap: number }
  readonly after: { readonly rss: number; readonly heap: number }
}

/**
 * What the server's process holds before and after 50,000 calls over HTTP, 64 at a time. They are not its first, in which V8
 * gives its young generation the size that it keeps.
 */
export const measureMemory = async (subjects: ReadonlyArray<Subject>): Promise<Array<Footprint>> => {
  const footprints: Array<Footprint> = []
  for (const subject of subjects) {
    const load = await start("http", subject)
    try {
      const label = labelOf("http", subject)
      await guarded(load, { concurrency: 64, calls: 30_000 }, label)
      const before = await load.memory!()
      await guarded(load, { concurrency: 64, calls: 50_000 }, label)
      footprints.push({ ...subject, before, after: await load.memory!() })
    } finally {
      load.stop()
    }
  }
  return footprints
}

const labelOf = (mode: Mode, { name, revision, work }: Subject): string => `${name} ${work} ${revision} (${mode})`

const start = async (mode: Mode, subject: Subject): Promise<Running> => {
  const load = (await import(`./loads/${mode}.ts`)) as { start: (subject: Subject) => Promise<Running> }
  return within(60, load.start(subject), labelOf(mode, subject))
}

/** Starts all at once; when one fails, none is left running. */
const startAll = async (mode: Mode, subjects: ReadonlyArray<Subject>) => {
  const starting = subjects.map(async (subject) => ({ subject, load: await start(mode, subject) }))
  const started = await Promise.allSettled(starting)
  const failed = started.find(({ status }) => status === "rejected")
  if (failed === undefined) return Promise.all(starting)
  for (const one of started) if (one.status === "fulfilled") one.value.load.stop()
  throw (failed as PromiseRejectedResult).reason
}

/** A window in which no caller is answered would never end. */
export const guarded = (load: Load, window: Window, label: string) => within(120, load.measure(window), label)

const within = async <A>(seconds: number, work: Promise<A>, label: string): Promise<A> => {
  const stop = new AbortController()
  const late = setTimeout(seconds * 1000, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`no answer within ${seconds} s`)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw new Error(`${label}: ${(error as Error).message}`, { cause: error })
  } finally {
    late.catch(() => {})
    stop.abort()
  }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
