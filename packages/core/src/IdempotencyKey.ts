/**
 * The key of a write: a hash of who does what to which thing, so that a repeat is recognised by its meaning.
 *
 * A model mints a fresh key for every attempt, so a key is no argument of a tool. It is derived from the connector, the
 * tenant and principal, the tool and the arguments that the tool declares as its identity; a client that has a key of its
 * own sends it beside the arguments. The other arguments are guarded by a tag for each, so that a repeat with another
 * value is refused by naming the field, without the value ever being stored.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as CanonicalJson from "./CanonicalJson.ts"
import { type Issue, ValidationError } from "./ConnectorError.ts"
import { sha256, sha256All } from "./internal/sha256.ts"
import type { PrincipalData } from "./Principal.ts"
import type * as Tool from "./Tool.ts"
import type { JsonObject } from "./ToolSchema.ts"

/**
 * `key` names the record. `guards` lists the guarded fields, and the free ones marked as such, each with a tag of its
 * value. `reference` names the operation to its own caller: `keysOf` makes the keys that it may have, for that caller alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface IdempotencyKey {
  readonly key: string
  readonly guards: string
  readonly reference: string
}

/**
 * Derives the keys of a tool's calls, each from a caller and its decoded arguments. A call that comes with the client's own
 * `explicit` key takes that, and every field that is not free is guarded. With `by`, a derived key's guards say under which
 * explicit key the call was made, and those of a key that a tenant shares say by whom.
 *
 * Fails with a `ValidationError` when a field has no exact JSON form, or when the explicit key is not 16 to 255 of
 * `A-Z a-z 0-9 _ . : -`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const derive = (
  connector: string,
  tool: Tool.AnyWrite
): ((
  principal: PrincipalData,
  input: object,
  explicit?: string,
  by?: string
) => Effect.Effect<IdempotencyKey, ValidationError>) => {
  const { identity, guarded, free, occurrence, version } = tool.idempotency
  const service = part(connector)
  const operation = part(tool.name) + part(String(version))
  const field = (name: string): Field => ({ name, as: name, head: part(name) })
  const identifying = identity.toSorted().map(field)
  const tagged = [...guarded.map(field), ...free.map((name) => ({ ...field(name), as: freeMark + name }))]
  const whole = [...identity.map(field), ...tagged]

  return (principal, input, explicit, by) => {
    if (explicit !== undefined && !/^[A-Za-z0-9_.:-]{16,255}$/.test(explicit)) return Effect.fail(badKey())
    const encoded = tool.input.plain ? Result.succeed(input as JsonObject) : tool.input.encode(input)
    if (Result.isFailure(encoded)) {
      return Effect.die(new Error(`The decoded arguments of ${tool.name} have no encoded form`))
    }
    const fields = encoded.success
    const issues: Array<Issue> = []
    const textOf = ({ head, name }: Field): string => {
      const value = fields[name]
      if (value === undefined) return head + part("")
      const text = CanonicalJson.stringify(value)
      if (Result.isSuccess(text)) return head + part(text.success)
      issues.push({ path: name, message: `${text.failure}, so a repeat could not be recognised`, expected: "" })
      return ""
    }

    // A key that is bound to an operation is its client's own, whoever shares the operation.
    const isShared = isSharedBy(tool, principal) && (explicit === undefined || occurrence === undefined)
    const owner = isShared ? tenantOf(principal) : ownerOf(principal)
    let material = service + owner + operation
    if (explicit !== undefined) material += part("explicit") + part(explicit)
    else {
      material += derived
      for (const field of identifying) material += textOf(field)
    }

    const names: Array<string> = []
    const texts: Array<string> = []
    for (const field of explicit === undefined ? tagged : whole) {
      // An absent field has no tag, so that a tool may gain an optional one without refusing the repeats of older calls.
      if (fields[field.name] === undefined) continue
      names.push(field.as)
      texts.push(textOf(field))
    }
    if (by !== undefined) {
      names.push(explicitMark)
      texts.push(part(explicitMark) + part(by))
    }
    if (isShared) {
      names.push(principalMark)
      texts.push(principalText(principal))
    }
    const [first, ...others] = issues
    if (first !== undefined) return Effect.fail(new ValidationError({ issues: [first, ...others] }))
    return Effect.flatMapEager(sha256(material), (reference) => {
      const salt = saltOf(reference)
      const salted = texts.map((text) => salt + text)
      salted.push(owner + reference)
      return Effect.mapEager(sha256All(salted), (hashes) => {
        const guards = names.map((name, index) => `${name}:${tagOf(hashes[index])};`).join("")
        return { key: hashes[names.length], guards, reference }
      })
    })
  }
}

/** A field, what its tag goes by, and its name as it begins the text that is hashed. */
interface Field {
  readonly name: string
  readonly as: string
  readonly head: string
}

/**
 * The keys that an operation may have which this caller has a reference to: its own, and its tenant's, of which only a record
 * with these guards is of an operation that the caller began. With another caller's reference neither is.
 *
 * @category constructors
 * @since 0.1.0
 */
export const keysOf = (
  principal: PrincipalData,
  reference: string
): Effect.Effect<{ readonly own: string; readonly shared: string; readonly begunBy: string }> =>
  Effect.map(
    sha256All([
      ownerOf(principal) + reference,
      tenantOf(principal) + reference,
      saltOf(reference) + principalText(principal)
    ]),
    ([own, shared, tag]) => ({ own, shared, begunBy: `${principalMark}:${tagOf(tag)};` })
  )

const isSharedBy = ({ idempotency }: Tool.AnyWrite, { tenant }: PrincipalData): boolean =>
  idempotency.sharedWith !== undefined && tenant !== undefined

const ownerOf = ({ id, tenant }: PrincipalData): string => part(tenant ?? "") + part(id)

/** No principal's id is written so, since a part begins with its length. */
const tenantOf = ({ tenant }: PrincipalData): string => `${part(tenant ?? "")}*`

/** What no store holds salts each tag, so that equal values in two records can't be seen to be equal. */
const saltOf = (reference: string): string => reference.slice(0, 22)

const tagOf = (hash: string): string => hash.slice(0, 11)

const badKey = () =>
  ValidationError.at(
    "idempotencyKey",
    "must be 16 to 255 letters, digits or _ . : -",
    "a random key such as a UUID, or none"
  )

/** Before the name of a field that is free: it may differ, and then it is said. */
const freeMark = "~"

/** Before what stands among the guards and is no field: the explicit key, and who began what a tenant shares. */
const noField = "!"
const explicitMark = `${noField}idempotencyKey`
const principalMark = `${noField}principal`

const principalText = ({ id }: PrincipalData): string => part(principalMark) + part(id)

/** With its length before it, so that no choice of parts makes two lists read alike. */
const part = (text: string): string => `${text.length}:${text}`

const derived = part("derived")

/**
 * Names the guarded fields in which two calls of one key differ.
 *
 * @category comparing
 * @since 0.1.0
 */
export const differences = (recorded: string, called: string): ReadonlyArray<string> =>
  differing(recorded, called).filter((field) => !field.startsWith(freeMark) && !field.startsWith(noField))

/**
 * Tells whether two calls of one derived key were made under explicit keys that differ. A call without one is nobody's
 * other call.
 *
 * @category comparing
 * @since 0.1.0
 */
export const hasOtherExplicitKey = (recorded: string, called: string): boolean => {
  const before = tags(recorded).get(explicitMark)
  const now = tags(called).get(explicitMark)
  return before !== undefined && now !== undefined && before !== now
}

/**
 * Tells whether another member of the tenant has begun the operation.
 *
 * @category comparing
 * @since 0.1.0
 */
export const isBegunByAnother = (recorded: string, called: string): boolean => {
  const caller = tags(called).get(principalMark)
  return caller !== undefined && caller !== tags(recorded).get(principalMark)
}

/**
 * Names the free fields in which two calls of one key differ.
 *
 * @category comparing
 * @since 0.1.0
 */
export const ignoredDifferences = (recorded: string, called: string): ReadonlyArray<string> =>
  differing(recorded, called)
    .filter((field) => field.startsWith(freeMark))
    .map((field) => field.slice(1))

const differing = (recorded: string, called: string): ReadonlyArray<string> => {
  if (recorded === called) return []
  const before = tags(recorded)
  const now = tags(called)
  return [...new Set([...before.keys(), ...now.keys()])].filter((field) => before.get(field) !== now.get(field))
}

const tags = (guards: string) =>
  new Map(
    guards
      .split(";")
      .filter((entry) => entry !== "")
      .map((entry) => entry.split(":") as [string, string])
  )
