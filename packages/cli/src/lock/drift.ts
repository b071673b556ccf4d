/**
 * What changed between two locks, in sentences that a reviewer can approve or refuse: at least one for each tool whose
 * SHA-256 is another.
 */
import * as Policy from "@ferrule/core/Policy"
import * as Effect from "effect/Effect"
import type { Definition, Idempotency } from "./Definition.ts"
import type { Lock } from "./LockFile.ts"
import * as policyDrift from "./policyDrift.ts"
import * as schemaDrift from "./schemaDrift.ts"
import * as textDrift from "./textDrift.ts"

/** What changed about a tool, or about the connector itself. Each sentence names its subject, and hides no character. */
export interface Drift {
  readonly subject: string
  readonly sentences: ReadonlyArray<string>
}

/** Lists what makes the second lock of the first, tools in the order of their names. */
export const between = Effect.fnUntraced(function* (before: Lock, now: Lock) {
  const names = [...new Set([...Object.keys(before.tools), ...Object.keys(now.tools)])].sort()
  const instructions = textChange("the instructions", before.connector.instructions, now.connector.instructions)
  const connector = toDrift(now.connector.name, instructions)
  const tools = yield* Effect.forEach(names, (name) => ofTool(name, own(before.tools, name), own(now.tools, name)))
  return [...connector, ...tools.flat()]
})

type Locked = Lock["tools"][string]

/** A tool may well be named `constructor`. */
const own = (tools: Lock["tools"], name: string): Locked | undefined =>
  Object.hasOwn(tools, name) ? tools[name] : undefined

const ofTool = Effect.fnUntraced(function* (name: string, before: Locked | undefined, now: Locked | undefined) {
  if (now === undefined) return [{ subject: name, sentences: [textDrift.visible(`${name} is gone`)] }]
  if (before === undefined)
    return [{ subject: name, sentences: [textDrift.visible(yield* introduction(now.definition))] }]
  if (before.sha256 === now.sha256) return []
  return toDrift(name, yield* changes(before.definition, now.definition))
})

const toDrift = (subject: string, sentences: ReadonlyArray<string>): ReadonlyArray<Drift> =>
  sentences.length === 0
    ? []
    : [{ subject, sentences: sentences.map((sentence) => textDrift.visible(`${subject}: ${sentence}`)) }]

const introduction = Effect.fnUntraced(function* ({ kind, name, policy, title }: Definition) {
  const what = title === undefined ? name : `${name} (${textDrift.quoted(title)})`
  if (kind === undefined || policy === undefined) return `${what} is new`
  return `${what} is new: a ${kind} for ${yield* describe(policy)}`
})

const changes = Effect.fnUntraced(function* (before: Definition, now: Definition) {
  return [
    ...valueChange("it", kindWords(before.kind), kindWords(now.kind)),
    ...(yield* policyChange(before.policy, now.policy)),
    ...hintChanges(before, now),
    ...idempotencyChanges(before.idempotency, now.idempotency),
    ...(yield* sharingChange(before.idempotency, now.idempotency)),
    ...textChange("the title", before.title, now.title),
    ...textChange("the description", before.description, now.description),
    ...schemaDrift.between("the input", before.inputSchema, now.inputSchema),
    ...resultChange(before, now)
  ]
})

const kindWords = (kind: Definition["kind"]) => kind && `a ${kind}`

const policyChange = Effect.fnUntraced(function* (
  before: Policy.PolicyJson | undefined,
  now: Policy.PolicyJson | undefined
) {
  if (before === undefined && now === undefined) return []
  if (now === undefined) return ["who may call it can't be seen any more"]
  if (before === undefined) return [`it may be called by ${yield* describe(now)}, which was not seen before`]
  return JSON.stringify(before) === JSON.stringify(now) ? [] : yield* policyDrift.between(before, now)
})

const sharingChange = Effect.fnUntraced(function* (before: Idempotency | undefined, now: Idempotency | undefined) {
  const [was, is] = [before?.sharedWith, now?.sharedWith]
  if (before === undefined || now === undefined || JSON.stringify(was) === JSON.stringify(is)) return []
  if (is === undefined) return [`its writes are now their caller's own (were shared with ${yield* describe(was!)})`]
  if (was === undefined) {
    return [`its writes are now shared within the tenant with ${yield* describe(is)} (were their caller's own)`]
  }
  const sentences = yield* policyDrift.between(was, is)
  return sentences.map((sentence) => `the sharing of its writes: ${sentence}`)
})

const hintChanges = ({ hints: before, meta: metaBefore }: Definition, { hints: now, meta: metaNow }: Definition) => [
  ...memberChanges("the hint ", before, now),
  ...memberChanges("_meta ", metaBefore ?? {}, metaNow ?? {})
]

const idempotencyChanges = (before: Idempotency | undefined, now: Idempotency | undefined): ReadonlyArray<string> => {
  // A read that became a write has said so.
  if (before === undefined && now === undefined) return []
  if (now === undefined) return ["it no longer declares how it happens once"]
  if (before === undefined)
    return [`it now declares how it happens once: recovery ${now.recovery}, by ${now.identity.join(", ")}`]
  const { identity: wasIdentity, free: wasFree, sharedWith: _, ...was } = before
  const { identity, free, sharedWith: __, ...is } = now
  return [
    ...fieldChanges("tells two writes apart", wasIdentity, identity),
    ...fieldChanges("is free to differ in a repeat", wasFree, free),
    ...memberChanges("", was, is)
  ]
}

const fieldChanges = (what: string, before: ReadonlyArray<string>, now: ReadonlyArray<string>) => [
  ...now.filter((name) => !before.includes(name)).map((name) => `field ${name} now ${what}`),
  ...before.filter((name) => !now.includes(name)).map((name) => `field ${name} no longer ${what}`)
]

type Members = Readonly<Record<string, Definition["hints"][string] | undefined>>

const memberChanges = (prefix: string, before: Members, now: Members): ReadonlyArray<string> =>
  [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((key) =>
    valueChange(`${prefix}${key}`, words(before[key]), words(now[key]))
  )

const words = (value: Members[string]) =>
  value === undefined || typeof value === "string" ? value : JSON.stringify(value)

const valueChange = (what: string, before: string | undefined, now: string | undefined): ReadonlyArray<string> =>
  before === now ? [] : [`${what} is now ${now ?? "absent"} (was ${before ?? "absent"})`]

const textChange = (what: string, before: string | undefined, now: string | undefined): ReadonlyArray<string> => {
  if (before === now) return []
  if (now === undefined) return [`${what}: there is none now (was ${textDrift.quoted(before!)})`]
  if (before === undefined) return [`${what}: there is one now: ${textDrift.quoted(now)}`]
  return [`${what} changed: ${textDrift.between(before, now)}`]
}

const resultChange = (
  { outputSchema: before }: Definition,
  { outputSchema: now }: Definition
): ReadonlyArray<string> => {
  if (before !== undefined && now !== undefined) return schemaDrift.between("the result", before, now)
  if (before === now) return []
  return [now === undefined ? "the result has no schema any more" : "the result has a schema now"]
}

const describe = (policy: Policy.PolicyJson) => Effect.map(Effect.orDie(Policy.fromJson(policy)), Policy.describe)
