/**
 * Compares the tools with what they were when they were last looked at.
 */
import type { StaticCheck } from "../internal/Check.ts"

export const drift: StaticCheck = {
  info: {
    id: "A19",
    title: "Every tool is what the lock file says that it was when it was approved",
    why: "A connector that was approved can change afterwards: a description that instructs the model, a wider policy, a lost bound. A change has to be looked at before it reaches anybody.",
    fix: "Look at each change. If it is meant, run ferrule lock and commit the lock file; otherwise undo it.",
    severity: "block"
  },
  run: ({ lock, name }) => {
    if (lock === undefined) return { notRun: "the audit ran without --locked" }
    if (lock.drift === undefined) {
      return {
        faults: [
          {
            subject: name,
            where: lock.path,
            message: "there is no lock file, so that nobody would notice a change",
            fix: "Run ferrule lock and commit what it writes."
          }
        ]
      }
    }
    return {
      faults: lock.drift.map(({ sentences, subject }) => ({
        subject,
        where: lock.path,
        message: `has changed since it was locked: ${sentences[0]!.replace(`${subject}: `, "")}${sentences.length > 1 ? ` (and ${sentences.length - 1} more)` : ""}`,
        evidence: sentences.join("\n")
      })),
      note: `${lock.tools} locked tools`
    }
  }
}
