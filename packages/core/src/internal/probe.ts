/**
 * Holds a schema's conversions against its shape, by example, when the schema is compiled.
 *
 * JSON Schema states the JSON side only, so a conversion that refuses what that side admits would break the contract.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { agree } from "./agree.ts"
import type { Direction } from "./conversions.ts"
import { reader, refused } from "./reader.ts"
import type { Shape } from "./shape.ts"

type AST = SchemaAST.AST

/** The schema of a node whose services, if it has any, were refused by the compiler. */
export const schemaOf = <A>(ast: AST): Schema.Codec<A, unknown> => Schema.make<Schema.Codec<A, unknown>>(ast)

const closed = { onExcessProperty: "error" } as const

const decode = (ast: AST, direction: Direction, value: unknown) =>
  SchemaParser.decodeUnknownExit(schemaOf(agree(ast, direction)), closed)(value)

const encode = (ast: AST, direction: Direction, value: unknown) =>
  SchemaParser.encodeUnknownExit(schemaOf(agree(ast, direction)), closed)(value)

/** Says what the shape of a converted value admits that its conversion then refuses. */
export const faultOfConversion = (ast: AST, shape: Shape, direction: Direction): string | undefined => {
  const sample = samples(shape).find((value) => isRefusal(decode(ast, direction, value)))
  return sample === undefined
    ? undefined
    : `its JSON form admits ${JSON.stringify(sample)}, which its conversion refuses: narrow the JSON form`
}

/** What stands in for a field that is left out; `undefined` when nothing does. */
export type StandIn =
  | { readonly kind: "refused" }
  | { readonly kind: "absent" }
  | { readonly kind: "default"; readonly json: Schema.Json }

/** Says what a converted field becomes when it is left out. */
export const standIn = (ast: AST, shape: Shape, direction: Direction): StandIn => {
  const struct = new SchemaAST.Objects([new SchemaAST.PropertySignature("field", ast)], [])
  const decoded = decode(struct, direction, {})
  if (Exit.isFailure(decoded)) return isRefusal(decoded) ? { kind: "refused" } : { kind: "absent" }
  const value: unknown = Reflect.get(decoded.value as object, "field")
  if (value === undefined) return { kind: "absent" }
  const encoded = encode(struct, direction, decoded.value)
  const json =
    (Exit.isSuccess(encoded) ? accepted(shape, Reflect.get(encoded.value as object, "field")) : undefined) ??
    accepted(shape, value)
  return json === undefined ? { kind: "absent" } : { kind: "default", json }
}

/** The JSON form of an example, given as JSON or as the value it stands for; `undefined` when it has none. */
export const jsonOf = (ast: AST, shape: Shape, direction: Direction, value: unknown): Schema.Json | undefined => {
  const json = accepted(shape, value)
  if (json !== undefined) return json
  const encoded = encode(ast, direction, value)
  return Exit.isSuccess(encoded) ? accepted(shape, encoded.value) : undefined
}

/** A reader returns what it accepts, and what it accepts is JSON. */
const accepted = (shape: Shape, value: unknown): Schema.Json | undefined => {
  const json = reader(shape)(value)
  return json === refused ? undefined : (json as Schema.Json)
}

/** The issue of a failed decoding; `undefined` for a defect. */
export const issueOf = <A>(exit: Exit.Exit<A, SchemaIssue.Issue>): SchemaIssue.Issue | undefined =>
  Exit.isSuccess(exit) ? undefined : Result.getOrElse(Cause.findError(exit.cause), () => undefined)

/** Whether a decoding failed for another reason than the author's own checks. */
const isRefusal = <A>(exit: Exit.Exit<A, SchemaIssue.Issue>): boolean => {
  if (Exit.isSuccess(exit)) return false
  const issue = issueOf(exit)
  return issue === undefined || !isRule(issue)
}

/** Whether an issue comes from nothing but checks, of a kind if one is asked for. */
export const isRule = (
  issue: SchemaIssue.Issue,
  isMeant: (check: SchemaIssue.Filter["filter"]) => boolean = () => true
): boolean => {
  switch (issue._tag) {
    case "Filter":
      return isMeant(issue.filter)
    case "Pointer":
    case "Encoding":
      return isRule(issue.issue, isMeant)
    case "Composite":
      return issue.issues.every((inner) => isRule(inner, isMeant))
    case "AnyOf":
      return issue.issues.some((inner) => isRule(inner, isMeant))
    default:
      return false
  }
}

const most = 64

/** Values that a shape admits, at its edges where they are known. */
const samples = (shape: Shape): ReadonlyArray<unknown> => {
  const read = reader(shape)
  return candidates(shape)
    .map(read)
    .filter((value) => value !== refused)
    .slice(0, most)
}

const candidates = (shape: Shape): ReadonlyArray<unknown> => {
  switch (shape.kind) {
    case "string": {
      const sizes = [shape.min, Math.max(shape.min, 1), Math.min(shape.max, shape.min + 64)]
      return [..."a0A -é😀"].flatMap((char) => sizes.map((size) => char.repeat(size)))
    }
    case "number":
      return [shape.min, shape.max, shape.above + 1, shape.below - 1, 0, 1, -1, 0.5, 1e21].filter(Number.isFinite)
    case "boolean":
      return [true, false]
    case "enum":
      return shape.values
    case "array":
      return [[], ...samples(shape.items).map((item) => Array.from({ length: Math.max(1, shape.min) }, () => item))]
    case "tuple":
      return [shape.elements.map((element) => samples(element)[0])]
    case "object": {
      const fields = shape.fields.map((field) => ({ ...field, samples: samples(field.shape) }))
      const whole = Object.fromEntries(fields.map(({ name, samples }) => [name, samples[0]]))
      const least = Object.fromEntries(
        fields.flatMap((field) => (field.required ? [[field.name, field.samples[0]]] : []))
      )
      return [
        least,
        whole,
        ...fields.flatMap(({ name, samples }) => samples.map((value) => ({ ...whole, [name]: value })))
      ]
    }
    case "union":
      return shape.members.flatMap(samples)
  }
}
