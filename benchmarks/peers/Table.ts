/**
 * The tables that `pnpm bench:peers` prints, at most 120 columns wide.
 */
import { type Case, cases } from "./Cases.ts"
import type { Answer } from "./Peer.ts"
import type { Row } from "./Run.ts"

/** What happens in a case, what is right, and what each subject did. */
export const caseTable = ({ entries, name, right, story }: Case, rows: ReadonlyArray<Row>): string =>
  [
    `${name}: ${story}`,
    `  ${"right".padEnd(26)} ${entries.join(" or ").padEnd(8)} ${run(right.map((allowed) => allowed.join("|")))}`,
    ...rows
      .filter((row) => row.name === name)
      .map(({ outcome, title }) => {
        const found =
          outcome.verdict === "n/a"
            ? `${"–".padEnd(8)} ${outcome.why}`
            : `${String(outcome.entries).padEnd(8)} ${answered(outcome.answers)}`
        return `  ${title.padEnd(26)} ${found.padEnd(50)} ${outcome.verdict}`
      })
  ].join("\n")

/** One line for each case, one column for each subject. */
export const verdictTable = (rows: ReadonlyArray<Row>): string => {
  const titles = [...new Set(rows.map(({ title }) => title))]
  const names = titles.map((title) => title.replace(/ \d.*/, ""))
  const verdicts = (title: string) => rows.filter((row) => row.title === title).map(({ outcome }) => outcome.verdict)
  const line = (head: string, cells: ReadonlyArray<string>) =>
    head.padEnd(24) + cells.map((cell, index) => cell.padStart(names[index].length + 2)).join("")
  return [
    line("", names),
    ...cases.map(({ name }) =>
      line(
        name,
        rows.filter((row) => row.name === name).map(({ outcome }) => outcome.verdict)
      )
    ),
    line(
      "right, of those it has",
      titles.map((title) => {
        const had = verdicts(title).filter((verdict) => verdict !== "n/a")
        return `${had.filter((verdict) => verdict === "right").length} of ${had.length}`
      })
    )
  ].join("\n")
}

/** The answers of a case in their order, with how often each comes in a row. */
export const answered = (answers: ReadonlyArray<Answer>): string => run(answers)

const run = (texts: ReadonlyArray<string>): string =>
  texts
    .map((text, index) => {
      if (text === texts[index - 1]) return ""
      const end = texts.findIndex((other, at) => at > index && other !== text)
      const count = (end < 0 ? texts.length : end) - index
      return count === 1 ? text : `${count} × ${text}`
    })
    .filter((text) => text !== "")
    .join(", ")
