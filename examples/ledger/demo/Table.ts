/**
 * Prints tables: who may call what, read from the same policies that decide the calls.
 */
import { AccessMatrix, type Connector } from "@ferrule/core"

/** Prints rows with their columns under each other. */
export const print = (rows: ReadonlyArray<ReadonlyArray<string>>): void => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  for (const row of rows) {
    const line = row.map((text, column) => text.padEnd(widths[column]!)).join("  ")
    process.stdout.write(`   ${line.trimEnd()}\n`)
  }
}

/** Gives a connector's access matrix as rows, and the rules that its cells refer to by a number. */
export const accessOf = (connector: Connector.Any) => {
  const matrix = AccessMatrix.make(connector)
  const rules: Array<string> = []
  const noteOf = (sentences: ReadonlyArray<string>) => {
    const sentence = sentences.join(", and ")
    if (!rules.includes(sentence)) rules.push(sentence)
    return `(${rules.indexOf(sentence) + 1})`
  }
  const wordsOf = ({ access, predicates, scopes }: AccessMatrix.Cell): string => {
    if (access === "never") return "-"
    const note = predicates.length > 0 ? ` ${noteOf(predicates)}` : ""
    return `${scopes.length > 0 ? scopes.join(" ") : "yes"}${note}`
  }
  const head = ["tool", ...matrix[0]!.cells.map(({ role }) => role ?? "no role")]
  const rows = [head, ...matrix.map(({ cells, tool }) => [tool, ...cells.map(wordsOf)])]
  return { rows, rules: rules.map((sentence, index) => `(${index + 1}) provided that ${sentence}`) }
}
