/**
 * What Ferrule promises, as ratios between contenders of one run, and whether this run keeps it.
 */
import { entries, type Entry } from "./Contender.ts"
import { type Figure, type Footprint, type Mode, ratio } from "./Rounds.ts"
import type { StoreFigure } from "./stores/Measure.ts"
import { type Entry as Store, entries as stores, floor, type Work as StoreWork, works } from "./stores/Store.ts"
import { type Revision, revisions, type Work } from "./Workload.ts"

export interface Target {
  readonly target: string
  readonly met: boolean
  readonly found: string
}

const peers = entries.filter(({ name }) => !name.startsWith("ferrule") && name !== "bare")

const named = (wanted: string): ReadonlyArray<Entry> => entries.filter(({ name }) => name === wanted)

/** Judges the targets of which both sides were measured. */
export const judge = (figures: ReadonlyArray<Figure>, footprints: ReadonlyArray<Footprint>): Array<Target> => {
  const find = (mode: Mode, revision: Revision, name: string, work: Work = "read"): Figure | undefined =>
    figures.find(
      (figure) =>
        figure.mode === mode &&
        figure.revision === revision &&
        figure.name === name &&
        figure.work === work &&
        figure.concurrency === 64
    )

  const atLeast = (wanted: number, mode: Mode, of: string, others: ReadonlyArray<Entry>): Array<Target> =>
    revisions.flatMap((revision) =>
      (["read", "write"] as const).flatMap((work) => {
        const own = find(mode, revision, "ferrule", work)
        const rivals = others
          .filter((other) => other.revisions.includes(revision))
          .map(({ name }) => find(mode, revision, name))
        if (own === undefined || !rivals.every((rival) => rival !== undefined)) return []
        const found = ratio(own, fastest(rivals))
        return {
          target: `${mode}, ${revision}, ${work}: at least ${wanted} x ${of}`,
          met: found >= wanted,
          found: `${found.toFixed(2)} x`
        }
      })
    )

  return [
    ...atLeast(1, "memory", "SDK 2 McpServer", named("sdk")),
    ...atLeast(5, "memory", "Effect McpServer", named("effect")),
    ...atLeast(3, "http", "the best peer", peers),
    ...atLeast(0.25, "http", "the bare ceiling", named("bare")),
    ...footprints.filter(({ name }) => name === "ferrule").map(flat)
  ]
}

/** A store costs little more than its client does, and asks no more of it than the protocol needs. */
export const judgeStores = (figures: ReadonlyArray<StoreFigure>): Array<Target> =>
  stores.flatMap(({ name, title }) => {
    const own = figures.filter(({ store }) => store === name)
    return own.length === 0 ? [] : [...works.map((work) => withinRaw(title, work, own)), fewestTrips(title, own)]
  })

const withinRaw = (title: Store["title"], work: StoreWork, figures: ReadonlyArray<StoreFigure>): Target => {
  const ratios = figures.filter((figure) => figure.work === work).map(({ toRaw }) => toRaw)
  return {
    target: `${title}, ${wordOf(work)}: at most 1.3 x the raw client's time, at 1 and at 64`,
    met: ratios.every((found) => found <= 1.3),
    found: ratios.map((found) => `${found.toFixed(2)} x`).join(", ")
  }
}

const fewestTrips = (title: Store["title"], figures: ReadonlyArray<StoreFigure>): Target => {
  const trips = works.map((work) => figures.find((figure) => figure.work === work)!.trips.ferrule)
  return {
    target: `${title}: waits ${floor.first} times in a first call and ${floor.replay} time in a replay`,
    // A store's own cleaning up may fall into the count.
    met: works.every((work, index) => Math.abs(trips[index] - floor[work]) < 0.05),
    found: trips.map((found) => found.toFixed(1)).join(", ")
  }
}

const wordOf = (work: StoreWork): string => (work === "first" ? "first call" : "replay")

const fastest = (figures: ReadonlyArray<Figure>): Figure =>
  figures.reduce((best, figure) => (figure.callsPerSecond > best.callsPerSecond ? figure : best))

const mebibytes = (bytes: number): number => bytes / 2 ** 20

/** Flat: 50,000 calls leave less than 42 bytes each on the heap, and the process no more than a tenth larger. */
const flat = (footprint: Footprint): Target => {
  const { before, after } = footprint
  const heap = mebibytes(after.heap - before.heap)
  const rss = after.rss / before.rss
  return {
    target: `flat over 50,000 calls, ${footprint.work}: heap + 2 MiB, RSS x 1.10`,
    met: heap <= 2 && rss <= 1.1,
    found: `heap ${heap < 0 ? "-" : "+"} ${Math.abs(heap).toFixed(1)} MiB, RSS x ${rss.toFixed(2)}`
  }
}
