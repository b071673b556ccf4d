/**
 * Plays the same cases with Ferrule and with the libraries that make writes idempotent on Node: `pnpm bench:peers`.
 *
 * Each is set up as its documentation says, over its own store in memory. The figures are how many entries the order book
 * has in the end, and what each call was answered with. An entry too many is a write made twice.
 */
import { cases } from "./Cases.ts"
import { playAll } from "./Run.ts"
import { caseTable, verdictTable } from "./Table.ts"

const rows = await playAll()
const tables = [...cases.map((one) => caseTable(one, rows)), verdictTable(rows)]
process.stdout.write(tables.join("\n\n") + "\n")
