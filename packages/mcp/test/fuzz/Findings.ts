/**
 * What a run has found: how many cases of each category, what they were answered with, and each fault with the first case
 * that shows it.
 */
import type { Fault } from "./Judge.ts"

export interface Findings {
  cases: number
  readonly categories: Map<string, number>
  readonly answers: Map<string, number>
  readonly faults: Map<string, { count: number; first: string }>
  /** The heap of the server at each checkpoint, in bytes. */
  readonly heaps: Array<number>
}

export const make = (): Findings => ({
  cases: 0,
  categories: new Map(),
  answers: new Map(),
  faults: new Map(),
  heaps: []
})

const count = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)

/** Counts a case. */
export const counted = (findings: Findings, category: string): void => {
  findings.cases++
  count(findings.categories, category)
}

/** Counts an answer by its class. */
export const answered = ({ answers }: Findings, answer: string): void => void count(answers, answer)

export const blame = ({ faults }: Findings, { kind, detail }: Fault, shown: () => string = () => ""): void => {
  const known = faults.get(kind)
  if (known === undefined) faults.set(kind, { count: 1, first: [shown(), detail].filter(Boolean).join("\n    => ") })
  else known.count++
}

const mean = (values: ReadonlyArray<number>): number => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * How much the heap grew over the second half of the run, in bytes: the mean of its last quarter over that of its third. The
 * first half is left to caches and compiled code to fill up.
 */
export const growthOf = ({ heaps }: Findings): number => {
  const quarter = Math.floor(heaps.length / 4)
  if (quarter === 0) return 0
  return mean(heaps.slice(-quarter)) - mean(heaps.slice(-2 * quarter, -quarter))
}

/** A quarter of a run may leave this much, and this much for each of its cases, before it is called growth. */
const slack = 1024 * 1024
const slackPerCase = 32

export const isGrowing = (findings: Findings): boolean =>
  growthOf(findings) > slack + (slackPerCase * findings.cases) / 4

const rows = (title: string, counts: Map<string, number>): string =>
  [
    title,
    ...[...counts].sort((a, b) => b[1] - a[1]).map(([name, times]) => `  ${String(times).padStart(8)}  ${name}`)
  ].join("\n")

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(2)} MiB`

export const table = (title: string, findings: Findings): string =>
  [
    `${title}: ${findings.cases} cases`,
    rows("by category", findings.categories),
    rows("by answer", findings.answers),
    `heap: ${findings.heaps.map(mebibytes).join(", ")}; grown by ${mebibytes(growthOf(findings))}`,
    findings.faults.size === 0 ? "no faults" : "faults",
    ...[...findings.faults].map(([kind, { count, first }]) => `  ${String(count).padStart(8)}  ${kind}\n    ${first}`)
  ].join("\n")
