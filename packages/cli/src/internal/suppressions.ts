/**
 * Holds what a team has accepted against what is found: each acceptance has a reason, and is of something that is there.
 */
import type { Suppression } from "../Audit.ts"
import type { CheckResult } from "../Report.ts"
import type { Fault, Info, Outcome } from "./Check.ts"
import type { Subject } from "./Subject.ts"
import { Unusable } from "./Unusable.ts"

export const info: Info = {
  id: "A21",
  title: "Every finding that the team accepts is still found",
  why: "An acceptance that fits nothing any more waits for the next fault of its kind, and hides it from everybody.",
  fix: "Take it out of the module's suppressions.",
  severity: "warn"
}

/** Refuses an acceptance that does not say why: nobody can judge it. */
export const unreasoned = (suppressions: ReadonlyArray<Suppression>): Unusable | undefined => {
  const found = suppressions.find(({ reason }) => typeof reason !== "string" || reason.trim() === "")
  return (
    found &&
    new Unusable({
      message: `The suppression of ${wordsOf(found)} has no reason. Say in its reason why the team lives with the finding, or take it out.`
    })
  )
}

/** Judges the acceptances by the checks that were made. One of a check that could not be made is left alone. */
export const outcome = (
  suppressions: ReadonlyArray<Suppression>,
  checks: ReadonlyArray<CheckResult>,
  { name, tools }: Subject
): Outcome => {
  if (suppressions.length === 0) return { notApplicable: "Nothing is accepted." }
  const faults = suppressions.flatMap((suppression, i): ReadonlyArray<Fault> => {
    const result = checks.find(({ id }) => id === suppression.check)
    const fault = (message: string) => [
      {
        subject: name,
        where: `/suppressions/${i}`,
        message,
        evidence: `${wordsOf(suppression)}: ${suppression.reason}`
      }
    ]
    if (result === undefined) return fault(`accepts ${suppression.check}, which is no check`)
    const { tool } = suppression
    if (tool !== undefined && tool !== name && !tools.some((each) => each.name === tool)) {
      return fault(`accepts ${suppression.check} of ${tool}, which is no tool of this connector`)
    }
    if (result.status === "not run" || result.status === "not seen") return []
    return result.findings.some(({ subject }) => tool === undefined || subject === tool)
      ? []
      : fault(`accepts ${wordsOf(suppression)}, and nothing of it is found`)
  })
  return { faults, note: `${suppressions.length} acceptances` }
}

const wordsOf = ({ check, tool }: Suppression) => (tool === undefined ? check : `${check} for ${tool}`)
