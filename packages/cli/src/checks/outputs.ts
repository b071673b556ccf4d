/**
 * Checks of what a tool returns.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { type Place, placesOf } from "../internal/schemaPlaces.ts"
import type { SubjectTool } from "../internal/Subject.ts"
import { isDescribed, openings } from "./schemas.ts"

export const stated: StaticCheck = {
  info: {
    id: "A12",
    title: "Each tool says what it returns and how much at most",
    why: "Without it, whatever the upstream adds to its answers goes to the model, and a list that grows fills the model's context or fails.",
    fix: "Declare the result's fields, each with a description. Give a list a greatest length, or a limit in the arguments, and say which part is returned.",
    severity: "warn",
    question: "schemas"
  },
  run: ({ tools }) => ({ faults: tools.flatMap(faultsOf), note: `${tools.length} results` })
}

const faultsOf = (tool: SubjectTool): ReadonlyArray<Fault> => {
  const { name, outputSchema } = tool
  if (outputSchema === undefined) {
    return [{ subject: name, where: "/outputSchema", message: "does not say what it returns" }]
  }
  const places = placesOf(outputSchema, "/outputSchema")
  return [
    ...(outputSchema["type"] === "object"
      ? []
      : [{ subject: name, where: "/outputSchema", message: "its result is no object, which the protocol demands" }]),
    ...places.flatMap((place) => openings(place, name)),
    ...places
      .filter((place) => !isDescribed(place))
      .map(({ field, where }) => ({ subject: name, where, message: `${field} has no description` })),
    ...places
      .filter((place) => isEndless(place, tool))
      .map(({ where }) => ({
        subject: name,
        where,
        message: "is a list without an end: neither the schema nor the words say how much is returned",
        evidence: `Its arguments are ${Object.keys(propertiesOf(tool)).join(", ") || "none"}`
      }))
  ]
}

const paging =
  /^(?:limit|max.*|count|top|first|last|page.*|per_?page|cursor|offset|skip|take|size|since|until|before|after)$/i

const isEndless = ({ schema }: Place, tool: SubjectTool): boolean =>
  [schema["type"]].flat().includes("array") &&
  !("maxItems" in schema) &&
  !Object.keys(propertiesOf(tool)).some((name) => paging.test(name)) &&
  !/\d/.test(`${tool.declared?.description ?? tool.description} ${String(schema["description"] ?? "")}`)

const propertiesOf = ({ inputSchema }: SubjectTool): object => Object(inputSchema["properties"] ?? {})
