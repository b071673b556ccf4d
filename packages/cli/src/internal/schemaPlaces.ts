/**
 * Every place of a JSON Schema where a value is described, by JSON pointer, with references followed and `allOf` merged.
 */
import type { JsonSchema } from "./Subject.ts"

export interface Place {
  readonly where: string
  /** The field's name, where the place is a field of an object. */
  readonly field: string | undefined
  readonly required: boolean
  /** How many objects and arrays it is inside of. */
  readonly depth: number
  /** The schema with what it refers to and its `allOf` merged into it. */
  readonly schema: JsonSchema
  readonly patterns: ReadonlyArray<{ readonly where: string; readonly source: string }>
  /** The reference that can't be followed, or that leads back to where it is. */
  readonly unfollowed: { readonly ref: string; readonly why: "recursive" | "external" } | undefined
}

export const isObject = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Lists the root and everything below it, each before what is inside it. `root` is the root's own pointer. */
export const placesOf = (schema: JsonSchema, root: string): ReadonlyArray<Place> => {
  const places: Array<Place> = []
  const visit = (given: unknown, where: string, at: Pick<Place, "field" | "required" | "depth">, refs: Refs): void => {
    if (!isObject(given)) return
    const followed = follow(given, schema, refs)
    const merged = mergeAll(followed.schema)
    const patterns = patternsOf(followed.schema, where)
    places.push({ ...at, where, schema: merged, patterns, unfollowed: followed.unfollowed })
    const inside = (child: unknown, path: string, field?: string, required = false) =>
      visit(child, `${where}/${path}`, { field, required, depth: at.depth + 1 }, followed.refs)
    const names = listOf(merged["required"])
    for (const keyword of ["properties", "patternProperties"]) {
      const fields = merged[keyword]
      if (!isObject(fields)) continue
      for (const [name, child] of Object.entries(fields)) {
        inside(child, `${keyword}/${escaped(name)}`, name, names.includes(name))
      }
    }
    inside(merged["additionalProperties"], "additionalProperties")
    inside(merged["items"], "items")
    for (const [i, child] of listOf(merged["prefixItems"]).entries()) inside(child, `prefixItems/${i}`)
    for (const keyword of ["anyOf", "oneOf"]) {
      for (const [i, child] of listOf(merged[keyword]).entries()) {
        visit(child, `${where}/${keyword}/${i}`, { field: undefined, required: false, depth: at.depth }, followed.refs)
      }
    }
  }
  visit(schema, root, { field: undefined, required: true, depth: 0 }, [])
  return places
}

type Refs = ReadonlyArray<string>

const follow = (
  given: JsonSchema,
  document: JsonSchema,
  refs: Refs
): { readonly schema: JsonSchema; readonly refs: Refs; readonly unfollowed: Place["unfollowed"] } => {
  const ref = given["$ref"]
  if (typeof ref !== "string") return { schema: given, refs, unfollowed: undefined }
  if (refs.includes(ref)) return { schema: given, refs, unfollowed: { ref, why: "recursive" } }
  const target = resolve(ref, document)
  if (!isObject(target)) return { schema: given, refs, unfollowed: { ref, why: "external" } }
  const { $ref: _, ...beside } = given
  return follow({ ...target, ...beside }, document, [...refs, ref])
}

const resolve = (ref: string, document: JsonSchema): unknown => {
  if (ref === "#") return document
  if (!ref.startsWith("#/")) return undefined
  return ref
    .slice(2)
    .split("/")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((at, part) => (isObject(at) ? at[part] : undefined), document)
}

const mergeAll = (schema: JsonSchema): JsonSchema => {
  const parts = listOf(schema["allOf"]).filter(isObject).map(mergeAll)
  return parts.length === 0
    ? schema
    : { ...Object.assign({}, ...parts), ...schema, properties: Object.assign({}, ...[...parts, schema].map(fieldsOf)) }
}

const fieldsOf = (schema: JsonSchema) => (isObject(schema["properties"]) ? schema["properties"] : {})

const patternsOf = (schema: JsonSchema, where: string): Place["patterns"] => [
  ...(typeof schema["pattern"] === "string" ? [{ where: `${where}/pattern`, source: schema["pattern"] }] : []),
  ...listOf(schema["allOf"]).flatMap((part, i) => (isObject(part) ? patternsOf(part, `${where}/allOf/${i}`) : []))
]

const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1")
