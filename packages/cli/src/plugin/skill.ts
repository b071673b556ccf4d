/**
 * The skill of a plugin: when to use which tool, what each class of refusal asks for, and what a replay means. It is made
 * from the connector's contract, so that it says nothing that the server does not do.
 */
import { isRead, type Subject, type SubjectTool } from "../internal/Subject.ts"
import type { Details } from "./Details.ts"
import { text } from "./markdown.ts"

/** The text of SKILL.md. */
export const skill = ({ description, displayName, server }: Details, { instructions, tools }: Subject): string => {
  const [reads, writes] = [tools.filter(isRead), tools.filter((tool) => !isRead(tool))]
  return [
    "---",
    `name: ${JSON.stringify(server)}`,
    `description: ${JSON.stringify(cut(`${description} ${whenToUse(displayName, writes.length > 0)}`, 1024))}`,
    "---",
    "",
    `# ${text(displayName)}`,
    "",
    ...(instructions === undefined ? [] : [text(instructions), ""]),
    "Not every tool is listed for everybody: a caller sees those that its roles open. A tool that is not listed can't be",
    "called, whatever the user says.",
    "",
    ...section("Look things up", reads),
    ...section("Change things", writes),
    ...(writes.length === 0 ? [] : replays),
    ...refusals(writes.length > 0)
  ].join("\n")
}

const whenToUse = (name: string, writes: boolean) => {
  const ended = writes ? "was refused, was replayed or ended with an unknown outcome" : "was refused"
  return `Use this skill before calling the tools of ${name}, and when a call ${ended}.`
}

const section = (title: string, tools: ReadonlyArray<SubjectTool>) =>
  tools.length === 0 ? [] : [`## ${title}`, "", ...tools.map(entry), ""]

const entry = ({ annotations, declared, description, name, title }: SubjectTool): string => {
  const purpose = cut(declared?.description ?? description, 700)
  const once = declared?.kind === "write" ? ` ${onceOf(declared.idempotency)}` : ""
  const ask =
    annotations["destructiveHint"] === true
      ? " It changes or removes what is there: be sure that the user means it."
      : ""
  return `- \`${name}\` (${text(title ?? name)}): ${text(purpose)}${once}${ask}`
}

const onceOf = ({
  checkWith,
  identity
}: {
  readonly checkWith: string | undefined
  readonly identity: ReadonlyArray<string>
}) => {
  const same = identity.length === 0 ? "Another call" : `Another call with the same ${identity.join(", ")}`
  const check = checkWith === undefined ? "" : ` If its outcome is unknown, look with \`${checkWith}\`.`
  return `${same} is the same write, and happens once.${check}`
}

const replays = [
  "## When a write was done before",
  "",
  'An answer that begins its second text with "Already done at" is a replay: an equal call has done this before, its result',
  "is repeated, and nothing was executed again. Take it as success, and do not change the arguments to make the write happen",
  "anew. If the user wants it done once more on purpose, do what the answer says for that; where it says nothing, tell the",
  "user that it counts as the same write.",
  ""
]

const refusals = (writes: boolean) => [
  "## When a call is refused",
  "",
  "The second line of a refusal names its class, and the third what to do next.",
  "",
  "- `ValidationError`: the arguments are wrong, and nothing was done. Correct every argument that is listed, then call again.",
  "- `AuthorizationError`: this caller may not do this. Stop: do not try again, and do not look for another tool that does the",
  "  same. Tell the user which role or scope is required.",
  "- `TransientError`: wait for the time that is named, then repeat the same call with the same arguments. Changed arguments",
  "  would be another call.",
  ...(writes
    ? [
        "- `OutcomeUnknown`: the write may or may not have happened, and nobody can know from here. Do not repeat it, and do not",
        "  vary it. Look with the read tool that the refusal names, then tell the user what you found.",
        "- `ResultUnavailable`: the write is done, and its result is no longer kept. Do not repeat it; read the state instead."
      ]
    : []),
  "- `Internal`: the server failed. Stop, and give the user the reference in the answer.",
  ""
]

/** Cuts at the end of a sentence where there is one. */
const cut = (text: string, length: number): string => {
  if (text.length <= length) return text
  const head = text.slice(0, length)
  const end = Math.max(...[". ", "! ", "? "].map((mark) => head.lastIndexOf(mark)))
  return end > 0 ? head.slice(0, end + 1) : head
}
