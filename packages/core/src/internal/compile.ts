/**
 * Reads an Effect Schema as a shape, or lists everything in it that makes no good contract.
 *
 * It walks the schema's JSON codec. Where the type side differs from the JSON side, the JSON side is the contract; what
 * the type side demands on top is added to it when JSON Schema can say it, and to the description when only words can.
 */
import type * as SchemaAST from "effect/SchemaAST"
import { allAnnotationsOf, type Annotations, annotationsOf, noteOf, ruleMark, said } from "./annotations.ts"
import { type Constraint, constraintOf, type Count, leaves, narrowNumber, narrowString } from "./checks.ts"
import { type Direction, isConstant, isTotal, passesThrough, type Stated, statedBy } from "./conversions.ts"
import { isCredentialName } from "./credentialName.ts"
import { discriminator, fieldName } from "./issues.ts"
import { isBoundedPattern } from "./pattern.ts"
import { faultOfConversion, jsonOf, standIn } from "./probe.ts"
import { anyNumber, anyString, type Field, type ObjectShape, render, type Shape, type UnionShape } from "./shape.ts"
import { inField, inItem, inVariant, unfitPlaces, unsupported } from "./unsupported.ts"

type AST = SchemaAST.AST

/** A place without bounds, and the author's reason for it. */
export interface Unbounded {
  readonly path: string
  readonly reason: string
}

export interface Compiled {
  readonly shape: ObjectShape
  readonly unbounded: ReadonlyArray<Unbounded>
  /** The decoded value is the JSON value, and the shape says everything. */
  readonly plain: boolean
  /** Some union tells its objects apart only when unknown fields count. */
  readonly ambiguous: boolean
}

interface Walk {
  readonly direction: Direction
  readonly faults: Set<string>
  readonly unbounded: Map<string, string>
  /** Places that were faulted as a whole. */
  readonly unfit: Set<string>
  plain: boolean
  ambiguous: boolean
}

/** Where a node stands, and what the type side above it says and demands of it. */
interface Place {
  readonly path: string
  readonly depth: number
  readonly annotations: ReadonlyArray<Annotations>
  readonly demands: ReadonlyArray<Constraint>
  readonly stated: Stated | undefined
}

const deepest = 10

/** Reads the JSON codec of a schema. Returns every fault of the definition instead, when there is any. */
export const compile = (json: AST, original: AST, direction: Direction): Compiled | ReadonlyArray<string> => {
  const walk: Walk = {
    direction,
    faults: new Set(),
    unbounded: new Map(),
    unfit: new Set(),
    plain: true,
    ambiguous: false
  }
  for (const { path, advice } of unfitPlaces(original, direction)) {
    fault(walk, path, advice)
    walk.unfit.add(path)
  }
  const shape = node(json, "", 0, [], walk)
  if (shape !== undefined && shape.kind !== "object") {
    fault(walk, "", "the root must be a Schema.Struct or a Schema.Class: a tool takes and returns named fields")
  }
  if (shape?.kind === "object" && !hasNames(json, shape)) {
    fault(walk, "", "the root's fields must have the same names in JSON as in code: policies and keys refer to them")
  }
  if (walk.faults.size > 0 || shape?.kind !== "object") return [...walk.faults]
  const unbounded = [...walk.unbounded].map(([path, reason]) => ({ path, reason }))
  return { shape, unbounded, plain: walk.plain, ambiguous: walk.ambiguous }
}

/** Whether the type side of a struct or a class has the fields of its JSON side. */
const hasNames = (ast: AST, shape: ObjectShape): boolean => {
  const struct = ast._tag === "Declaration" ? ast.typeParameters[0] : ast
  if (struct?._tag !== "Objects") return false
  const names = struct.propertySignatures.map(({ name }) => name)
  return names.length === shape.fields.length && shape.fields.every(({ name }) => names.includes(name))
}

const fault = (walk: Walk, path: string, words: string): undefined => {
  walk.faults.add(path === "" ? words : `${path}: ${words}`)
  return undefined
}

/** Reads a node from its outside, then holds its conversion and its examples against what was read. */
const node = (
  ast: AST,
  path: string,
  depth: number,
  demands: ReadonlyArray<Constraint>,
  walk: Walk
): Shape | undefined => {
  if (walk.unfit.has(path)) return undefined
  const shape = read(ast, { path, depth, annotations: [], demands, stated: undefined }, walk)
  if (shape === undefined) return undefined
  if (ast.encoding !== undefined) {
    walk.plain = false
    const words = faultOfConversion(ast, shape, walk.direction)
    if (words !== undefined) fault(walk, path, words)
  }
  return illustrate(shape, ast, path, walk)
}

const read = (ast: AST, place: Place, walk: Walk): Shape | undefined => {
  const advice = unsupported(ast)
  if (advice !== undefined) return fault(walk, place.path, advice)
  const links = ast.encoding ?? []
  if (!links.every(isTotal)) {
    const words = "its conversion from JSON can fail in ways that JSON Schema cannot state"
    return fault(walk, place.path, `${words}: take the JSON form and convert it in the handler`)
  }
  const sides = [ast, ...links.slice(0, -1).map((link) => link.to)]
  const annotations = [...place.annotations, ...sides.flatMap(annotationsOf)]
  const demands = sides.flatMap((side) => leaves(side).map((leaf) => constraintOf(leaf, side)))
  if (links.length === 0) return readJson(ast, { ...place, annotations, demands: [...place.demands, ...demands] }, walk)
  const last = links[links.length - 1]
  const added = passesThrough(ast) ? demands : demands.map(inWords)
  return read(last.to, { ...place, annotations, demands: [...place.demands, ...added], stated: statedBy(last) }, walk)
}

/** What is demanded of a converted value can only be said in words. */
const inWords = (demand: Constraint): Constraint => {
  if (demand.kind === "fault") return demand
  const { words } = demand
  return words === undefined
    ? { kind: "fault", words, fault: "a check on a converted value needs words for the model: expected" }
    : { kind: "custom", words }
}

const readJson = (ast: AST, place: Place, walk: Walk): Shape | undefined => {
  const rules: Array<string> = []
  for (const demand of place.demands) {
    if (demand.kind === "fault") fault(walk, place.path, demand.fault)
    if (demand.kind === "custom" && demand.words !== undefined) rules.push(demand.words)
  }
  if (rules.length > 0) walk.plain = false
  const shape = readBody(ast, place, walk)
  return shape && { ...shape, note: { ...shape.note, ...noteOf(place.annotations, rules) } }
}

const readBody = (ast: AST, place: Place, walk: Walk): Shape | undefined => {
  switch (ast._tag) {
    case "String":
      return readString(place, walk)
    case "Number":
      return readNumber(place, walk)
    case "Boolean":
      return { kind: "boolean", note: {} }
    case "Null":
      return { kind: "enum", note: {}, values: [null] }
    case "Literal":
      if (typeof ast.literal !== "bigint") return { kind: "enum", note: {}, values: [ast.literal] }
      break
    case "Enum":
      return { kind: "enum", note: {}, values: [...new Set(ast.enums.map(([, value]) => value))] }
    case "Arrays":
      return readArray(ast, place, walk)
    case "Objects":
      return readObject(ast, place, walk)
    case "Union":
      return readUnion(ast, place, walk)
  }
  return fault(walk, place.path, `${ast._tag} has no JSON form that can be described`)
}

/** Faults a place of an input that has neither bounds nor a reason to lack them. */
const demandBounds = (bounded: boolean, place: Place, walk: Walk, advice: string): void => {
  if (bounded || walk.direction === "output") return
  const reason = said(place.annotations, "unbounded")
  if (typeof reason === "string" && reason.trim() !== "") walk.unbounded.set(place.path, reason)
  else fault(walk, place.path, `${advice}, or say why there is none: .annotate({ unbounded: "reason" })`)
}

const impossible = "no value satisfies its bounds"

const readString = (place: Place, walk: Walk): Shape => {
  const stated = place.stated?.(walk.direction)
  const widest = place.stated?.("output")
  const implied = widest?.kind === "string" ? widest.patterns.map((pattern) => pattern.source) : []
  const shape = place.demands
    .filter((demand) => demand.kind === "string")
    // A conversion that Effect checks by a pattern states a narrower one of its own.
    .filter(({ narrower }) => !narrower.patterns.some((pattern) => implied.includes(pattern.source)))
    .reduce((shape, { narrower }) => narrowString(shape, narrower), stated?.kind === "string" ? stated : anyString)
  const bounded = shape.max < Infinity || shape.patterns.some((pattern) => isBoundedPattern(pattern.source))
  demandBounds(bounded, place, walk, "a string needs a greatest length, Schema.isMaxLength(n)")
  if (shape.min > shape.max) fault(walk, place.path, impossible)
  return shape
}

const readNumber = (place: Place, walk: Walk): Shape => {
  const stated = place.stated?.(walk.direction)
  const shape = place.demands
    .filter((demand) => demand.kind === "number")
    .reduce((shape, { narrower }) => narrowNumber(shape, narrower), stated?.kind === "number" ? stated : anyNumber)
  const lower = Math.max(shape.min, shape.above)
  const upper = Math.min(shape.max, shape.below)
  // The range of all exact integers comes with Schema.Int and says nothing about the field.
  const bounded = lower > Number.MIN_SAFE_INTEGER && upper < Number.MAX_SAFE_INTEGER
  demandBounds(bounded, place, walk, "a number needs both bounds, Schema.isBetween({ minimum, maximum })")
  if (lower > upper || shape.above >= upper || shape.below <= lower) fault(walk, place.path, impossible)
  return shape
}

const countOf = (place: Place): Count =>
  place.demands
    .filter((demand) => demand.kind === "count")
    .reduce<Count>(
      (count, { narrower }) => ({
        min: Math.max(count.min, narrower.min),
        max: Math.min(count.max, narrower.max),
        unique: count.unique || narrower.unique
      }),
      { min: 0, max: Infinity, unique: false }
    )

const isTooDeep = (place: Place, walk: Walk): boolean => {
  if (place.depth < deepest) return false
  fault(walk, place.path, `nested more than ${deepest} levels deep, which no model gets right: flatten it`)
  return true
}

/** Reads what is inside a node, and tells whether all of it is plain. */
const inside = <A>(walk: Walk, read: () => A): readonly [A, boolean] => {
  const { plain } = walk
  walk.plain = true
  const out = read()
  const isPlain = walk.plain
  walk.plain = plain && isPlain
  return [out, isPlain]
}

const readArray = (ast: SchemaAST.Arrays, place: Place, walk: Walk): Shape | undefined => {
  if (isTooDeep(place, walk)) return undefined
  const count = countOf(place)
  const isTuple = ast.rest.length === 0
  const [parts, isPlain] = inside(walk, () =>
    [...ast.elements, ...ast.rest].map((part, i) => node(part, inItem(place.path, ast, i), place.depth + 1, [], walk))
  )
  if (count.unique && !isPlain) {
    fault(walk, place.path, "items that are converted, or checked by a rule, cannot be required to be unique")
  }
  if (!isTuple)
    demandBounds(count.max < Infinity, place, walk, "an array needs a greatest length, Schema.isMaxLength(n)")
  if (count.min > count.max) fault(walk, place.path, impossible)
  if (!parts.every((part) => part !== undefined)) return undefined
  if (ast.elements.some(isOptional)) {
    return fault(walk, place.path, "every element of a tuple must be there: make an element Schema.NullOr instead")
  }
  const required = parts.length - ast.rest.length
  const { unique } = count
  if (isTuple) {
    if (count.min > required || count.max < required) {
      return fault(walk, place.path, "a tuple's length is the number of its elements: take its length checks away")
    }
    return { kind: "tuple", note: {}, elements: parts, unique }
  }
  const [items] = parts
  if (ast.rest.length > 1 || parts.some((part) => JSON.stringify(render(part)) !== JSON.stringify(render(items)))) {
    return fault(
      walk,
      place.path,
      "an array needs items of one kind or a fixed number of them: Schema.Array or Schema.Tuple"
    )
  }
  return { kind: "array", note: {}, items, min: Math.max(count.min, required), max: count.max, unique }
}

const readObject = (ast: SchemaAST.Objects, place: Place, walk: Walk): Shape | undefined => {
  if (isTooDeep(place, walk)) return undefined
  if (ast.indexSignatures.length > 0) {
    return fault(
      walk,
      place.path,
      "an open record tells the model nothing: list the fields, or take an array of structs"
    )
  }
  const count = countOf(place)
  const [fields, isPlain] = inside(walk, () =>
    ast.propertySignatures.map(({ name, type }) => readField(String(name), type, place, walk))
  )
  if ((count.min > 0 || count.max < Infinity) && !isPlain) {
    fault(walk, place.path, "the number of fields cannot be limited where a field is converted or checked by a rule")
  }
  if (count.min > Math.min(count.max, fields.length)) fault(walk, place.path, impossible)
  if (!fields.every((field) => field !== undefined)) return undefined
  return { kind: "object", note: {}, fields, min: count.min, max: count.max }
}

const readField = (name: string, ast: AST, place: Place, walk: Walk): Field | undefined => {
  const path = inField(place.path, name)
  if (!fieldName.test(name)) {
    fault(walk, path, "a field's name must be 1 to 64 of A-Z, a-z, 0-9, _ and -, and begin with a letter or _")
  }
  if (name in Object.prototype) fault(walk, path, "every JavaScript object has a property of this name: take another")
  if (isCredentialName(name)) {
    fault(walk, path, "a credential must not pass through the model: hold it in a Credential service")
  }
  const shape = node(ast, path, place.depth + 1, [], walk)
  if (shape === undefined) return undefined
  const required = !isOptional(ast)
  const isTag = required && shape.kind === "enum" && shape.values.length === 1
  if (!isDescribed(shape) && !isTag) {
    fault(walk, path, 'needs a description: .annotate({ description: "..." })')
  }
  if (required || ast.encoding === undefined) return { name, shape, required }
  const instead = standIn(ast, shape, walk.direction)
  if (instead.kind === "refused") fault(walk, path, "it may be left out, but then does not decode: give it a default")
  const isDefault = instead.kind === "default" && shape.note.default === undefined && isConstant(ast)
  return { name, required, shape: isDefault ? { ...shape, note: { ...shape.note, default: instead.json } } : shape }
}

/** Whether the author said something, besides the words of a rule. */
const isDescribed = ({ note: { description } }: Shape): boolean =>
  description !== undefined && !description.startsWith(ruleMark)

/** Whether the JSON form may be left out. */
const isOptional = (ast: AST): boolean =>
  ast.encoding === undefined ? ast.context?.isOptional === true : isOptional(ast.encoding[ast.encoding.length - 1].to)

const readUnion = (ast: SchemaAST.Union, place: Place, walk: Walk): Shape | undefined => {
  if (ast.options?.mode === "oneOf") {
    return fault(
      walk,
      place.path,
      "a union that admits one member only hides which: give each a literal field, and drop the mode"
    )
  }
  const demands = place.demands.filter((demand) => demand.kind !== "custom" && demand.kind !== "fault")
  const read = ast.types.map((type, i) => node(type, inVariant(place.path, ast, i), place.depth, demands, walk))
  if (!read.every((shape) => shape !== undefined)) return undefined
  const members = mergeEnums(read.flatMap(flatten))
  if (members.length === 0) return fault(walk, place.path, "a union needs a member")
  if (members.length === 1) return members[0]
  const objects = members.filter((shape) => shape.kind === "object")
  if (objects.length > 1 && discriminator(objects) === undefined) walk.ambiguous = true
  return { kind: "union", ...hoist(members) }
}

/** What is said of the only member that is not null is said of the whole. */
const hoist = (members: ReadonlyArray<Shape>): Pick<UnionShape, "note" | "members"> => {
  const [told, ...others] = members.filter((shape) => !isNull(shape))
  return told === undefined || others.length > 0
    ? { note: {}, members }
    : { note: told.note, members: members.map((shape) => (shape === told ? { ...shape, note: {} } : shape)) }
}

const isNull = (shape: Shape): boolean => shape.kind === "enum" && shape.values.every((value) => value === null)

const isSilent = (shape: Shape): boolean => Object.keys(shape.note).length === 0

const flatten = (shape: Shape): ReadonlyArray<Shape> =>
  shape.kind === "union" && isSilent(shape) ? shape.members : [shape]

/** Literals side by side are one enum. */
const mergeEnums = (members: ReadonlyArray<Shape>): ReadonlyArray<Shape> => {
  const literals = members.filter((shape) => shape.kind === "enum").filter(isSilent)
  if (literals.length < 2) return members
  const values = [...new Set(literals.flatMap((shape) => shape.values))]
  const [first, ...others] = literals
  return members
    .filter((shape) => !others.some((other) => other === shape))
    .map((shape) => (shape === first ? { kind: "enum", note: {}, values } : shape))
}

/** Adds the examples and the default that the author gave, in their JSON form. */
const illustrate = (shape: Shape, ast: AST, path: string, walk: Walk): Shape => {
  const annotations = allAnnotationsOf(ast)
  const inJson = (value: unknown, what: string) => {
    const json = jsonOf(ast, shape, walk.direction, value)
    if (json === undefined) fault(walk, path, `${what} does not satisfy the schema`)
    return json ?? null
  }
  const examples = said(annotations, "examples")
  const otherwise = said(annotations, "default")
  return {
    ...shape,
    note: {
      ...shape.note,
      ...(otherwise !== undefined && { default: inJson(otherwise, "its default") }),
      ...(Array.isArray(examples) &&
        examples.length > 0 && { examples: examples.map((example, i) => inJson(example, `example ${i + 1}`)) })
    }
  }
}
