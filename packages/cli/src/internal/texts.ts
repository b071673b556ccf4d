/**
 * Every text that a model is shown of a connector: names, titles, descriptions, and whatever strings the schemas hold.
 */
import type { Subject, SubjectTool } from "./Subject.ts"

export interface Text {
  /** The tool's name, or the connector's. */
  readonly subject: string
  readonly where: string
  readonly text: string
}

export const textsOf = ({ instructions, name, title, tools }: Subject): ReadonlyArray<Text> => [
  ...stringsIn({ title, instructions }, name, ""),
  ...tools.flatMap(textsOfTool)
]

const textsOfTool = ({ annotations, description, inputSchema, meta, name, outputSchema, title }: SubjectTool) => {
  const { title: again, ...hints } = annotations
  const others = again === title ? hints : annotations
  return stringsIn({ name, title, description, inputSchema, outputSchema, annotations: others, _meta: meta }, name, "")
}

/** Keywords whose strings are for programs. */
const forPrograms = new Set(["$schema", "$id", "$ref", "pattern", "format", "type", "required"])

const stringsIn = (value: unknown, subject: string, where: string): ReadonlyArray<Text> => {
  if (typeof value === "string") return [{ subject, where, text: value }]
  if (Array.isArray(value)) return value.flatMap((each, i) => stringsIn(each, subject, `${where}/${i}`))
  if (typeof value !== "object" || value === null) return []
  return Object.entries(value).flatMap(([key, each]) => {
    const path = `${where}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`
    // A field's name is a text too.
    if (where.endsWith("/properties")) return [{ subject, where: path, text: key }, ...stringsIn(each, subject, path)]
    return forPrograms.has(key) ? [] : stringsIn(each, subject, path)
  })
}
