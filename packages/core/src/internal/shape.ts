/**
 * The contract of one tool schema as data: exactly what JSON Schema 2020-12 can say and the decoder enforces.
 *
 * A shape is read from an Effect Schema, rendered to JSON Schema, and compiled to the reader that checks a call. Because
 * the three come from one value, what the model is shown and what the server enforces cannot drift apart.
 */
import type * as Schema from "effect/Schema"

export type JsonObject = { readonly [key: string]: Schema.Json }

/** What is said about a value besides what is enforced. */
export interface Note {
  readonly title?: string
  readonly description?: string
  readonly default?: Schema.Json
  readonly examples?: ReadonlyArray<Schema.Json>
}

/** A regular expression with the `u` flag, unanchored as in JSON Schema, and the words for it if there are better ones. */
export interface Pattern {
  readonly source: string
  readonly words: string | undefined
}

/** Lengths count Unicode code points, as JSON Schema does. */
export interface StringShape {
  readonly kind: "string"
  readonly note: Note
  readonly min: number
  readonly max: number
  readonly patterns: ReadonlyArray<Pattern>
  readonly format: string | undefined
}

/** Bounds are infinite when absent. `above` and `below` are exclusive. */
export interface NumberShape {
  readonly kind: "number"
  readonly note: Note
  readonly integer: boolean
  readonly min: number
  readonly max: number
  readonly above: number
  readonly below: number
  readonly multipleOf: number | undefined
}

export interface BooleanShape {
  readonly kind: "boolean"
  readonly note: Note
}

export type Scalar = string | number | boolean | null

/** Never empty. */
export interface EnumShape {
  readonly kind: "enum"
  readonly note: Note
  readonly values: ReadonlyArray<Scalar>
}

export interface ArrayShape {
  readonly kind: "array"
  readonly note: Note
  readonly items: Shape
  readonly min: number
  readonly max: number
  readonly unique: boolean
}

/** A tuple of fixed positions. */
export interface TupleShape {
  readonly kind: "tuple"
  readonly note: Note
  readonly elements: ReadonlyArray<Shape>
  readonly unique: boolean
}

export interface Field {
  readonly name: string
  readonly shape: Shape
  readonly required: boolean
}

/** Closed: no other fields. `min` and `max` count fields. */
export interface ObjectShape {
  readonly kind: "object"
  readonly note: Note
  readonly fields: ReadonlyArray<Field>
  readonly min: number
  readonly max: number
}

export interface UnionShape {
  readonly kind: "union"
  readonly note: Note
  readonly members: ReadonlyArray<Shape>
}

export type Shape =
  | StringShape
  | NumberShape
  | BooleanShape
  | EnumShape
  | ArrayShape
  | TupleShape
  | ObjectShape
  | UnionShape

export const anyString: StringShape = {
  kind: "string",
  note: {},
  min: 0,
  max: Infinity,
  patterns: [],
  format: undefined
}

export const anyNumber: NumberShape = {
  kind: "number",
  note: {},
  integer: false,
  min: -Infinity,
  max: Infinity,
  above: -Infinity,
  below: Infinity,
  multipleOf: undefined
}

/** The JSON Schema of a shape. */
export const render = (shape: Shape): JsonObject => ({ ...shape.note, ...renderBody(shape) })

const renderBody = (shape: Shape): JsonObject => {
  switch (shape.kind) {
    case "string":
      return {
        type: "string",
        ...(shape.format !== undefined && { format: shape.format }),
        ...lengths("minLength", "maxLength", shape),
        ...renderPatterns(shape.patterns)
      }
    case "number":
      return {
        type: shape.integer ? "integer" : "number",
        ...finite("minimum", shape.min),
        ...finite("maximum", shape.max),
        ...finite("exclusiveMinimum", shape.above),
        ...finite("exclusiveMaximum", shape.below),
        ...(shape.multipleOf !== undefined && { multipleOf: shape.multipleOf })
      }
    case "boolean":
      return { type: "boolean" }
    case "enum":
      return renderEnum(shape.values)
    case "array":
      return {
        type: "array",
        items: render(shape.items),
        ...lengths("minItems", "maxItems", shape),
        ...(shape.unique && { uniqueItems: true })
      }
    case "tuple":
      return {
        type: "array",
        prefixItems: shape.elements.map(render),
        items: false,
        minItems: shape.elements.length,
        maxItems: shape.elements.length,
        ...(shape.unique && { uniqueItems: true })
      }
    case "object": {
      const required = shape.fields.filter((field) => field.required).map((field) => field.name)
      return {
        type: "object",
        properties: Object.fromEntries(shape.fields.map(({ name, shape }) => [name, render(shape)])),
        ...(required.length > 0 && { required }),
        additionalProperties: false,
        ...lengths("minProperties", "maxProperties", shape)
      }
    }
    case "union":
      return { anyOf: shape.members.map(render) }
  }
}

const renderPatterns = (patterns: ReadonlyArray<Pattern>): JsonObject =>
  patterns.length === 0
    ? {}
    : patterns.length === 1
      ? { pattern: patterns[0].source }
      : { allOf: patterns.map(({ source }) => ({ pattern: source })) }

const renderEnum = (values: ReadonlyArray<Scalar>): JsonObject => {
  const types = new Set(values.map((value) => (value === null ? "null" : typeof value)))
  const [type] = types
  if (type === "null" && types.size === 1) return { type }
  return {
    ...(types.size === 1 && { type }),
    ...(values.length === 1 ? { const: values[0] } : { enum: values })
  }
}

const lengths = (lower: string, upper: string, { min, max }: { readonly min: number; readonly max: number }) => ({
  ...(min > 0 && { [lower]: min }),
  ...(max < Infinity && { [upper]: max })
})

const finite = (key: string, value: number) => (Number.isFinite(value) ? { [key]: value } : {})

/** Says in a few words what a shape accepts: `a string of 1 to 120 characters`. */
export const describe = (shape: Shape): string => {
  switch (shape.kind) {
    case "string":
      return describeString(shape)
    case "number":
      return `${shape.integer ? "an integer" : "a number"}${join([
        shape.min > -Infinity && shape.max < Infinity
          ? `from ${shape.min} to ${shape.max}`
          : shape.min > -Infinity
            ? `of at least ${shape.min}`
            : shape.max < Infinity && `of at most ${shape.max}`,
        shape.above > -Infinity && `above ${shape.above}`,
        shape.below < Infinity && `below ${shape.below}`,
        shape.multipleOf !== undefined && `divisible by ${shape.multipleOf}`
      ])}`
    case "boolean":
      return "true or false"
    case "enum":
      return shape.values.length === 1 ? literal(shape.values[0]) : `one of ${listValues(shape.values)}`
    case "array":
      return `an array${join([range(shape, "item"), shape.unique && "without duplicates"])}`
    case "tuple":
      return `an array${join([
        range({ min: shape.elements.length, max: shape.elements.length }, "item"),
        shape.unique && "without duplicates"
      ])}`
    case "object":
      return shape.fields.length === 0
        ? "an object without fields"
        : `an object with ${shape.fields.map((field) => (field.required ? field.name : `${field.name}?`)).join(", ")}`
    case "union":
      return shape.members.map(describe).join(", or ")
  }
}

const describeString = (shape: StringShape): string => {
  const size = range(shape, "character")
  const words = shape.patterns.map((pattern) => pattern.words ?? `a string that matches ${pattern.source}`)
  return words.length === 0
    ? `a string${size === "" ? "" : ` ${size}`}`
    : `${words.join(" and ")}${size === "" ? "" : `, ${size}`}`
}

/** Says a range of counts: `of 1 to 5 items`, or nothing when there is none. */
export const range = ({ min, max }: { readonly min: number; readonly max: number }, unit: string): string => {
  const units = (count: number) => `${count} ${count === 1 ? unit : unit === "property" ? "properties" : `${unit}s`}`
  if (min === max) return `of ${units(min)}`
  if (max < Infinity) return min > 0 ? `of ${min} to ${units(max)}` : `of at most ${units(max)}`
  return min > 0 ? `of at least ${units(min)}` : ""
}

const shown = 20

/** Lists allowed values, the first twenty of them. */
export const listValues = (values: ReadonlyArray<Scalar>): string =>
  values.slice(0, shown).map(literal).join(", ") +
  (values.length > shown ? ` and ${values.length - shown} more (see the input schema)` : "")

const literal = (value: Scalar): string => JSON.stringify(value)

const join = (parts: ReadonlyArray<string | false>): string => {
  const said = parts.filter((part) => part !== false && part !== "")
  return said.length === 0 ? "" : ` ${said.join(", ")}`
}
