/**
 * Measures subjects in turns. In each round every subject has one window at each concurrency, so that what else the
 * machine does falls on all of them. A figure is the median of its rounds, and a ratio the median of the ratios within
 * each round.
 */
import { setTimeout } from "node:timers/promises"
import type { Running, Subject } from "./loads/child.ts"
import type { Window } from "./Load.ts"

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
  /** Comes before each window and is not measured: a server that stood idle while others ran is not what its users meet. */
  readonly settle: number
  /** Counted in calls, because a slow server that had only the time of a fast one would still be cold. */
  readonly warmUp: { readonly calls: number; readonly milliseconds: number }
}

export const measure = async (mode: Mode, subjects: ReadonlyArray<Subject>, pace: Pace): Promise<Array<Figure>> => {
  const running = await startAll(mode, subjects)
  try {
    const rates = new Map<string, Array<number>>()
    const turns = running.flatMap(({ load, subject }) =>
      concurrencies.map((concurrency) => ({ key: `${keyOf(subject)} ${concurrency}`, load, subject, concurrency }))
    )
    for (const { load, subject } of running) {
      await guarded(load, { concurrency: 64, ...pace.warmUp }, mode, subject)
    }
    for (let round = 0; round < pace.rounds; round++) {
      for (const { concurrency, key, load, subject } of turns) {
        await guarded(load, { concurrency, milliseconds: pace.settle }, mode, subject)
        const window = { concurrency, milliseconds: pace.milliseconds }
        const { calls, seconds } = await guarded(load, window, mode, subject)
        rates.set(key, [...(rates.get(key) ?? []), calls / seconds])
      }
    }
    return turns.map(({ concurrency, key, subject }) => {
      const rounds = rates.get(key)!
      return { ...subject, mode, concurrency, callsPerSecond: median(rounds), rounds }
    })
  } finally {
    for (const { load } of running) load.stop()
  }
}

/** How many times as fast the first was as the second. */
export const ratio = (figure: Figure, other: Figure): number =>
  median(figure.rounds.map((rate, round) => rate / other.rounds[round]))

/** How far the rounds lie apart: the slowest to the fastest, as a share of the median. */
export const spread = ({ callsPerSecond, rounds }: Figure): number =>
  (Math.max(...rounds) - Math.min(...rounds)) / callsPerSecond

export interface Footprint extends Subject {
  readonly after10k: { readonly rss: number; readonly heap: number }
  readonly after50k: { readonly rss: number; readonly heap: number }
}

/** What the server's process holds after 10,000 and after 50,000 calls over HTTP, 64 at a time. */
export const measureMemory = async (subjects: ReadonlyArray<Subject>): Promise<Array<Footprint>> => {
  const footprints: Array<Footprint> = []
  for (const subject of subjects) {
    const load = await start("http", subject)
    try {
      await guarded(load, { concurrency: 64, calls: 10_000 }, "http", subject)
      const after10k = await load.memory!()
      await guarded(load, { concurrency: 64, calls: 40_000 }, "http", subject)
      footprints.push({ ...subject, after10k, after50k: await load.memory!() })
    } finally {
      load.stop()
    }
  }
  return footprints
}

export const keyOf = ({ name, revision, work }: Subject): string => `${name} ${work} ${revision}`

const start = async (mode: Mode, subject: Subject): Promise<Running> => {
  const load = (await import(`./loads/${mode}.ts`)) as { start: (subject: Subject) => Promise<Running> }
  return within(60, load.start(subject), mode, subject)
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
const guarded = (load: Running, window: Window, mode: Mode, subject: Subject) =>
  within(120, load.measure(window), mode, subject)

const within = async <A>(seconds: number, work: Promise<A>, mode: Mode, subject: Subject): Promise<A> => {
  const stop = new AbortController()
  const late = setTimeout(seconds * 1000, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`no answer within ${seconds} s`)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw new Error(`${keyOf(subject)} (${mode}): ${(error as Error).message}`, { cause: error })
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
