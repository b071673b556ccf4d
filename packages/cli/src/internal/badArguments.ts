/**
 * Arguments that a tool must refuse, made from valid ones by its JSON Schema: at each place every way to be wrong that the
 * schema knows of, one at a time, then two of them at once. A validator that is not Ferrule's own confirms each of them.
 */
import type { Arguments } from "./Call.ts"
import type { JsonSchema } from "./Subject.ts"
import { validatorOf } from "./validator.ts"

export interface BadArguments {
  readonly what: string
  readonly arguments: Arguments
  /** Where the faults are. An error names a fault by its place, or by one within it. */
  readonly paths: ReadonlyArray<string>
  /** Parts of the rejected values that are found nowhere else, so that they can be looked for. */
  readonly marks: ReadonlyArray<string>
}

const mark = "Zq7~rejected~Zq7"
const number = 918_273_645

export const badArguments = (schema: JsonSchema, valid: Arguments): ReadonlyArray<BadArguments> => {
  const faultOf = validatorOf(schema)
  const single = placesOf({ schema, path: "", value: valid, put: (value) => value as Arguments })
    .flatMap(faultsOf)
    .filter(({ arguments: args }) => faultOf(args) !== undefined)
  return [...single, ...pairsOf(single)]
}

/** A value within the arguments; `put` gives the arguments with another one in its place. */
interface Place {
  readonly schema: JsonSchema
  readonly path: string
  readonly value: unknown
  readonly put: (value: unknown) => Arguments
}

const placesOf = (place: Place): ReadonlyArray<Place> => [place, ...within(place).flatMap(placesOf)]

const within = ({ path, put, schema, value }: Place): ReadonlyArray<Place> => {
  if (isRecord(value)) {
    return propertiesOf(schema).map(([name, schema]) => ({
      schema,
      path: path === "" ? name : `${path}.${name}`,
      value: value[name],
      put: (one) => put({ ...value, [name]: one })
    }))
  }
  if (Array.isArray(value) && value.length > 0 && isRecord(schema["items"])) {
    const [first, ...others]: ReadonlyArray<unknown> = value
    return [{ schema: schema["items"], path: `${path}[0]`, value: first, put: (one) => put([one, ...others]) }]
  }
  return []
}

const faultsOf = (place: Place): ReadonlyArray<BadArguments> => {
  const { path, put, schema } = place
  const wrong = (path === "" ? [] : wrongValues(schema, place.value)).map(([what, value]) => ({
    what: `${path}: ${what}`,
    arguments: put(value),
    paths: [path],
    marks: marksOf(value)
  }))
  return [...wrong, ...wrongFields(place)]
}

const wrongFields = ({ path, put, schema, value }: Place): ReadonlyArray<BadArguments> => {
  if (!isRecord(value) || schema["properties"] === undefined) return []
  const at = (name: string) => (path === "" ? name : `${path}.${name}`)
  const missing = stringsOf(schema["required"]).map((name) => ({
    what: `${at(name)}: missing`,
    arguments: put(Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))),
    paths: [at(name)],
    marks: []
  }))
  const surplus = {
    what: `${at("unknown_field")}: one too many`,
    arguments: put({ ...value, unknown_field: mark }),
    paths: [at("unknown_field")],
    marks: [mark]
  }
  return [...missing, surplus]
}

type Wrong = readonly [what: string, value: unknown]

const wrongValues = (schema: JsonSchema, valid: unknown): ReadonlyArray<Wrong> => {
  const choices: ReadonlyArray<Wrong> =
    "enum" in schema || "const" in schema || "anyOf" in schema ? [["none of its values", mark]] : []
  const types = typeof schema["type"] === "string" ? [schema["type"]] : stringsOf(schema["type"])
  return [...choices, ...types.flatMap((type) => ofType(type, schema, valid)), ["null", null]]
}

const ofType = (type: string, schema: JsonSchema, valid: unknown): ReadonlyArray<Wrong> => {
  switch (type) {
    case "string":
      return [
        ["a number", number],
        ...bound(schema, "minLength", (least): Wrong => ["too short", "x".repeat(Math.max(least - 1, 0))]),
        // A longer one is a matter of the size of a request.
        ...bound(schema, "maxLength", (most): Wrong => ["too long", mark.padEnd(Math.min(most, 500_000) + 1, "x")]),
        ["not in its form", mark]
      ]
    case "integer":
    case "number":
      return [
        ["a text", mark],
        ...bound(schema, "minimum", (least): Wrong => ["too small", least - 1]),
        ...bound(schema, "maximum", (most): Wrong => ["too large", most + 1]),
        ...bound(schema, "exclusiveMinimum", (least): Wrong => ["too small", least]),
        ...bound(schema, "exclusiveMaximum", (most): Wrong => ["too large", most]),
        ...bound(schema, "multipleOf", (step): Wrong => ["no multiple", step / 2]),
        ["not whole", number + 0.5]
      ]
    case "array": {
      const items = Array.isArray(valid) ? valid : []
      return [
        ["a text", mark],
        ...bound(schema, "minItems", (): Wrong => ["too few", []]),
        ...(items.length === 0
          ? []
          : [
              ...bound(schema, "maxItems", (most): Wrong => [
                "too many",
                Array.from({ length: Math.min(most, 100_000) + 1 }, () => items[0])
              ]),
              ["the same twice", [items[0], items[0]]] as const
            ])
      ]
    }
    default:
      return [["a text", mark]]
  }
}

const bound = (schema: JsonSchema, name: string, wrong: (bound: number) => Wrong): ReadonlyArray<Wrong> =>
  typeof schema[name] === "number" ? [wrong(schema[name])] : []

/** What would show a value that was echoed. A short number is found in any text. */
const marksOf = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "number") return Math.abs(value) >= 1_000_000 ? [String(value)] : []
  return typeof value === "string" && value.startsWith(mark) ? [mark] : []
}

/** The first fault of each field, with the first one of the next field. */
const pairsOf = (faults: ReadonlyArray<BadArguments>): ReadonlyArray<BadArguments> => {
  const firsts = new Map(faults.toReversed().map((fault) => [fieldOf(fault), fault]))
  const [...fields] = firsts.values()
  return fields.slice(1).map((other, index) => {
    const one = fields[index]!
    return {
      what: `${one.what}; ${other.what}`,
      arguments: joined(one.arguments, other.arguments, fieldOf(other)),
      paths: [...one.paths, ...other.paths],
      marks: [...one.marks, ...other.marks]
    }
  })
}

const fieldOf = ({ paths }: BadArguments) => paths[0]!.split(/[.[]/)[0]!

/** The first arguments, with one field as the others have it. */
const joined = (one: Arguments, other: Arguments, field: string): Arguments =>
  Object.fromEntries([
    ...Object.entries(one).filter(([name]) => name !== field),
    ...Object.entries(other).filter(([name]) => name === field)
  ])

const propertiesOf = (schema: JsonSchema): ReadonlyArray<readonly [string, JsonSchema]> =>
  isRecord(schema["properties"])
    ? Object.entries(schema["properties"]).flatMap(([name, schema]) =>
        isRecord(schema) ? [[name, schema] as const] : []
      )
    : []

const stringsOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((each) => typeof each === "string") : []

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
