/**
 * Says what is wrong with a value that a shape's reader refused: every fault, in words that a model can act on.
 *
 * No text holds any part of the value. A key of the caller is shown only when it could be the name of a field.
 */
import type { Issue } from "../ConnectorError.ts"
import type { Field, ObjectShape, Scalar, Shape } from "./shape.ts"
import { describe, listValues, range } from "./shape.ts"
import { allDifferent, hasLength, reader, refused } from "./reader.ts"

const limit = 50

/** How many characters they may take, since all of them go into a model's context. */
const space = 4000

/** Collects issues up to a limit, of which there is always one, and counts the rest. */
export interface Report {
  readonly add: (path: string, message: string, expected: string) => void
  /** At least one: whoever asks has a value that was refused. */
  readonly issues: () => readonly [Issue, ...Array<Issue>]
}

export const report = (): Report => {
  const issues: Array<Issue> = []
  let more = 0
  let left = space
  return {
    add: (path, message, expected) => {
      const length = path.length + message.length + expected.length
      if (issues.length === 0 || (more === 0 && issues.length < limit && length <= left)) {
        issues.push({ path, message, expected })
        left -= length
      } else more++
    },
    issues: () => {
      const [first = { path: "", message: "is not accepted", expected: "a value that satisfies the schema" }, ...rest] =
        issues
      const last = { path: "", message: `has ${more} more faults`, expected: "the faults above fixed first" }
      return more === 0 ? [first, ...rest] : [first, ...rest, last]
    }
  }
}

/** What a name of a field may be. */
export const fieldName = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/

export const unnamed = "(unnamed field)"

/** The path of a key below a path; a key that no field can have is not repeated. */
export const at = (path: string, key: PropertyKey): string => {
  if (typeof key === "number") return `${path}[${key}]`
  const name = typeof key === "string" && fieldName.test(key) ? key : unnamed
  return path === "" ? name : `${path}.${name}`
}

/** Reports every way in which the value departs from the shape. */
export const explain = (shape: Shape, value: unknown, path: string, to: Report): void => {
  const must = (what: string) => to.add(path, `must ${what}`, describe(shape))
  switch (shape.kind) {
    case "string":
      if (typeof value !== "string") return must("be a string")
      if (!hasLength(value, shape.min, shape.max)) must(`be a string ${range(shape, "character")}`)
      for (const pattern of shape.patterns) {
        if (!new RegExp(pattern.source, "u").test(value)) {
          must(pattern.words === undefined ? `match the pattern ${pattern.source}` : `be ${pattern.words}`)
        }
      }
      return
    case "number":
      if (typeof value !== "number" || !Number.isFinite(value))
        return must(`be ${shape.integer ? "an integer" : "a number"}`)
      if (shape.integer && !Number.isInteger(value)) return must("be an integer")
      if (value < shape.min) must(`be at least ${shape.min}`)
      if (value > shape.max) must(`be at most ${shape.max}`)
      if (value <= shape.above) must(`be above ${shape.above}`)
      if (value >= shape.below) must(`be below ${shape.below}`)
      if (shape.multipleOf !== undefined && value % shape.multipleOf !== 0) must(`be divisible by ${shape.multipleOf}`)
      return
    case "boolean":
      if (typeof value !== "boolean") must("be true or false")
      return
    case "enum":
      if (!shape.values.includes(value as Scalar)) must(`be ${describe(shape)}`)
      return
    case "array": {
      if (!Array.isArray(value)) return must("be an array")
      if (value.length < shape.min || value.length > shape.max) must(`be an array ${range(shape, "item")}`)
      else if (shape.unique && !allDifferent(value)) must("have no duplicates")
      // A surplus of items may be arbitrarily long, and the fault is named already.
      for (let i = 0; i < Math.min(value.length, shape.max); i++) explain(shape.items, value[i], at(path, i), to)
      return
    }
    case "tuple": {
      const size = shape.elements.length
      if (!Array.isArray(value)) return must("be an array")
      if (value.length !== size) must(`be an array ${range({ min: size, max: size }, "item")}`)
      else if (shape.unique && !allDifferent(value)) must("have no duplicates")
      shape.elements.slice(0, value.length).forEach((element, i) => explain(element, value[i], at(path, i), to))
      return
    }
    case "object":
      return explainObject(shape, value, path, to)
    case "union":
      if (reader(shape)(value) !== refused) return
      return explainUnion(shape.members, value, path, to, () => must(`be ${describe(shape)}`))
  }
}

const explainObject = (shape: ObjectShape, value: unknown, path: string, to: Report): void => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return to.add(path, path === "" ? "must be an object of arguments" : "must be an object", describe(shape))
  }
  for (const field of shape.fields) {
    const raw = own(value, field.name)
    if (raw !== undefined) explain(field.shape, raw, at(path, field.name), to)
    else if (field.required) to.add(at(path, field.name), "is required", describe(field.shape))
  }
  const names = shape.fields.map((field) => field.name)
  const known = names.length === 0 ? "there are no fields" : `known fields: ${names.join(", ")}`
  for (const key of Object.keys(value)) {
    if (!names.includes(key)) to.add(at(path, key), `is not a known field; ${known}`, "leave it out")
  }
  const present = names.filter((name) => own(value, name) !== undefined).length
  if (present < shape.min || present > shape.max) {
    to.add(path, `must be an object ${range(shape, "field")}`, describe(shape))
  }
}

const own = (value: object, name: string): unknown =>
  Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined

/**
 * A union's faults are those of the member that was meant: the one that the discriminating field names, or the only one
 * of the value's JSON type. Failing that, all that can be said is what the union accepts.
 */
const explainUnion = (
  members: ReadonlyArray<Shape>,
  value: unknown,
  path: string,
  to: Report,
  otherwise: () => void
): void => {
  const similar = members.filter((member) => accepts(member, value))
  const objects = similar.filter((member) => member.kind === "object")
  const tag = objects.length > 1 && objects.length === similar.length ? discriminator(objects) : undefined
  if (tag !== undefined) {
    const given = own(value as object, tag)
    const meant = objects.filter((member) => tagValues(member, tag).includes(given as Scalar))
    if (meant.length === 1) return explain(meant[0], value, path, to)
    const values = listValues(objects.flatMap((member) => tagValues(member, tag)))
    return to.add(at(path, tag), given === undefined ? "is required" : `must be one of ${values}`, `one of ${values}`)
  }
  if (similar.length === 1 && reader(similar[0])(value) === refused) return explain(similar[0], value, path, to)
  otherwise()
}

/** Whether the value has the JSON type of the shape. */
const accepts = (shape: Shape, value: unknown): boolean => {
  switch (shape.kind) {
    case "string":
    case "number":
    case "boolean":
      return typeof value === shape.kind
    case "enum":
      return shape.values.some((allowed) => (value === null ? allowed === null : typeof allowed === typeof value))
    case "array":
    case "tuple":
      return Array.isArray(value)
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value)
    case "union":
      return shape.members.some((member) => accepts(member, value))
  }
}

/** The required field that every member restricts to values of its own, if there is one. */
export const discriminator = (members: ReadonlyArray<ObjectShape>): string | undefined =>
  members[0].fields
    .map((field) => field.name)
    .find((name) => {
      const values = members.map((member) => tagValues(member, name))
      return values.every((own) => own.length > 0) && new Set(values.flat()).size === values.flat().length
    })

const tagValues = (shape: ObjectShape, name: string): ReadonlyArray<Scalar> => {
  const field = shape.fields.find((field: Field) => field.name === name)
  return field?.required === true && field.shape.kind === "enum" ? field.shape.values : []
}
