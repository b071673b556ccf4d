/**
 * Checks of the title and the four hints by which clients decide whether to ask a person first.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { effectOf } from "../internal/effects.ts"
import type { SubjectTool } from "../internal/Subject.ts"

const hints = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]

export const given: StaticCheck = {
  info: {
    id: "A03",
    title: "Each tool has a title and says of itself whether it reads, destroys, can be repeated and reaches outside",
    why: "Clients ask a person before a call by these hints. One that is missing counts as the worst, so that people are asked too often and stop reading, and the directory refuses the tool.",
    fix: "Declare the tool with Tool.read or Tool.write, which set all four; elsewhere give each hint as true or false.",
    severity: "block",
    question: "schemas"
  },
  run: ({ tools }) => ({
    faults: tools.flatMap(({ annotations, name, title }) => [
      ...(title === undefined || title.trim() === ""
        ? [{ subject: name, where: "/title", message: "has no title", fix: "Give it a title of a few words." }]
        : []),
      ...hints
        .filter((hint) => typeof annotations[hint] !== "boolean")
        .map((hint) => ({ subject: name, where: `/annotations/${hint}`, message: `does not say ${hint}` }))
    ]),
    note: `${tools.length * (hints.length + 1)} titles and hints`
  })
}

export const honest: StaticCheck = {
  info: {
    id: "A04",
    title: "The hints say what the tool does",
    why: "A tool that calls itself harmless is run without asking anybody. People lose data to a delete that says it only reads.",
    fix: "Let the hints say what the tool does: declare it with Tool.write if it changes anything, and destructive unless it only adds.",
    severity: "block"
  },
  run: ({ tools }) => ({
    faults: tools.flatMap((tool) => [...againstDeclaration(tool), ...againstName(tool)]),
    note: `${tools.length} tools`
  })
}

const againstDeclaration = ({ annotations, declared, name }: SubjectTool): ReadonlyArray<Fault> => {
  if (declared === undefined) return []
  const expected: Readonly<Record<string, boolean>> = {
    readOnlyHint: declared.kind === "read",
    destructiveHint: declared.kind === "write" && declared.destructive,
    idempotentHint: true,
    openWorldHint: declared.openWorld
  }
  return hints
    .filter((hint) => typeof annotations[hint] === "boolean" && annotations[hint] !== expected[hint])
    .map((hint) => ({
      subject: name,
      where: `/annotations/${hint}`,
      message: `says ${hint}: ${String(annotations[hint])}, and is declared as a ${words(declared)}`,
      evidence: `${hint}: ${String(annotations[hint])}`,
      fix: "List the tool as it is declared, with ToolDefinition.ofTool."
    }))
}

const words = (declared: NonNullable<SubjectTool["declared"]>) =>
  `${declared.kind === "write" ? (declared.destructive ? "destructive write" : "write that only adds") : "read"} ${
    declared.openWorld ? "that reaches outside" : "within its own organization"
  }`

const againstName = ({ annotations, name }: SubjectTool): ReadonlyArray<Fault> => {
  const effect = effectOf(name)
  const reads = annotations["readOnlyHint"] === true
  const destroys = annotations["destructiveHint"] === true
  const fault = (hint: string, message: string) => ({
    subject: name,
    where: `/annotations/${hint}`,
    message,
    evidence: `${hint}: ${String(annotations[hint])}`
  })
  if (reads && (effect === "write" || effect === "destroy")) {
    return [fault("readOnlyHint", "says that it only reads, and its name says that it changes something")]
  }
  if (reads && destroys) return [fault("destructiveHint", "says that it only reads, and also that it destroys")]
  if (effect === "destroy" && annotations["destructiveHint"] === false) {
    return [fault("destructiveHint", "says that it destroys nothing, and its name says that it takes something away")]
  }
  return []
}
