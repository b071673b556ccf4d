/**
 * Compiles a shape to a reader: one pass that either refuses a JSON value or returns a clean copy of it.
 *
 * The copy holds the declared fields and nothing else, read as own properties, so that neither a polluted prototype nor
 * a key such as `__proto__` reaches what comes after.
 */
import type { NumberShape, ObjectShape, Shape, StringShape } from "./shape.ts"

export const refused: unique symbol = Symbol("@ferrule/core/refused")

export type Reader = (input: unknown) => unknown

const made = new WeakMap<Shape, Reader>()

/** The reader of a shape; it returns `refused` for a value that the shape's JSON Schema rejects. */
export const reader = (shape: Shape): Reader => {
  const known = made.get(shape)
  if (known !== undefined) return known
  const read = make(shape)
  made.set(shape, read)
  return read
}

const make = (shape: Shape): Reader => {
  switch (shape.kind) {
    case "string":
      return stringReader(shape)
    case "number":
      return numberReader(shape)
    case "boolean":
      return (input) => (typeof input === "boolean" ? input : refused)
    case "enum": {
      const values = new Set<unknown>(shape.values)
      return (input) => (values.has(input) ? input : refused)
    }
    case "array": {
      const item = reader(shape.items)
      const { min, max, unique } = shape
      return (input) => {
        if (!Array.isArray(input) || input.length < min || input.length > max) return refused
        const out: Array<unknown> = []
        for (let i = 0; i < input.length; i++) {
          const value = item(input[i])
          if (value === refused) return refused
          out.push(value)
        }
        return unique && !allDifferent(out) ? refused : out
      }
    }
    case "tuple": {
      const elements = shape.elements.map(reader)
      const { unique } = shape
      return (input) => {
        if (!Array.isArray(input) || input.length !== elements.length) return refused
        const out: Array<unknown> = []
        for (let i = 0; i < input.length; i++) {
          const value = elements[i](input[i])
          if (value === refused) return refused
          out.push(value)
        }
        return unique && !allDifferent(out) ? refused : out
      }
    }
    case "object":
      return objectReader(shape)
    case "union": {
      const members = shape.members.map(reader)
      return (input) => {
        for (let i = 0; i < members.length; i++) {
          const value = members[i](input)
          if (value !== refused) return value
        }
        return refused
      }
    }
  }
}

/** Whether a string's length in code points is within the bounds. A length in code units decides most cases. */
export const hasLength = (input: string, min: number, max: number): boolean => {
  const units = input.length
  if (units < min || units > max * 2) return false
  if (units <= max && Math.ceil(units / 2) >= min) return true
  let points = 0
  for (const _ of input) points++
  return points >= min && points <= max
}

const stringReader = ({ min, max, patterns }: StringShape): Reader => {
  const tests = patterns.map(({ source }) => new RegExp(source, "u"))
  const [test] = tests
  if (tests.length === 0) {
    return (input) => (typeof input === "string" && hasLength(input, min, max) ? input : refused)
  }
  if (tests.length === 1) {
    return (input) => (typeof input === "string" && hasLength(input, min, max) && test.test(input) ? input : refused)
  }
  return (input) =>
    typeof input === "string" && hasLength(input, min, max) && tests.every((test) => test.test(input)) ? input : refused
}

const numberReader = ({ integer, min, max, above, below, multipleOf }: NumberShape): Reader => {
  const isNumber = integer ? Number.isInteger : Number.isFinite
  return (input) =>
    isNumber(input) &&
    (input as number) >= min &&
    (input as number) <= max &&
    (input as number) > above &&
    (input as number) < below &&
    (multipleOf === undefined || (input as number) % multipleOf === 0)
      ? input
      : refused
}

const objectReader = ({ fields, min, max }: ObjectShape): Reader => {
  const names = fields.map((field) => field.name)
  const readers = fields.map((field) => reader(field.shape))
  const required = fields.map((field) => field.required)
  const counted = min > 0 || max < names.length
  return (input) => {
    if (typeof input !== "object" || input === null || Array.isArray(input)) return refused
    const out: Record<string, unknown> = {}
    let present = 0
    let given = 0
    for (let i = 0; i < names.length; i++) {
      const name = names[i]
      if (!Object.hasOwn(input, name)) {
        if (required[i]) return refused
        continue
      }
      given++
      const raw = (input as Record<string, unknown>)[name]
      // JSON has no undefined: a field set to it is a field left out.
      if (raw === undefined) {
        if (required[i]) return refused
        continue
      }
      const value = readers[i](raw)
      if (value === refused) return refused
      out[name] = value
      present++
    }
    // Every declared field that is present was counted, so a surplus is an unknown field.
    if (Object.keys(input).length !== given) return refused
    return counted && (present < min || present > max) ? refused : out
  }
}

/** Whether no two JSON values are equal; the order of fields does not matter. */
export const allDifferent = (values: ReadonlyArray<unknown>): boolean => {
  const scalars = values.filter((value) => typeof value !== "object" || value === null)
  const others = values.filter((value) => typeof value === "object" && value !== null)
  return new Set(scalars).size + new Set(others.map(canonical)).size === values.length
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, nested: unknown) =>
    typeof nested === "object" && nested !== null && !Array.isArray(nested)
      ? Object.fromEntries(Object.entries(nested).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : nested
  )
