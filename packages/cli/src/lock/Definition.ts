/**
 * What a tool is, as data: all that a reviewer signs off on, and nothing that runs. Its SHA-256 is over the canonical JSON,
 * so that the order of keys, of `required` and of the fields that identify a write changes nothing.
 */
import * as CanonicalJson from "@ferrule/core/CanonicalJson"
import * as Policy from "@ferrule/core/Policy"
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import type { SubjectTool } from "../internal/Subject.ts"

const JsonObject = Schema.Record(Schema.String, Schema.Json)

/** How a write is recognised and kept; `retention` is in words, such as `1h 30m`. */
export const Idempotency = Schema.Struct({
  identity: Schema.Array(Schema.String),
  free: Schema.Array(Schema.String),
  occurrence: Schema.optionalKey(Schema.String),
  recovery: Schema.String,
  checkWith: Schema.optionalKey(Schema.String),
  retention: Schema.String,
  version: Schema.Int,
  maxStoredSize: Schema.Int,
  recordFailures: Schema.Boolean,
  conflictDetail: Schema.String,
  sharedWith: Schema.optionalKey(Policy.PolicyJson)
})
export type Idempotency = typeof Idempotency.Type

/** A tool's definition. `policy` and `kind` are missing where only the wire was seen, `idempotency` for a read too. */
export const Definition = Schema.Struct({
  name: Schema.String,
  title: Schema.optionalKey(Schema.String),
  description: Schema.String,
  inputSchema: JsonObject,
  outputSchema: Schema.optionalKey(JsonObject),
  hints: JsonObject,
  meta: Schema.optionalKey(JsonObject),
  kind: Schema.optionalKey(Schema.Literals(["read", "write"])),
  policy: Schema.optionalKey(Policy.PolicyJson),
  idempotency: Schema.optionalKey(Idempotency)
})
export type Definition = typeof Definition.Type

type JsonObject = typeof JsonObject.Type

/** Takes the definition of a tool from what it declares and is listed as. */
export const ofTool = (tool: SubjectTool): Definition => {
  const { annotations, declared, description, inputSchema, meta, name, outputSchema, title } = tool
  // A title that is the same among the hints would be said twice.
  const { title: hinted, ...others } = annotations as JsonObject
  const hints = hinted === undefined || hinted === title ? others : { title: hinted, ...others }
  return {
    name,
    ...(title !== undefined && { title }),
    // What the server adds to the declared text follows from the idempotency, which is here as data.
    description: declared?.description ?? description,
    inputSchema: ordered(inputSchema as JsonObject),
    ...(outputSchema !== undefined && { outputSchema: ordered(outputSchema as JsonObject) }),
    hints,
    ...(Object.keys(meta).length > 0 && { meta: meta as JsonObject }),
    ...(declared !== undefined && { kind: declared.kind, policy: Policy.toJson(declared.allow) }),
    ...(declared?.kind === "write" && { idempotency: idempotencyOf(declared) })
  }
}

const idempotencyOf = ({ idempotency }: Tool.AnyWrite): Idempotency => ({
  identity: [...idempotency.identity].sort(),
  free: [...idempotency.free].sort(),
  ...(idempotency.occurrence !== undefined && { occurrence: idempotency.occurrence }),
  recovery: idempotency.recovery,
  ...(idempotency.checkWith !== undefined && { checkWith: idempotency.checkWith }),
  retention: Duration.format(idempotency.retention),
  version: idempotency.version,
  maxStoredSize: idempotency.maxStoredSize,
  recordFailures: idempotency.recordFailures,
  conflictDetail: idempotency.conflictDetail,
  ...(idempotency.sharedWith !== undefined && { sharedWith: Policy.toJson(idempotency.sharedWith) })
})

/** Sorts what JSON Schema gives no order to. The casts: what comes out has the shape of what went in. */
const ordered = <A extends Schema.Json>(value: A): A => {
  if (Array.isArray(value)) return value.map(ordered) as unknown as A
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value as JsonObject).map(([key, member]) => {
    const isNames = key === "required" && Array.isArray(member) && member.every((name) => typeof name === "string")
    return [key, isNames ? [...member].sort() : ordered(member)]
  })
  return Object.fromEntries(entries) as A
}

/** Gives the SHA-256 of a definition's canonical JSON, in hex. */
export const sha256 = (definition: Schema.Json): string =>
  createHash("sha256")
    .update(Result.getOrThrow(CanonicalJson.stringify(exact(definition))))
    .digest("hex")

/**
 * Canonical JSON takes two spellings of a text for one and has no form for some numbers and texts. A definition that changed
 * in nothing else has changed all the same, so these are written out.
 */
const exact = (value: Schema.Json): Schema.Json => {
  if (typeof value === "string")
    return isPlain(value) ? value : { utf16: Buffer.from(value, "utf16le").toString("hex") }
  if (typeof value === "number") {
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? { number: String(value) } : value
  }
  if (Array.isArray(value)) return value.map(exact)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key.isWellFormed() ? key : JSON.stringify(key), exact(member)])
  )
}

const isPlain = (text: string) => text.isWellFormed() && text === text.normalize("NFC")
