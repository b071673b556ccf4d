/**
 * Sets what handlers did against what the model says they had to do: nothing runs for a call that is not valid, what was
 * answered with a result of its own has run, and a write runs once.
 */
import type { Execution } from "./desk.ts"
import * as Findings from "./Findings.ts"
import { fault } from "./Judge.ts"
import type { Runs } from "./MessageModel.ts"

export interface Entry {
  readonly runs: Runs
  readonly note: string | undefined
  /** Whether the client gave the operation a key of its own. */
  readonly isKeyed: boolean
}

export interface Ledger {
  readonly expect: (entries: ReadonlyArray<Entry>) => void
  readonly answered: (results: ReadonlyArray<{ readonly note: string; readonly replayed: boolean }>) => void
  /** Settles the accounts of all that was expected and answered until now. */
  readonly collect: (executions: ReadonlyArray<Execution>) => void
}

const reads = ["look", "scoped", "mine"]

export const make = (findings: Findings.Findings): Ledger => {
  // A call whose client has left may still run when the accounts are settled.
  let before = new Map<string, Entry>()
  let expected = new Map<string, Entry>()
  let results = new Set<string>()
  const written = new Set<string>()

  const judge = ({ name, note, principal, tool }: Execution) => {
    const entry = expected.get(note) ?? before.get(note)
    if (entry === undefined) {
      Findings.blame(findings, fault("a handler ran for no valid call", `${tool} ${note}`))
      return
    }
    if (reads.includes(tool) || entry.isKeyed) return
    const operation = JSON.stringify([tool, principal, name.normalize("NFC")])
    if (written.has(operation)) Findings.blame(findings, fault("a write ran twice", `${operation} ${note}`))
    written.add(operation)
  }

  return {
    expect: (entries) => {
      for (const entry of entries) {
        if (entry.note === undefined) continue
        const known = expected.get(entry.note)
        // Two cases may have the same note once it is changed.
        expected.set(entry.note, known?.isKeyed ? known : entry)
      }
    },
    answered: (all) => {
      for (const { note, replayed } of all) if (!replayed) results.add(note)
    },
    collect: (executions) => {
      executions.forEach(judge)
      const ran = new Set(executions.map(({ note }) => note))
      for (const note of results) {
        if (!ran.has(note)) Findings.blame(findings, fault("a result of what did not run", note))
      }
      before = expected
      expected = new Map()
      results = new Set()
    }
  }
}
