/**
 * Checks of what a model reads to decide whether to call a tool.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import type { SubjectTool } from "../internal/Subject.ts"

export const length: StaticCheck = {
  info: {
    id: "A05",
    title: "A description says what, when and when not, in at least three sentences and at most 2,048 characters",
    why: "The description is all that a model has to choose a tool by. A short one is called for the wrong things; clients cut a long one off.",
    fix: "Say what the tool does, when to use it, when not to and what to use instead, in three to six sentences.",
    severity: "warn"
  },
  run: ({ tools }) => ({ faults: tools.flatMap(faultsOf), note: `${tools.length} descriptions` })
}

const faultsOf = ({ description, name }: SubjectTool): ReadonlyArray<Fault> => {
  const fault = (message: string) => ({ subject: name, where: "/description", message, evidence: description })
  const faults: Array<Fault> = []
  const sentences = description.split(/[.!?](?:\s|$)/).filter((part) => part.trim() !== "").length
  if (sentences < 3) faults.push(fault(`has ${sentences} sentences, and should have three at least`))
  if (description.length > 2048) faults.push(fault(`has ${description.length} characters, and clients cut it at 2,048`))
  if (!/\b(not|never|instead|only|can't|don't|doesn't|before|unless|cannot)\b/i.test(description)) {
    faults.push(fault("does not say when not to use it"))
  }
  return faults
}
