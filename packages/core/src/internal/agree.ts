/**
 * Rewrites an Effect Schema so that its decoder accepts exactly what the JSON Schema of the same schema accepts.
 */
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Count, Leaf } from "./checks.ts"
import { constraintOf, leaves } from "./checks.ts"
import { allDifferent, reader, refused } from "./reader.ts"
import type { Shape } from "./shape.ts"

type AST = SchemaAST.AST

const agreed = new WeakMap<AST, AST>()

/** Gives every check of a schema, however deep, the meaning that its JSON Schema states. */
export const agree = (ast: AST): AST => {
  const done = agreed.get(ast)
  if (done !== undefined) return done
  const out = copy(ast, { ...children(ast, agree), ...checks(ast) })
  agreed.set(ast, out)
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
  return copy(ast, children(ast, structural))
}

const nonEmpty = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> | undefined =>
  values.length === 0 ? undefined : values

/** Rewrites what lies directly below a node: fields, items, members, type parameters, the far side of conversions. */
const children = (ast: AST, f: (ast: AST) => AST): Record<string, unknown> => {
  const changes: Record<string, unknown> = {}
  if (ast.encoding !== undefined) {
    changes["encoding"] = ast.encoding.map((link) => new SchemaAST.Link(f(link.to), link.transformation))
  }
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
export const copy = (ast: AST, changes: Record<string, unknown>): AST =>
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

const filter = (holds: (value: unknown) => boolean, leaf: Leaf): Leaf =>
  new SchemaAST.Filter<never>(
    (value) => (holds(value) ? undefined : new SchemaIssue.InvalidValue()),
    leaf.annotations,
    leaf.aborted
  )

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
