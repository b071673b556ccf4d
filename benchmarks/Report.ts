/**
 * The tables that `pnpm bench` prints, at most 120 columns wide.
 */
import { entries } from "./Contender.ts"
import type { Subject } from "./loads/child.ts"
import { concurrencies, type Figure, type Footprint, median, type Mode, ratio, spread } from "./Rounds.ts"
import type { Target } from "./Targets.ts"
import { revisions } from "./Workload.ts"

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
    `Slowest to fastest round: ${Math.round(median(figures.map(spread)) * 100)}% apart (median)`
  ].join("\n")
}

export const memoryTable = (footprints: ReadonlyArray<Footprint>): string =>
  [
    "Held by the process after a forced collection, MiB, over HTTP (a replay is a write under one of 1,000 references)",
    `${" ".repeat(36)} heap 10k  heap 50k   RSS 10k   RSS 50k`,
    ...footprints.map((footprint) => {
      const { after10k, after50k } = footprint
      const held = [after10k.heap, after50k.heap, after10k.rss, after50k.rss]
      return `${label(footprint)}, ${footprint.revision}`.padEnd(36) + held.map(mebibytes).join("")
    })
  ].join("\n")

export const targetTable = (targets: ReadonlyArray<Target>): string => {
  const width = Math.max(...targets.map(({ target }) => target.length))
  return [
    "Targets, at concurrency 64",
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
