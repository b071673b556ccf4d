/**
 * Rewrites an Effect Schema so that its decoder accepts exactly what the JSON Schema of the same schema accepts.
 */
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Count, Leaf } from "./checks.ts"
import { constraintOf, leaves } from "./checks.ts"
import { type Direction, statedBy } from "./conversions.ts"
import { allDifferent, reader, refused } from "./reader.ts"
import type { Shape } from "./shape.ts"

type AST = SchemaAST.AST

const agreed = { input: new WeakMap<AST, AST>(), output: new WeakMap<AST, AST>() }

/** Gives every check and every known conversion of a schema, however deep, the meaning that its JSON Schema states. */
export const agree = (ast: AST, direction: Direction): AST => {
  const done = agreed[direction].get(ast)
  if (done !== undefined) return done
  const inner = (child: AST) => agree(child, direction)
  const link = (link: SchemaAST.Link) => {
    const to = inner(link.to)
    const stated = to.encoding === undefined ? statedBy(link)?.(direction) : undefined
    return new SchemaAST.Link(
      stated === undefined ? to : copy(to, { checks: [...(to.checks ?? []), filter(shapeTest(stated))] }),
      link.transformation
    )
  }
  const out = copy(ast, { ...children(ast, inner, link), ...checks(ast) })
  agreed[direction].set(ast, out)
  return out
}

/**
 * Lets a class be encoded from any value that has its fields, as its type allows. Its instances have them too.
 */
export const structural = (ast: AST): AST => {
  const { context, encoding } = ast
  if (ast._tag === "Declaration" && encoding?.length === 1) {
    const [{ to, transformation }] = encoding
    const readsOff = transformation._tag === "Transformation" && transformation.encode._tag === "Passthrough"
    if (readsOff && to._tag === "Objects" && to.encoding === undefined) {
      return copy(structural(to), { context, checks: nonEmpty([...(to.checks ?? []), ...(ast.checks ?? [])]) })
    }
  }
  return copy(
    ast,
    children(ast, structural, (link) => new SchemaAST.Link(structural(link.to), link.transformation))
  )
}

const nonEmpty = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> | undefined =>
  values.length === 0 ? undefined : values

/** Rewrites what lies directly below a node: fields, items, members, type parameters, the far side of conversions. */
const children = (
  ast: AST,
  f: (ast: AST) => AST,
  link: (link: SchemaAST.Link) => SchemaAST.Link
): Record<string, unknown> => {
  const changes: Record<string, unknown> = {}
  if (ast.encoding !== undefined) changes["encoding"] = ast.encoding.map(link)
  switch (ast._tag) {
    case "Objects":
      changes["propertySignatures"] = ast.propertySignatures.map(
        (property) => new SchemaAST.PropertySignature(property.name, f(property.type))
      )
      break
    case "Arrays":
      changes["elements"] = ast.elements.map(f)
      changes["rest"] = ast.rest.map(f)
      break
    case "Union":
      changes["types"] = ast.types.map(f)
      break
    case "Declaration":
      changes["typeParameters"] = ast.typeParameters.map(f)
      break
  }
  return changes
}

/** Copies a node with other parts, as Effect's own rewriting does: a node is a plain record over its prototype. */
const copy = (ast: AST, changes: Record<string, unknown>): AST =>
  Object.keys(changes).length === 0 ? ast : Object.assign(Object.create(Object.getPrototypeOf(ast)), ast, changes)

const checks = (ast: AST): Record<string, unknown> =>
  ast.checks === undefined ? {} : { checks: leaves(ast).map((leaf) => agreedCheck(leaf, ast)) }

const agreedCheck = (leaf: Leaf, ast: AST): Leaf => {
  const constraint = constraintOf(leaf, ast)
  switch (constraint.kind) {
    case "string":
    case "number":
      return filter(shapeTest(constraint.narrower), leaf)
    case "count":
      return filter(countTest(constraint.narrower), leaf)
    default:
      return leaf
  }
}

const filter = (holds: (value: unknown) => boolean, leaf?: Leaf): Leaf => {
  const made = new SchemaAST.Filter<never>(
    (value) => (holds(value) ? undefined : new SchemaIssue.InvalidValue()),
    leaf?.annotations,
    leaf?.aborted
  )
  ofJsonSchema.add(made)
  return made
}

const ofJsonSchema = new WeakSet<object>()

/** Whether a check is one that JSON Schema states, and not a rule of the author's own. */
export const isOfJsonSchema = (check: SchemaAST.Filter<never>): boolean => ofJsonSchema.has(check)

const shapeTest = (shape: Shape) => {
  const read = reader(shape)
  return (value: unknown) => read(value) !== refused
}

const countTest =
  ({ min, max, unique }: Count) =>
  (value: unknown) => {
    const size = Array.isArray(value) ? value.length : Object.keys(value as object).length
    return size >= min && size <= max && (!unique || allDifferent(value as ReadonlyArray<unknown>))
  }
