/**
 * What becomes of a schema when a client compiles it for strict mode, in which a model can only write what the schema admits.
 * Strict mode knows fewer words than JSON Schema: some it drops, and for some it refuses the tool.
 */
import { type Place, placesOf } from "./schemaPlaces.ts"
import type { JsonSchema } from "./Subject.ts"

/** A limit that the model is no longer held to while it writes. */
export interface Lost {
  readonly place: Place
  readonly keyword: string
  readonly value: unknown
}

export interface Projection {
  readonly lost: ReadonlyArray<Lost>
  readonly refused: ReadonlyArray<{ readonly where: string; readonly why: string }>
  readonly optional: number
  readonly unions: number
}

const dropped =
  "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength maxItems uniqueItems minProperties maxProperties patternProperties propertyNames dependentRequired if not contains".split(
    " "
  )
const formats = new Set("date-time time date duration email hostname uri ipv4 ipv6 uuid".split(" "))

export const strictProjection = (schema: JsonSchema): Projection => {
  const places = placesOf(schema, "/inputSchema")
  const fields = places.filter(({ field }) => field !== undefined)
  return {
    lost: places.flatMap(lostAt),
    refused: places.flatMap(refusedAt),
    optional: fields.filter(({ required }) => !required).length,
    unions: fields.filter(({ schema }) => "anyOf" in schema || "oneOf" in schema || Array.isArray(schema["type"]))
      .length
  }
}

const lostAt = (place: Place): ReadonlyArray<Lost> =>
  Object.entries(place.schema).flatMap(([keyword, value]) => {
    const isLost =
      dropped.includes(keyword) ||
      (keyword === "minItems" && value !== 0 && value !== 1) ||
      (keyword === "format" && !formats.has(String(value)))
    return isLost ? [{ place, keyword, value }] : []
  })

const refusedAt = ({ patterns, unfollowed, where }: Place): Projection["refused"] => [
  ...(unfollowed === undefined
    ? []
    : [{ where, why: unfollowed.why === "recursive" ? "it contains itself" : "it refers to another document" }]),
  ...patterns
    .filter(({ source }) => /\(\?<?[=!]|\\[bB1-9]|\\k</.test(source))
    .map((pattern) => ({ where: pattern.where, why: "its pattern looks around, looks back or asks for a word's end" }))
]
