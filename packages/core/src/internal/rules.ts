/**
 * Says which of the author's own checks a value breaks, and what an encoder refused.
 *
 * The words come from the schema. What a check itself returns may quote the value, so it is not repeated.
 */
import * as Exit from "effect/Exit"
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { isOfJsonSchema } from "./agree.ts"
import { wordsOf } from "./checks.ts"
import { at, type Report } from "./issues.ts"
import { isRule, issueOf, schemaOf } from "./probe.ts"
import { reader, refused } from "./reader.ts"
import type { Shape } from "./shape.ts"

const all = { errors: "all", onExcessProperty: "error" } as const

/**
 * Runs the checks of every part of a value that satisfies its shape, so that one answer lists the faults of both kinds,
 * and no check sees a value that its author ruled out.
 */
export const explainRules = (ast: SchemaAST.AST, shape: Shape, value: unknown, path: string, to: Report): void => {
  const accepted = reader(shape)(value)
  if (accepted !== refused) {
    const exit = SchemaParser.decodeUnknownExit(schemaOf(ast), all)(accepted)
    if (Exit.isFailure(exit)) explainFailure(issueOf(exit), path, to)
    return
  }
  const json = jsonSide(ast)
  if (json._tag === "Objects" && shape.kind === "object" && typeof value === "object" && value !== null) {
    for (const { name, type } of json.propertySignatures) {
      const part: unknown = Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
      const field = shape.fields.find((field) => field.name === name)
      if (part !== undefined && field !== undefined) explainRules(type, field.shape, part, at(path, name), to)
    }
  } else if (json._tag === "Arrays" && Array.isArray(value)) {
    partsOf(shape, value).forEach((part, i) => {
      explainRules(json.elements[i] ?? json.rest[0], part, value[i], at(path, i), to)
    })
  }
}

/** The shapes of an array's items, but of no more than it may have. */
const partsOf = (shape: Shape, value: ReadonlyArray<unknown>): ReadonlyArray<Shape> =>
  shape.kind === "tuple"
    ? shape.elements.slice(0, value.length)
    : shape.kind === "array"
      ? value.slice(0, shape.max).map(() => shape.items)
      : []

const jsonSide = (ast: SchemaAST.AST): SchemaAST.AST =>
  ast.encoding === undefined ? ast : jsonSide(ast.encoding[ast.encoding.length - 1].to)

/** Reports what a decoder or an encoder found; no issue stands for a check or a conversion that threw. */
export const explainFailure = (issue: SchemaIssue.Issue | undefined, path: string, to: Report): void => {
  switch (issue?._tag) {
    case undefined:
      return to.add(
        path,
        "could not be checked: a rule of this connector failed",
        "nothing else; this is not your fault"
      )
    case "Filter": {
      const words = wordsOf(issue.filter.annotations) ?? "a valid value"
      for (const place of placesOf(issue.issue, path)) to.add(place, `breaks the rule: ${words}`, words)
      return
    }
    case "Pointer":
      return explainFailure(issue.issue, issue.path.reduce<string>(at, path), to)
    case "Encoding":
      return explainFailure(issue.issue, path, to)
    case "Composite":
      return issue.issues.forEach((inner) => explainFailure(inner, path, to))
    case "AnyOf": {
      // A member that only a rule refused is the one that was meant.
      const meant = issue.issues.find(isOwnRule) ?? issue.issues.find((inner) => isRule(inner)) ?? issue.issues[0]
      if (meant !== undefined) return explainFailure(meant, path, to)
      return to.add(path, "is none of the accepted forms", "one of the accepted forms")
    }
    case "MissingKey":
      return to.add(path, "is required", "a value")
    case "UnexpectedKey":
      return to.add(path, "is not a known field", "leave it out")
    default:
      return to.add(path, "is not of the expected type", "a value of the field's type")
  }
}

const isOwnRule = (issue: SchemaIssue.Issue): boolean => isRule(issue, (filter) => !isOfJsonSchema(filter))

/** Where a check says its fault is: on the value, or on the parts that it names. */
const placesOf = (issue: SchemaIssue.Issue, path: string): ReadonlyArray<string> => {
  switch (issue._tag) {
    case "Pointer":
      return placesOf(issue.issue, issue.path.reduce<string>(at, path))
    case "Composite":
      return issue.issues.flatMap((inner) => placesOf(inner, path))
    default:
      return [path]
  }
}

/** Leaves out what JSON has no word for: members of plain objects that are `undefined`. */
export const withoutUndefined = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== "object" || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === undefined ? [] : [[key, withoutUndefined(member)]]))
  )
}
