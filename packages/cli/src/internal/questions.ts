/**
 * The four questions that a security team asks of a connector, answered from the checks that bear on each.
 */
import type { CheckResult, Question } from "../Report.ts"

const questions: ReadonlyArray<Pick<Question, "id" | "question">> = [
  { id: "credentials", question: "Can the model never see a raw credential?" },
  { id: "schemas", question: "Does every tool have a strict schema with descriptions?" },
  { id: "errors", question: "Does every error name the fault and its class?" },
  { id: "writes", question: "Is every write idempotent?" }
]

/** Unless the connector itself could be read, the best answer is open: what is behind the wire may be otherwise. */
export const answers = (checks: ReadonlyArray<CheckResult>, isDeclared: boolean): ReadonlyArray<Question> =>
  questions.map(({ id, question }) => {
    const answer = answerOf(checks.filter((check) => check.question === id))
    const best = isDeclared || answer.answer !== "yes" ? answer : { answer: "open" as const, because: outside }
    return { id, question, ...best }
  })

const outside = "Nothing that blocks it can be seen from outside."

const answerOf = (checks: ReadonlyArray<CheckResult>): Pick<Question, "answer" | "because"> => {
  const blocked = checks.filter(({ findings }) =>
    findings.some(({ accepted, severity }) => accepted === undefined && severity === "block")
  )
  if (blocked.length > 0) return { answer: "no", because: `${listed(blocked)} found what blocks it.` }
  const open = checks.filter(({ status }) => status === "not run" || status === "not seen")
  if (open.length > 0) {
    const why = open.every(({ status }) => status === "not run") ? "It was not probed" : "Not everything could be seen"
    return { answer: "open", because: `${why}: ${listed(open)}.` }
  }
  const made = checks.filter(({ status }) => status === "passed" || status === "failed")
  if (made.length === 0) return { answer: "yes", because: "There is nothing that it could be asked of." }
  return { answer: "yes", because: `${listed(made)} found nothing that blocks it.` }
}

const listed = (checks: ReadonlyArray<CheckResult>) => checks.map(({ id }) => id).join(", ")
