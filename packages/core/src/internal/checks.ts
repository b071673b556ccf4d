/**
 * Sorts the checks of an Effect Schema into those that JSON Schema can state and those that only words can.
 *
 * A check that JSON Schema can state takes JSON Schema's meaning: lengths count code points, patterns have the `u` flag,
 * uniqueness is equality of JSON values. The decoder is given the same meaning before it is built.
 */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { NumberShape, Pattern, StringShape } from "./shape.ts"
import { anyNumber, anyString } from "./shape.ts"

/** A limit on the number of items or fields. */
export interface Count {
  readonly min: number
  readonly max: number
  readonly unique: boolean
}

/** What one check demands, and the words for it where JSON Schema cannot say it. */
export type Constraint = { readonly words: string | undefined } & (
  | { readonly kind: "string"; readonly narrower: StringShape }
  | { readonly kind: "number"; readonly narrower: NumberShape }
  | { readonly kind: "count"; readonly narrower: Count }
  | { readonly kind: "custom" }
  | { readonly kind: "fault"; readonly fault: string }
)

export type Leaf = SchemaAST.Filter<never>

/** The single checks of a node, with groups opened. A check without words of its own takes those of its group. */
export const leaves = (ast: SchemaAST.AST): ReadonlyArray<Leaf> => (ast.checks ?? []).flatMap((check) => open(check))

const open = (check: SchemaAST.Check<never>): ReadonlyArray<Leaf> => {
  if (check._tag === "Filter") return [check]
  const words = wordsOf(check.annotations)
  return check.checks
    .flatMap(open)
    .map((leaf) =>
      words === undefined || wordsOf(leaf.annotations) !== undefined ? leaf : leaf.annotate({ expected: words })
    )
}

/** The words for a check; they are the author's, fixed when the schema is written. */
export const wordsOf = (annotations: Schema.Annotations.Filter | undefined): string | undefined => {
  const words = annotations?.["expected"] ?? annotations?.["message"]
  return typeof words === "string" && words.trim() !== "" ? words.trim() : undefined
}

/** What a check demands of a value of the node's kind. */
export const constraintOf = (check: Leaf, ast: SchemaAST.AST): Constraint => {
  const words = wordsOf(check.annotations)
  const representation = check.annotations?.["representation"] as
    | { readonly id?: unknown; readonly payload?: Payload | null }
    | undefined
  const id = typeof representation?.id === "string" ? representation.id : ""
  const known = id.startsWith(prefix) ? id.slice(prefix.length) : ""
  const stated = statedOf(ast, check, known, representation?.payload ?? {}) ?? { kind: "custom" }
  return stated.kind === "custom" && words === undefined
    ? { kind: "fault", fault: customWithoutWords, words }
    : { ...stated, words }
}

const customWithoutWords =
  'a custom check needs words for the model: Schema.makeFilter(predicate, { expected: "an even number" })'

const prefix = "effect/schema/"

type Payload = Readonly<Record<string, unknown>>

const statedOf = (ast: SchemaAST.AST, check: Leaf, known: string, payload: Payload) => {
  switch (ast._tag) {
    case "String": {
      const length = lengthOf(known, payload)
      return length === undefined
        ? patternOf(check, known, payload)
        : ({ kind: "string", narrower: { ...anyString, ...length } } as const)
    }
    case "Number":
      return numberChecks.has(known) ? numberOf(check, known) : undefined
    case "Arrays":
      return countOf(known === "isUnique" ? {} : lengthOf(known, payload), known === "isUnique")
    case "Objects":
      return known.endsWith("Properties")
        ? countOf({
            min: numberAt(payload, "minProperties", "minimum") ?? 0,
            max: numberAt(payload, "maxProperties", "maximum") ?? Infinity
          })
        : undefined
    default:
      return undefined
  }
}

const countOf = (length: { readonly min?: number; readonly max?: number } | undefined, unique = false) =>
  length === undefined
    ? undefined
    : ({ kind: "count", narrower: { min: 0, max: Infinity, ...length, unique } } as const)

const numberAt = (payload: Payload, ...keys: ReadonlyArray<string>): number | undefined =>
  keys.map((key) => payload[key]).find((value) => typeof value === "number")

const lengthOf = (known: string, payload: Payload) =>
  lengthChecks.has(known)
    ? {
        min: numberAt(payload, "minLength", "minCodePoints", "minimum") ?? 0,
        max: numberAt(payload, "maxLength", "maxCodePoints", "maximum") ?? Infinity
      }
    : undefined

const lengthChecks = new Set(
  "isMinLength isMaxLength isBetweenLength isMinCodePoints isMaxCodePoints isBetweenCodePoints".split(" ")
)

const numberChecks = new Set(
  "isFinite isInt isGreaterThan isGreaterThanOrEqualTo isLessThan isLessThanOrEqualTo isBetween isMultipleOf".split(" ")
)

const patternOf = (check: Leaf, known: string, payload: Payload) => {
  const string = (source: string, words: string | undefined, format?: string) => {
    const pattern: Pattern = { source, words }
    return { kind: "string", narrower: { ...anyString, patterns: [pattern], format } } as const
  }
  const words = wordsOf(check.annotations)
  if (known === "isPattern") {
    const source = String(payload["source"])
    const flags = String(payload["flags"]).replace(/[dgu]/g, "")
    if (flags !== "") {
      const fault = `the pattern's flag "${flags}" cannot be said in JSON Schema: write the pattern without it`
      return { kind: "fault", fault } as const
    }
    if (!compiles(source)) {
      return { kind: "fault", fault: "the pattern must be a valid regular expression with the u flag" } as const
    }
    return string(source, words === `a string matching the RegExp ${source}` ? undefined : words)
  }
  // Effect's other string checks state their own exact pattern, or say that theirs is only near.
  const stated = known === "" ? undefined : generated(check, "string")
  if (typeof stated !== "object" || stated === null || Array.isArray(stated)) return undefined
  const { pattern, format } = stated as Payload
  return typeof pattern === "string" && compiles(pattern)
    ? string(pattern, words, format === "uuid" ? format : undefined)
    : undefined
}

const generated = (check: Leaf, type: "string" | "number"): unknown => {
  const generate = check.annotations?.["toJsonSchema"]
  return typeof generate === "function" ? generate({ type, schemas: [] }) : undefined
}

const compiles = (source: string): boolean => {
  try {
    return new RegExp(source, "u").unicode
  } catch {
    return false
  }
}

const numberOf = (check: Leaf, known: string) => {
  const stated = (generated(check, "number") ?? {}) as { readonly [key: string]: number | undefined }
  const narrower: NumberShape = {
    ...anyNumber,
    integer: known === "isInt",
    min: stated["minimum"] ?? -Infinity,
    max: stated["maximum"] ?? Infinity,
    above: stated["exclusiveMinimum"] ?? -Infinity,
    below: stated["exclusiveMaximum"] ?? Infinity,
    multipleOf: stated["multipleOf"]
  }
  if ([narrower.min, narrower.max, narrower.above, narrower.below].some(Number.isNaN)) {
    return { kind: "fault", fault: "a bound must be a number, not NaN" } as const
  }
  if (narrower.multipleOf === undefined) return { kind: "number", narrower } as const
  if (!Number.isSafeInteger(narrower.multipleOf)) {
    return {
      kind: "fault",
      fault: `validators disagree about multiples of ${narrower.multipleOf}: count in whole units, such as cents, with Schema.Int`
    } as const
  }
  // Remainders are exact among these numbers only, and the multiples of an integer are integers.
  const exact = { ...narrower, integer: true, min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }
  return { kind: "number", narrower: exact } as const
}

/** Narrows a string shape by another. */
export const narrowString = (shape: StringShape, by: StringShape): StringShape => ({
  ...shape,
  min: Math.max(shape.min, by.min),
  max: Math.min(shape.max, by.max),
  patterns: by.patterns.some(({ source }) => shape.patterns.some((pattern) => pattern.source === source))
    ? shape.patterns
    : [...shape.patterns, ...by.patterns],
  format: shape.format ?? by.format
})

/** Narrows a number shape by another. */
export const narrowNumber = (shape: NumberShape, by: NumberShape): NumberShape => ({
  ...shape,
  integer: shape.integer || by.integer,
  min: Math.max(shape.min, by.min),
  max: Math.min(shape.max, by.max),
  above: Math.max(shape.above, by.above),
  below: Math.min(shape.below, by.below),
  multipleOf:
    shape.multipleOf === undefined || by.multipleOf === undefined
      ? (shape.multipleOf ?? by.multipleOf)
      : leastCommonMultiple(shape.multipleOf, by.multipleOf)
})

const leastCommonMultiple = (a: number, b: number): number => {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y))
  return (a / divisor(a, b)) * b
}
