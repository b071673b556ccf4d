/**
 * The table that `pnpm chaos` prints, one row for each combination, and what it says of those that are broken.
 */
import { type Fault, faults } from "./History.ts"
import type { Figures } from "./Run.ts"

export interface Row extends Figures {
  readonly store: string
  readonly recovery: string
  readonly set: ReadonlyArray<Fault>
}

/** Whether a write happened twice, a result was lost, answers differ, or another invariant is broken. */
export const isBroken = ({ broken }: Figures): boolean => Object.values(broken).some((count) => count > 0)

const others = ["ghost", "conflict", "unexplained", "open", "failed"] as const

const columns: ReadonlyArray<readonly [title: string, value: (row: Row) => string | number]> = [
  ["store", ({ store }) => store],
  ["recovery", ({ recovery }) => recovery],
  [
    "faults",
    (row) => faults.flatMap((fault) => (row.faults[fault] > 0 ? [`${row.faults[fault]} ${fault}`] : [])).join(", ")
  ],
  ["calls", ({ answers }) => Object.values(answers).reduce((sum, count) => sum + count, 0) - answers.cut],
  ["writes", ({ operations }) => operations],
  ["hit", ({ hit }) => hit],
  ["repeats", ({ repeats }) => repeats],
  ["duplicates", ({ broken }) => broken.duplicate],
  ["lost", ({ broken }) => broken.lost],
  ["diverging", ({ broken }) => broken.diverging],
  [
    "other",
    ({ broken }) => others.flatMap((fault) => (broken[fault] > 0 ? [`${broken[fault]} ${fault}`] : [])).join(", ")
  ],
  [
    "unknown",
    ({ unknownLeft, unknownSeen, unsettled }) =>
      `${unknownSeen}, ${unknownLeft} left${unsettled > 0 ? `, ${unsettled} unsettled` : ""}`
  ]
]

export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = [
    columns.map(([title]) => title),
    ...rows.map((row) =>
      columns.map(([, value]) => {
        const cell = value(row)
        return typeof cell === "number" ? cell.toLocaleString("en") : cell
      })
    )
  ]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)))
  const isText = (index: number) => index < 3
  return lines
    .map((line) =>
      line
        .map((cell, index) => (isText(index) ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!)))
        .join("  ")
    )
    .join("\n")
}

/** What happened to the operations that are broken. */
export const stories = (rows: ReadonlyArray<Row>): string =>
  rows
    .flatMap((row) => row.stories.map((story) => [`${row.store}: ${story[0]}`, ...story.slice(1)].join("\n")))
    .join("\n\n")
