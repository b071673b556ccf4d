/**
 * The tables that `pnpm bench` prints, at most 120 columns wide.
 */
import { entries } from "./Contender.ts"
import type { Subject } from "./loads/child.ts"
import { entries as stores, type Side, sides, works } from "./stores/Store.ts"
import type { Stores } from "./stores/Measure.ts"
import { added, concurrencies, type Figure, type Footprint, median, type Mode, ratio, spread } from "./Rounds.ts"
import type { Target } from "./Targets.ts"
import { type Revision, revisions } from "./Workload.ts"

const titles: Record<Mode, string> = { memory: "In memory", stdio: "Over stdio", http: "Over HTTP" }

/** One row for each contender and work, one group of columns for each revision and concurrency. */
export const table = (mode: Mode, figures: ReadonlyArray<Figure>): string => {
  const groups = revisions.flatMap((revision) => concurrencies.map((concurrency) => ({ revision, concurrency })))
  const at = (of: { readonly name: string; readonly work: string }, group: (typeof groups)[number]) =>
    figures.find(
      (figure) =>
        figure.name === of.name &&
        figure.work === of.work &&
        figure.revision === group.revision &&
        figure.concurrency === group.concurrency
    )

  const rows = entries
    .flatMap(({ name, works }) => works.map((work) => ({ name, work })))
    .filter((of) => figures.some(({ name, work }) => name === of.name && work === of.work))
    .map((of) =>
      [
        label(of).padEnd(24),
        ...groups.map((group) => {
          const figure = at(of, group)
          if (figure === undefined) return "–".padStart(22)
          const sdk = at({ name: "sdk", work: "read" }, group)
          const toSdk = sdk === undefined ? "–" : ratio(figure, sdk).toFixed(2)
          const rate = figure.callsPerSecond
          return whole(rate).padStart(8) + micros(rate).padStart(7) + toSdk.padStart(7)
        })
      ].join(" ")
    )
  return [
    `${titles[mode]}: calls per second, µs per call, ratio to SDK 2 McpServer`,
    [" ".repeat(24), ...groups.map(({ concurrency, revision }) => `${revision}, ${concurrency}`.padStart(22))].join(
      " "
    ),
    [" ".repeat(24), ...groups.map(() => "calls/s     µs  ratio".padStart(22))].join(" "),
    ...rows,
    ...additions(figures),
    `Slowest to fastest round: ${Math.round(median(figures.map(spread)) * 100)}% apart (median)`
  ].join("\n")
}

/** What each variant of Ferrule adds to a read when 64 are under way, and what it does for that. */
const additions = (figures: ReadonlyArray<Figure>): ReadonlyArray<string> => {
  const read = (contender: string, revision: Revision) =>
    figures.find(
      ({ concurrency, name, revision: spoken, work }) =>
        name === contender && work === "read" && spoken === revision && concurrency === 64
    )
  const lines = entries.flatMap(({ adds, name, title }) => {
    const found = revisions.flatMap((revision) => {
      const variant = read(name, revision)
      const plain = read("ferrule", revision)
      return variant === undefined || plain === undefined ? [] : [signed(added(variant, plain))]
    })
    return adds === undefined || found.length === 0 ? [] : [`  ${title}: ${found.join(", ")} for ${adds}`]
  })
  return lines.length === 0
    ? []
    : [`Added to a read of Ferrule at 64, µs per call (${revisions.join(", ")}):`, ...lines]
}

const signed = (micros: number): string => (micros < 0 ? "-" : "+") + Math.abs(micros).toFixed(1)

export const memoryTable = (footprints: ReadonlyArray<Footprint>): string =>
  [
    "Held by the process after a forced collection, MiB, over HTTP (a replay is a write under one of 1,000 references)",
    `${" ".repeat(36)} heap before     after RSS before     after`,
    ...footprints.map((footprint) => {
      const { before, after } = footprint
      const held = [before.heap, after.heap, before.rss, after.rss]
      return `${label(footprint)}, ${footprint.revision}`.padEnd(36) + held.map(mebibytes).join("")
    })
  ].join("\n")

/** Two rows for each store, Ferrule's and the raw one, one group of columns for each work and concurrency. */
export const storeTable = ({ figures, leftOut }: Stores): string => {
  const groups = works.flatMap((work) => concurrencies.map((concurrency) => ({ work, concurrency })))
  const measured = stores.filter(({ name }) => figures.some(({ store }) => store === name))
  const row = (name: string, title: string, side: Side): string => {
    const cells = groups.map(({ concurrency, work }) => {
      const figure = figures.find((one) => one.store === name && one.work === work && one.concurrency === concurrency)!
      const toRaw = side === "raw" ? "" : figure.toRaw.toFixed(2)
      const trips = concurrency === 1 ? figure.trips[side].toFixed(1) : ""
      return micros(figure.callsPerSecond[side]).padStart(8) + toRaw.padStart(6) + trips.padStart(6)
    })
    return [(side === "raw" ? `  ${title}, raw` : title).padEnd(26), ...cells].join(" ")
  }
  return [
    "Stores: µs per call, ratio to the raw client's, and what a call waits for one after the other: statements and scripts",
    "sent to a server, of SQLite the commits of a first call and the statements of a replay",
    [
      " ".repeat(26),
      ...groups.map(({ concurrency, work }) => `${work === "first" ? "first call" : work}, ${concurrency}`.padStart(20))
    ].join(" "),
    [
      " ".repeat(26),
      ...groups.map(({ concurrency }) => (concurrency === 1 ? "µs ratio waits" : "µs ratio      ").padStart(20))
    ].join(" "),
    ...measured.flatMap(({ name, title }) => sides.map((side) => row(name, title, side))),
    ...measured.map(({ raw, title }) => `Raw ${title}: ${raw}.`),
    ...leftOut.map(({ title, why }) => `Left out: ${title}, which could not be opened: ${why}`)
  ].join("\n")
}

export const targetTable = (targets: ReadonlyArray<Target>): string => {
  const width = Math.max(...targets.map(({ target }) => target.length))
  return [
    "Targets, at concurrency 64 where none is named",
    ...targets.map(({ found, met, target }) => `${met ? "met    " : "NOT MET"}  ${target.padEnd(width)}  ${found}`)
  ].join("\n")
}

/** The title of a contender, with the work where it has more than one. */
const label = ({ name, work }: Pick<Subject, "name" | "work">): string => {
  const { title, works } = entries.find((entry) => entry.name === name)!
  return works.length > 1 ? `${title}, ${work}` : title
}

const whole = (value: number): string => Math.round(value).toLocaleString("en")

const micros = (rate: number): string => (1e6 / rate).toFixed(rate > 100_000 ? 2 : 1)

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(10)
