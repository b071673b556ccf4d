/**
 * A JSON Schema as lines that a person reads: one for each field, however deep, with its type, its bounds and what it means.
 *
 * The schema may be a stranger's, so nothing is expected of it. What this does not know is shown as it is written.
 */

export interface Field {
  readonly path: string
  readonly type: string
  readonly bounds: ReadonlyArray<string>
  /** Undefined where the question makes no sense, as for the items of a list. */
  readonly required: boolean | undefined
  readonly description: string | undefined
}

type Schema = Readonly<Record<string, unknown>>

const depthLimit = 6

export const fieldsOf = (schema: unknown): ReadonlyArray<Field> => {
  const root = resolve(schema, schema)
  return isSchema(root) ? membersOf(root, root, "", 0) : []
}

/** Whether a caller may send more than the fields that are listed. */
export const isOpen = (schema: unknown): boolean => !isSchema(schema) || schema["additionalProperties"] !== false

const membersOf = (root: Schema, schema: Schema, path: string, depth: number): ReadonlyArray<Field> => {
  if (depth > depthLimit) return []
  const { additionalProperties, items, properties } = schema
  const required = Array.isArray(schema["required"]) ? schema["required"] : []
  return [
    ...(isSchema(properties)
      ? Object.entries(properties).flatMap(([name, field]) =>
          linesOf(root, field, path === "" ? name : `${path}.${name}`, required.includes(name), depth)
        )
      : []),
    ...(isSchema(items) ? itemsOf(root, items, `${path}[]`, depth) : []),
    ...(isSchema(additionalProperties) ? linesOf(root, additionalProperties, `${path}.*`, undefined, depth) : []),
    ...variantsOf(root, schema).flatMap((variant) => membersOf(root, variant, path, depth + 1))
  ]
}

const linesOf = (
  root: Schema,
  field: unknown,
  path: string,
  required: boolean | undefined,
  depth: number
): ReadonlyArray<Field> => {
  const schema = resolve(root, field)
  if (!isSchema(schema)) {
    return [{ path, type: field === true ? "anything" : "nothing", bounds: [], required, description: undefined }]
  }
  // What stands beside a reference says more of this field than the reference does.
  const own = isSchema(field) ? field : schema
  return [
    {
      path,
      type: typeOf(root, schema, 0),
      bounds: boundsOf(root, schema),
      required,
      description: textOf(own["description"]) ?? textOf(schema["description"])
    },
    ...membersOf(root, schema, path, depth + 1)
  ]
}

/** Items that are fields of their own get a line each; those that are plain say all on the line of their list. */
const itemsOf = (root: Schema, items: Schema, path: string, depth: number): ReadonlyArray<Field> => {
  const schema = resolve(root, items)
  if (!isSchema(schema)) return []
  return isSchema(schema["properties"]) && schema["description"] === undefined
    ? membersOf(root, schema, path, depth + 1)
    : linesOf(root, items, path, undefined, depth)
}

const typeOf = (root: Schema, schema: Schema, depth: number): string => {
  const variants = variantsOf(root, schema)
  const { type } = schema
  if (typeof type === "string")
    return type === "array" ? `list of ${itemTypeOf(root, schema, depth)}` : (words[type] ?? type)
  if (Array.isArray(type)) return type.map((each) => words[String(each)] ?? String(each)).join(" or ")
  if (variants.length > 0 && depth < depthLimit) {
    return [...new Set(variants.map((variant) => typeOf(root, variant, depth + 1)))].join(" or ")
  }
  if ("const" in schema || Array.isArray(schema["enum"])) return "one value of"
  return isSchema(schema["properties"]) ? "object" : "anything"
}

const itemTypeOf = (root: Schema, schema: Schema, depth: number): string => {
  const items = resolve(root, schema["items"])
  return isSchema(items) && depth < depthLimit ? typeOf(root, items, depth + 1) : "anything"
}

const words: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  number: "number",
  boolean: "true or false",
  null: "null",
  object: "object"
}

const boundsOf = (root: Schema, schema: Schema): ReadonlyArray<string> => {
  const told = (key: string, tell: (value: string) => string) =>
    schema[key] === undefined ? [] : [tell(writtenOf(schema[key]))]
  const own = [
    ...(Array.isArray(schema["enum"]) ? [schema["enum"].map(writtenOf).join(", ")] : []),
    ...told("const", (value) => `always ${value}`),
    ...range(schema["minLength"], schema["maxLength"], "characters"),
    ...range(schema["minItems"], schema["maxItems"], "items"),
    ...(schema["uniqueItems"] === true ? ["no item twice"] : []),
    ...range(limitOf(schema["minimum"]), limitOf(schema["maximum"]), ""),
    ...told("exclusiveMinimum", (value) => `more than ${value}`),
    ...told("exclusiveMaximum", (value) => `less than ${value}`),
    ...told("multipleOf", (value) => `a multiple of ${value}`),
    ...told("format", (value) => `format ${bare(value)}`),
    ...told("pattern", (value) => `matches ${bare(value)}`),
    ...told("default", (value) => `${value} unless given`)
  ]
  return [...own, ...variantsOf(root, schema).flatMap((variant) => boundsOf(root, variant))]
}

const range = (least: unknown, most: unknown, noun: string): ReadonlyArray<string> => {
  const unit = noun === "" ? "" : ` ${noun}`
  if (least === undefined && most === undefined) return []
  if (least === undefined) return [`at most ${writtenOf(most)}${unit}`]
  if (most === undefined) return [`at least ${writtenOf(least)}${unit}`]
  return [`${writtenOf(least)} to ${writtenOf(most)}${unit}`]
}

/** The ends of what JSON's numbers can count are no bound that anyone has chosen. */
const limitOf = (value: unknown): unknown =>
  value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER ? undefined : value

const variantsOf = (root: Schema, schema: Schema): ReadonlyArray<Schema> =>
  ["anyOf", "oneOf", "allOf"].flatMap((key) => {
    const variants = schema[key]
    return Array.isArray(variants) ? variants.map((variant) => resolve(root, variant)).filter(isSchema) : []
  })

/** Follows a reference within the same document, as far as it leads. */
const resolve = (root: unknown, schema: unknown): unknown => {
  let at = schema
  for (let step = 0; step < depthLimit && isSchema(at) && typeof at["$ref"] === "string"; step++) {
    const reference = at["$ref"]
    if (!reference.startsWith("#/")) return at
    at = reference
      .slice("#/".length)
      .split("/")
      .reduce<unknown>(
        (value, key) => (isSchema(value) ? value[key.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined),
        root
      )
  }
  return at
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const writtenOf = (value: unknown): string => JSON.stringify(value) ?? "nothing"

const bare = (written: string): string => {
  const value: unknown = JSON.parse(written)
  return typeof value === "string" ? value : written
}
