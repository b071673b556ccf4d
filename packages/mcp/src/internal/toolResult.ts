/**
 * Outcomes on the wire.
 *
 * On an error, everything is in one text block, since some clients forward only the first one, and there is no
 * `structuredContent`, since some check it against the output schema and then hide the error. The same is there as data in
 * `_meta["ferrule/error"]`. A replay's `structuredContent` is the first answer's, to the byte. Of a result, the text is the
 * JSON of the same data, in which the pipeline has escaped what nobody would see; the data is exact.
 */
import type { Issue, Refusal } from "@ferrule/core/ConnectorError"
import type { Outcome, Replay } from "@ferrule/core/Pipeline"
import type { CallToolResult } from "@modelcontextprotocol/server"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"

/** Where the result of a write says that an earlier call has done it. */
export const replayedKey = "ferrule/replayed"

/** What the model is told to do about each class. */
const actions = {
  ValidationError: "fix-arguments",
  AuthorizationError: "stop",
  TransientError: "retry",
  OutcomeUnknown: "check",
  ResultUnavailable: "done",
  Internal: "stop"
} as const satisfies Record<Refusal["_tag"], string>

/** `statusTool` names the read tool that says what has become of a write, where the connector has one. */
export const ofOutcome = (
  tool: string,
  outcome: Exclude<Outcome, { readonly _tag: "NoSuchTool" }>,
  statusTool: string | undefined
): CallToolResult => {
  if (outcome._tag === "Refused") return ofRefusal(tool, outcome, statusTool)
  const { answer, replay } = outcome
  const text = { type: "text" as const, text: answer.json }
  if (replay === undefined) return { content: [text], structuredContent: answer.value }
  return {
    content: [text, { type: "text", text: doneBefore(replay) }],
    structuredContent: answer.value,
    _meta: { [replayedKey]: replayed(replay) }
  }
}

const doneBefore = ({ doneAt, ignored, onceMore }: Replay, what = "done"): string =>
  [
    `Already ${what} at ${iso(doneAt)}: this is the result of that time, and nothing was executed again. The state may have changed since.`,
    ...(ignored.length === 0 ? [] : [`What differs from that call was ignored: ${ignored.join(", ")}.`]),
    ...Object.entries(onceMore ?? {}).map(([field, count]) => `To do it once more on purpose, pass ${field}: ${count}.`)
  ].join(" ")

const replayed = ({ doneAt, ignored, onceMore, reference }: Replay) => ({
  doneAt: iso(doneAt),
  reference,
  ...(ignored.length > 0 && { ignoredFields: ignored }),
  ...(onceMore !== undefined && { onceMore })
})

const ofRefusal = (
  tool: string,
  { correlationId, reference, refusal, replay }: Extract<Outcome, { readonly _tag: "Refused" }>,
  statusTool: string | undefined
): CallToolResult => {
  const said = textOf(tool, refusal)
  // A write that is done without a result says so itself.
  const isKept = replay !== undefined && refusal._tag !== "ResultUnavailable"
  const text = !isKept ? said : `${said}\n${doneBefore(replay, "answered so")}`
  const open = reference !== undefined && isOpen(refusal)
  return {
    isError: true,
    content: [
      {
        type: "text",
        text:
          open && statusTool !== undefined
            ? `${text}\n${statusTool} says what became of it: reference ${reference}`
            : text
      }
    ],
    _meta: {
      "ferrule/error": {
        class: refusal._tag,
        action: actions[refusal._tag],
        correlationId,
        ...(open && { reference }),
        ...detailsOf(refusal)
      },
      ...(replay !== undefined && { [replayedKey]: replayed(replay) })
    }
  }
}

/** Whether the write may have happened, as far as this refusal tells. */
const isOpen = (refusal: Refusal): boolean =>
  refusal._tag === "OutcomeUnknown" || (refusal._tag === "TransientError" && refusal.applied === "unknown")

const detailsOf = (refusal: Refusal): Record<string, unknown> => {
  switch (refusal._tag) {
    case "ValidationError":
      return { issues: refusal.issues }
    case "AuthorizationError":
      return { roles: refusal.roles, scopes: refusal.scopes }
    case "TransientError":
      return {
        applied: refusal.applied,
        ...(refusal.retryAfter !== undefined && { retryAfterMs: Duration.toMillis(refusal.retryAfter) })
      }
    case "OutcomeUnknown":
      return refusal.checkWith === undefined ? {} : { checkWith: refusal.checkWith }
    case "ResultUnavailable":
      return {
        reason: refusal.reason,
        doneAt: iso(refusal.doneAt),
        ...(refusal.checkWith !== undefined && { checkWith: refusal.checkWith })
      }
    case "Internal":
      return {}
  }
}

const textOf = (tool: string, refusal: Refusal): string => {
  switch (refusal._tag) {
    case "ValidationError":
      return lines(
        `${tool} was not executed: ${refusal.issues.length === 1 ? "an argument is" : `${refusal.issues.length} arguments are`} wrong.`,
        refusal._tag,
        "fix these arguments, then call again.",
        ...refusal.issues.map(issueLine)
      )
    case "AuthorizationError":
      return lines(
        refusal.message,
        refusal._tag,
        "stop. This caller may not do this, and trying again will not change it.",
        ...required("Role", "or", refusal.roles),
        ...required("Scope", "and", refusal.scopes)
      )
    case "TransientError":
      return lines(
        `${refusal.message}.`,
        refusal._tag,
        refusal.retryAfter === undefined
          ? "wait a moment, then repeat the same call with the same arguments."
          : `wait ${Duration.format(refusal.retryAfter)}, then repeat the same call with the same arguments.`,
        refusal.applied === "no"
          ? "Nothing was written."
          : "Whether it took effect is not known. Repeating the same call does not do it twice; changing the arguments may."
      )
    case "OutcomeUnknown":
      return lines(refusal.message, refusal._tag, checkFirst(refusal.checkWith))
    case "ResultUnavailable":
      return lines(
        `${refusal.message} It was done at ${iso(refusal.doneAt)}.`,
        refusal._tag,
        `do not repeat it.${refusal.checkWith === undefined ? "" : ` Read the state with ${refusal.checkWith}.`}`
      )
    case "Internal":
      return lines(refusal.message, refusal._tag, "stop, and tell the user this reference.")
  }
}

const issueLine = ({ path, message, expected }: Issue) => {
  const said = expected === "" || message.includes(expected)
  return `- ${path === "" ? "the arguments" : path}: ${message}${said ? "" : ` (expected: ${expected})`}`
}

const lines = (summary: string, errorClass: string, next: string, ...details: ReadonlyArray<string>) =>
  [summary, `Class: ${errorClass}`, `Next: ${next}`, ...details].join("\n")

const required = (kind: string, word: string, names: ReadonlyArray<string>) =>
  names.length === 0 ? [] : [`${kind} required: ${names.join(` ${word} `)}`]

const checkFirst = (checkWith: string | undefined) =>
  checkWith === undefined
    ? "do not repeat it. Find out first whether it happened, and tell the user."
    : `do not repeat it. Check with ${checkWith} first whether it happened, and tell the user.`

const iso = (millis: number) => DateTime.formatIso(DateTime.makeUnsafe(millis))
