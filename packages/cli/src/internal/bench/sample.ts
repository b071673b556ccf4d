/**
 * Makes up arguments that a tool accepts, from its JSON Schema: the required fields alone, the same ones each time.
 */
import type * as Tool from "@ferrule/core/Tool"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as SchemaRepresentation from "effect/SchemaRepresentation"

type Json = Readonly<Record<string, unknown>>

/** Gives nothing where none could be found, as for a tool with a rule that its JSON Schema can't say. */
export const sample = ({ input }: Tool.Any): Readonly<Record<string, unknown>> | undefined => {
  const arbitrary = arbitraryOf(input.jsonSchema)
  if (arbitrary === undefined) return undefined
  for (let seed = 1; seed <= attempts; seed++) {
    const drawn = Effect.runSync(
      Effect.option(Arbitrary.sampleEffect(arbitrary, { seed, count: 1, size: sizeOf(seed) }))
    )
    const value = Option.getOrUndefined(drawn)?.[0]
    if (isRecord(value) && Result.isSuccess(input.decode(value))) return value
  }
  return undefined
}

const attempts = 60

/** Small values first. */
const sizeOf = (seed: number) => Math.ceil(seed / 10)

const arbitraryOf = (schema: Json) => {
  try {
    const document = JsonSchema.fromSchemaDraft2020_12(least(schema) as JsonSchema.JsonSchema)
    return Arbitrary.schema(SchemaRepresentation.fromJsonSchemaDocument(document, { patterns: "apply" }))
  } catch {
    return undefined
  }
}

/** The same schema without its optional fields, and with one value in the place of what could only be found by luck. */
const least = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(least)
  if (!isRecord(schema)) return schema
  const { format, multipleOf, properties } = schema
  if (typeof format === "string" && Object.hasOwn(formats, format)) return { const: formats[format] }
  if (typeof multipleOf === "number") return { const: multiple(schema, multipleOf) }
  const kept = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === "properties" ? value : least(value)])
  )
  return isRecord(properties) ? { ...kept, properties: requiredOf(schema, properties) } : kept
}

const requiredOf = ({ minProperties, required }: Json, properties: Json): Json => {
  const names = Array.isArray(required) ? required : []
  const isLittle = typeof minProperties === "number" && minProperties > names.length
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, value]) =>
      isLittle || names.includes(name) ? [[name, least(value)]] : []
    )
  )
}

const multiple = (schema: Json, step: number): number => {
  const lowest = Math.max(numberOr(schema["minimum"], 0), numberOr(schema["exclusiveMinimum"], -Infinity))
  const first = Math.ceil(lowest / step) * step
  return first === schema["exclusiveMinimum"] ? first + step : first
}

const numberOr = (value: unknown, otherwise: number) => (typeof value === "number" ? value : otherwise)

const formats: Json = {
  date: "2026-01-02",
  "date-time": "2026-01-02T03:04:05Z",
  time: "03:04:05Z",
  duration: "PT1H",
  email: "kim@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  uuid: "0198b4a2-6f3c-7d5e-8a91-b2c3d4e5f607"
}

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
