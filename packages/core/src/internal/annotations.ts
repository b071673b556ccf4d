/** Reads what a schema says of itself, from the outermost side of a conversion to the innermost. */
import type * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type { Note } from "./shape.ts"

export type Annotations = Schema.Annotations.Annotations

/** The annotations of one node, the latest first: on its key, on its checks, on itself. */
export const annotationsOf = (ast: SchemaAST.AST): ReadonlyArray<Annotations> =>
  [
    ast.context?.annotations,
    ...(ast.checks ?? []).map((check) => check.annotations).toReversed(),
    ast.annotations
  ].filter((annotations) => annotations !== undefined)

/** The annotations of a node and of its JSON form. */
export const allAnnotationsOf = (ast: SchemaAST.AST): ReadonlyArray<Annotations> => [
  ...annotationsOf(ast),
  ...(ast.encoding ?? []).flatMap((link) => allAnnotationsOf(link.to))
]

/** The first that is said under a key. */
export const said = (annotations: ReadonlyArray<Annotations>, key: string): unknown =>
  annotations.find((one) => one[key] !== undefined)?.[key]

/** What the words of a rule begin with in a description. */
export const ruleMark = "Rule: "

/** The title and the description, with the rules that only words can say at its end. */
export const noteOf = (annotations: ReadonlyArray<Annotations>, rules: ReadonlyArray<string>): Note => {
  const title = text(said(annotations, "title"))
  const own = text(said(annotations, "description"))
  const description = rules.reduce<string | undefined>(
    (description, rule) => (description === undefined ? "" : `${ended(description)} `) + `${ruleMark}${ended(rule)}`,
    own
  )
  return { ...(title !== undefined && { title }), ...(description !== undefined && { description }) }
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value.trim() !== "" ? value.trim() : undefined

const ended = (sentence: string): string => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`)
