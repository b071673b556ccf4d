/**
 * Checks of what a tool takes: closed objects, described fields, bounded values.
 */
import * as ToolSchema from "@ferrule/core/ToolSchema"
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { isObject, type Place, placesOf } from "../internal/schemaPlaces.ts"
import type { JsonSchema, SubjectTool } from "../internal/Subject.ts"

export const closed: StaticCheck = {
  info: {
    id: "A07",
    title: "Each tool takes one object whose fields are all listed",
    why: "An open object takes whatever a model makes up, and nothing tells it that a field was ignored. Clients flatten or refuse a choice at the root.",
    fix: 'List every field, and say "additionalProperties": false.',
    severity: "block",
    question: "schemas"
  },
  run: ({ tools }) => {
    const places = tools.flatMap((tool) => placesOf(tool.inputSchema, "/inputSchema").map((place) => ({ place, tool })))
    return {
      faults: [...tools.flatMap(rootFaults), ...places.flatMap(({ place, tool }) => openings(place, tool.name))],
      note: `${places.filter(({ place }) => isRecord(place.schema)).length} objects`
    }
  }
}

const rootFaults = ({ inputSchema, name }: SubjectTool): ReadonlyArray<Fault> => {
  const root = { subject: name, where: "/inputSchema" }
  const choices = ["anyOf", "oneOf", "allOf"].filter((keyword) => keyword in inputSchema)
  return [
    ...(inputSchema["type"] === "object" ? [] : [{ ...root, message: "its arguments are no object" }]),
    ...choices.map((keyword) => ({
      subject: name,
      where: `/inputSchema/${keyword}`,
      message: `has ${keyword} at its root, which clients flatten`,
      fix: "Make one tool of each choice, or move the choice into a field."
    }))
  ]
}

const isRecord = (schema: JsonSchema) => schema["type"] === "object" || isObject(schema["properties"])

/** Says where an object takes fields that it does not list. */
export const openings = ({ schema, where }: Place, subject: string): ReadonlyArray<Fault> => {
  if (!isRecord(schema)) return []
  const others = schema["additionalProperties"]
  if (others === false && !isObject(schema["patternProperties"])) return []
  const what =
    others === undefined && !("unevaluatedProperties" in schema)
      ? "does not say additionalProperties: false"
      : "takes fields of any name"
  return schema["unevaluatedProperties"] === false && others === undefined ? [] : [{ subject, where, message: what }]
}

const deepest = 10

export const bounded: StaticCheck = {
  info: {
    id: "A08",
    title: "Each field is described and has bounds",
    why: "A model fills in an undescribed field by guessing. A value without bounds lets it, or whoever steers it, send megabytes, and says nothing of what is meant.",
    fix: "Describe the field, with an example where that helps, and give it a greatest length, both limits or a list of values.",
    severity: "block",
    question: "schemas"
  },
  run: ({ tools }) => {
    const fields = tools.flatMap(({ inputSchema }) =>
      placesOf(inputSchema, "/inputSchema").filter(({ field }) => field !== undefined)
    )
    return { faults: tools.flatMap(fieldFaults), note: `${fields.length} fields` }
  }
}

const fieldFaults = ({ declared, inputSchema, name }: SubjectTool): ReadonlyArray<Fault> => {
  const excused = new Map(
    declared?.input.unbounded.map(({ path, reason }) => [path.replace(/\(variant \d+\)/g, ""), reason])
  )
  return placesOf(inputSchema, "/inputSchema").flatMap((place): ReadonlyArray<Fault> => {
    const at = { subject: name, where: place.where }
    if (place.unfollowed !== undefined) return [{ ...at, ...unfollowed(place.unfollowed) }]
    const faults: Array<Fault> = []
    if (!isDescribed(place)) faults.push({ ...at, message: `${place.field} has no description` })
    const missing = unboundedness(place)
    if (missing !== undefined) {
      const reason = excused.get(pathOf(place.where))
      faults.push(
        reason === undefined
          ? { ...at, message: missing, evidence: JSON.stringify(place.schema).slice(0, 200) }
          : { ...at, message: `${missing}, on purpose`, evidence: `Reason given: ${reason}`, severity: "warn" }
      )
    }
    if (place.depth > deepest) faults.push({ ...at, message: `is nested more than ${deepest} levels deep` })
    return faults
  })
}

/** A pointer into the schema as the path that core gives to the place, which has no name for the member of a choice. */
const pathOf = (where: string): string =>
  where
    .replace(/^\/inputSchema\/?/, "")
    .replace(/(?:^|\/)(?:anyOf|oneOf)\/\d+/g, "")
    .replace(/\/?\bitems(?=\/|$)/g, "[]")
    .replace(/\/?prefixItems\/(\d+)/g, "[$1]")
    .replace(/\/?properties\//g, ".")
    .replace(/^\./, "")

const unfollowed = ({ ref, why }: NonNullable<Place["unfollowed"]>) =>
  why === "recursive"
    ? {
        message: `contains itself (${ref}), so that its depth has no end`,
        fix: "Flatten it: lists of ids instead of trees."
      }
    : { message: `refers to ${ref}, which is not in this schema`, fix: "Write out what it refers to." }

/** Tells whether a field says what it is. One that has a single value, as the tag of a choice, need not. */
export const isDescribed = ({ field, required, schema }: Place): boolean =>
  field === undefined ||
  (typeof schema["description"] === "string" && schema["description"].trim() !== "") ||
  (required && ("const" in schema || (Array.isArray(schema["enum"]) && schema["enum"].length === 1)))

/** Formats that are as long as they are. */
const fixedFormats = new Set(["date-time", "date", "time", "duration", "uuid", "ipv4", "ipv6"])

const unboundedness = ({ patterns, schema }: Place): string | undefined => {
  if ("enum" in schema || "const" in schema || "anyOf" in schema || "oneOf" in schema) return undefined
  const types = [schema["type"]].flat()
  const has = (...keys: ReadonlyArray<string>) => keys.some((key) => typeof schema[key] === "number")
  if (types.includes("string")) {
    const isFixed = typeof schema["format"] === "string" && fixedFormats.has(schema["format"])
    if (!has("maxLength") && !isFixed && !patterns.some(({ source }) => ToolSchema.isBoundedPattern(source))) {
      return "is text without a greatest length"
    }
  }
  if (types.includes("number") || types.includes("integer")) {
    if (!has("minimum", "exclusiveMinimum") || !has("maximum", "exclusiveMaximum"))
      return "is a number without both limits"
  }
  if (
    types.includes("array") &&
    !has("maxItems") &&
    !(Array.isArray(schema["prefixItems"]) && schema["items"] === false)
  ) {
    return "is a list without a greatest length"
  }
  return schema["type"] === undefined && !isObject(schema["properties"]) ? "takes a value of any kind" : undefined
}
