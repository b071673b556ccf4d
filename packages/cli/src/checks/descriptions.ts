/**
 * Checks of what a model reads to decide whether to call a tool.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { excerptOf } from "../internal/excerpt.ts"
import type { Subject, SubjectTool } from "../internal/Subject.ts"

const longest = 2048

export const complete: StaticCheck = {
  info: {
    id: "A05",
    title: "A description says what, when and when not, in at least three sentences and at most 2,048 characters",
    why: "The description is all that a model has to choose a tool by. A short one is called for the wrong things; clients cut a long one off.",
    fix: "Say what the tool does, when to use it, when not to and what to use instead, in three to six sentences.",
    severity: "warn",
    question: "schemas"
  },
  run: (subject) => ({
    faults: [...instructionFaults(subject), ...subject.tools.flatMap((tool) => faultsOf(tool, subject))],
    note: `${subject.tools.length} descriptions`
  })
}

const instructionFaults = ({ instructions = "", name }: Subject): ReadonlyArray<Fault> =>
  instructions.length <= longest
    ? []
    : [
        {
          subject: name,
          where: "/instructions",
          message: `the instructions have ${instructions.length} characters, and clients cut them at 2,048`,
          fix: "Keep what the model needs for every tool, and move the rest into the tools' descriptions."
        }
      ]

const faultsOf = (tool: SubjectTool, { tools }: Subject): ReadonlyArray<Fault> => {
  const { declared, description: listed, name } = tool
  const fault = (message: string): Fault => ({
    subject: name,
    where: "/description",
    message,
    ...(listed !== "" && { evidence: excerptOf(listed, 0, 200) })
  })
  if (listed.trim() === "") return [{ ...fault("has no description"), severity: "block" }]
  // What the server adds to a write's description is not the author's.
  const own = declared?.description ?? listed
  const faults: Array<Fault> = []
  const sentences = sentencesOf(own)
  if (sentences < 3) {
    faults.push(fault(`has ${sentences} ${sentences === 1 ? "sentence" : "sentences"}, and should have three at least`))
  }
  if (listed.length > longest) {
    const added = listed.length - own.length
    const words = added > 0 ? ` (${added} of them are the sentence on repeats)` : ""
    faults.push(fault(`has ${listed.length} characters${words}, and clients cut it at 2,048`))
  }
  const others = tools.filter((other) => other.name !== name)
  if (!limiting.test(own) && !others.some((other) => own.includes(other.name))) {
    faults.push(fault("does not say when not to use it, or which tool to use instead"))
  }
  const same = others.find((other) => other.description === listed)
  if (same !== undefined) {
    faults.push({
      ...fault(`has the same description as ${same.name}`),
      fix: "Say in each of them what tells it from the other."
    })
  }
  return faults
}

const limiting = /\b(?:not|never|instead|only|unless|cannot|nothing|nobody|no|rather than|except)\b|n't\b/i

const sentencesOf = (text: string): number =>
  [...new Intl.Segmenter("en", { granularity: "sentence" }).segment(text)].filter(({ segment }) =>
    /\p{L}/u.test(segment)
  ).length
