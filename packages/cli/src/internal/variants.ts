/**
 * The same arguments with one field changed, as somebody would send them who means something else.
 */
import type * as Tool from "@ferrule/core/Tool"
import * as Result from "effect/Result"
import type { Arguments } from "./Call.ts"
import type { JsonSchema } from "./Subject.ts"

/** Each is accepted by the tool's schema. There may be none, as for a field of one value. */
export const variants = ({ input }: Tool.Any, valid: Arguments, field: string): ReadonlyArray<Arguments> => {
  const properties = input.jsonSchema["properties"] as Readonly<Record<string, JsonSchema>>
  return others(properties[field] ?? {}, valid[field])
    .filter((other) => JSON.stringify(other) !== JSON.stringify(valid[field]))
    .map((other) => ({ ...valid, [field]: other }))
    .filter((args) => Result.isSuccess(input.decode(args)))
}

const others = (schema: JsonSchema, value: unknown): ReadonlyArray<unknown> => {
  const choices = Array.isArray(schema["enum"]) ? (schema["enum"] as ReadonlyArray<unknown>) : []
  if (choices.length > 0) return choices
  switch (typeof value) {
    case "boolean":
      return [!value]
    case "number":
      return [value + 1, value - 1, value * 2, value + 10]
    case "string":
      return [
        `${value} again`,
        `${value}2`,
        value.replace(/[0-9](?=[^0-9]*$)/, (digit) => String((Number(digit) + 1) % 10)),
        value.replace(/[a-z](?=[^a-z]*$)/, (letter) => (letter === "b" ? "c" : "b")),
        value.replace(/[A-Z](?=[^A-Z]*$)/, (letter) => (letter === "B" ? "C" : "B"))
      ]
    case "undefined":
      return ["again", "2", 1, 2, true]
    default:
      return Array.isArray(value) ? [[...value, ...value], value.slice(1)] : []
  }
}
