/**
 * Measures the stores: each side of each in its own process, in turns.
 */
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import type { Load, Measured } from "../Load.ts"
import { type Child, forkChild } from "../loads/child.ts"
import { concurrencies, guarded, median, type Pace, ratio, takeTurns } from "../Rounds.ts"
import { type Entry, entries, floor, type Side, sides, type Work, works } from "./Store.ts"

/** One store's work at one concurrency. */
export interface StoreFigure {
  readonly store: Entry["name"]
  readonly work: Work
  readonly concurrency: number
  readonly callsPerSecond: Readonly<Record<Side, number>>
  /** How many times as long as the raw side takes. */
  readonly toRaw: number
  /** What a call of each side waits for, and the least there is. */
  readonly trips: Readonly<Record<Side | "floor", number>>
}

/** A store that could not be measured, and why. */
export interface LeftOut {
  readonly title: string
  readonly why: string
}

export interface Stores {
  readonly figures: ReadonlyArray<StoreFigure>
  readonly leftOut: ReadonlyArray<LeftOut>
}

export const measureStores = async (pace: Pace): Promise<Stores> => {
  const opened = await Promise.all(entries.map(openStore))
  const leftOut = opened.filter((one): one is LeftOut => "why" in one)
  const stores = opened.filter((one): one is OpenStore => "loads" in one)
  try {
    const turns = stores.flatMap(({ entry, loads }) =>
      works.flatMap((work) =>
        concurrencies.flatMap((concurrency) =>
          sides.map((side) => ({
            label: `${entry.title}, ${side}, ${work}`,
            load: loads[side](work),
            concurrency,
            entry,
            work,
            side
          }))
        )
      )
    )
    for (const { concurrency, label, load } of turns) await guarded(load, { concurrency, ...pace.warmUp }, label)
    const rates = await takeTurns(turns, pace)
    const figures: Array<StoreFigure> = []
    for (let index = 0; index < turns.length; index += sides.length) {
      const { concurrency, entry, work } = turns[index]
      const [ferrule, raw] = [rates[index], rates[index + 1]]
      const { trips } = stores.find((one) => one.entry === entry)!
      figures.push({
        store: entry.name,
        work,
        concurrency,
        callsPerSecond: { ferrule: median(ferrule), raw: median(raw) },
        toRaw: ratio({ rounds: raw }, { rounds: ferrule }),
        trips: { ferrule: await trips("ferrule", work), raw: await trips("raw", work), floor: floor[work] }
      })
    }
    return { figures, leftOut }
  } finally {
    await Promise.all(stores.map(({ close }) => close()))
  }
}

const serve = fileURLToPath(new URL("serve.ts", import.meta.url))

interface OpenStore {
  readonly entry: Entry
  readonly loads: Record<Side, (work: Work) => Load>
  readonly trips: (side: Side, work: Work) => Promise<number>
  readonly close: () => Promise<unknown>
}

const openStore = async (entry: Entry): Promise<OpenStore | LeftOut> => {
  const children = await Promise.all(
    sides.map((side) => forkChild(serve, [entry.name, side], `${entry.title}, ${side}`))
  )
  const failed = children.find(({ ready }) => "failed" in ready)
  if (failed !== undefined) {
    await Promise.all(children.map(end))
    const advice = entry.server === undefined ? "" : ` (its server is the one of ${entry.server})`
    return { title: entry.title, why: `${String(failed.ready["failed"])}${advice}` }
  }
  const [ferrule, raw] = children
  const of: Record<Side, Child> = { ferrule, raw }
  return {
    entry,
    loads: { ferrule: loadOf(ferrule), raw: loadOf(raw) },
    trips: async (side: Side, work: Work): Promise<number> => (await of[side].ask({ trips: work }))["trips"],
    close: () => Promise.all(children.map(end))
  }
}

const loadOf =
  (child: Child) =>
  (work: Work): Load => ({
    measure: async (window) => (await child.ask({ ...window, work })) as unknown as Measured
  })

/** A child removes what it has made, and is stopped when it can't. */
const end = async (child: Child): Promise<void> => {
  // One that has gone already takes no message, and leaves nothing to be done.
  child.process.send({ close: true }, () => {})
  const late = setTimeout(30_000, undefined, { ref: false }).then(child.stop)
  await Promise.race([child.died.catch(() => {}), late])
}
