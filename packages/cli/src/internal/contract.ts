/**
 * A tool's contract for the report: what a client is shown, and what the connector declares, in words.
 */
import * as Policy from "@ferrule/core/Policy"
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import type * as Schema from "effect/Schema"
import type { ToolContract } from "../Report.ts"
import type { SubjectTool } from "./Subject.ts"
import { tokensOf } from "./tokens.ts"

/** `rateLimit` is the connector's, for a tool that has none of its own. */
export const contractOf = (
  tool: SubjectTool,
  sha256: string | undefined,
  rateLimit: Tool.Any["rateLimit"]
): ToolContract => ({
  name: tool.name,
  ...(tool.title !== undefined && { title: tool.title }),
  description: tool.description,
  annotations: tool.annotations as Record<string, Schema.Json>,
  inputSchema: tool.inputSchema as Schema.Json,
  ...(tool.outputSchema !== undefined && { outputSchema: tool.outputSchema as Schema.Json }),
  ...(tool.declared !== undefined && declaredOf(tool.declared, rateLimit)),
  ...(tool.declared !== undefined && sha256 !== undefined && { sha256 }),
  tokens: tokensOf(tool)
})

const declaredOf = (tool: Tool.Any, rateLimit: Tool.Any["rateLimit"]) => ({
  kind: tool.kind,
  policy: Policy.describe(tool.allow),
  limits: limitsOf({ ...tool, rateLimit: tool.rateLimit ?? rateLimit }),
  ...(tool.kind === "write" && { idempotency: idempotencyOf(tool.idempotency) })
})

const afterACrash: Readonly<Record<Tool.Recovery, string>> = {
  repeatable: "After a crash in the middle, the next call executes again, since repeating it changes nothing.",
  "downstream-key": "After a crash in the middle, the next call executes again with the same key for the upstream.",
  reconcile: "After a crash in the middle, the next call looks for what was written, and executes if there is nothing.",
  transactional: "A crash in the middle undoes the write and its record together.",
  unknown: "After a crash in the middle, the next call says that the outcome is unknown, and executes nothing."
}

const idempotencyOf = (declared: Tool.AnyWrite["idempotency"]): string =>
  [
    declared.identity.length === 0
      ? "Every call of a caller is the same operation."
      : `Two calls with the same ${listed(declared.identity)} are one operation.`,
    declared.guarded.length > 0 && `A repeat with another ${listed(declared.guarded, "or")} is refused.`,
    declared.free.length > 0 && `A repeat may have another ${listed(declared.free, "or")}.`,
    declared.occurrence !== undefined && `To mean it once more, the caller counts up ${declared.occurrence}.`,
    `The result is kept for ${spelled(declared.retention)}.`,
    afterACrash[declared.recovery],
    declared.checkWith !== undefined && `It is checked with ${declared.checkWith}.`,
    declared.sharedWith === undefined
      ? "An operation is its caller's own."
      : `An operation is its tenant's, and how it ended is told to ${Policy.describe(declared.sharedWith)}.`
  ]
    .filter((sentence) => sentence !== false)
    .join(" ")

const limitsOf = (tool: Tool.Any): string => {
  const { concurrency, maxResultSize, rateLimit, timeout } = tool
  return [
    `A call may take ${spelled(timeout)}, retries included`,
    `a result may have ${maxResultSize.toLocaleString("en")} characters`,
    rateLimit !== undefined && `a caller may have it executed ${rateLimit.limit} times in ${spelled(rateLimit.window)}`,
    concurrency !== undefined && `${concurrency.limit} may run at once`,
    tool.kind === "write" && tool.requiresUserInteraction && "a person is asked before each call"
  ]
    .filter((part) => part !== false)
    .join("; ")
    .concat(".")
}

const units = { hour: 3_600_000, minute: 60_000, second: 1000, millisecond: 1 } as const

/** In the greatest unit that it is a whole number of: 24 hours, 90 seconds. */
const spelled = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  const [name, size] = Object.entries(units).find(([, each]) => millis % each === 0) ?? ["millisecond", 1]
  const count = millis / size
  return `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`
}

const listed = (names: ReadonlyArray<string>, word = "and"): string =>
  names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")} ${word} ${names.at(-1)}`
