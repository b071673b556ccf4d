/** What no tool schema may hold, and what to write instead. */
import type * as SchemaAST from "effect/SchemaAST"
import type { Direction } from "./conversions.ts"

type AST = SchemaAST.AST

/** The advice against a node of a JSON codec, if there is any. */
export const unsupported = (ast: AST): string | undefined => {
  switch (ast._tag) {
    case "Suspend":
      return "a recursive schema has no bound: take a list with parent ids, or a fixed number of levels"
    case "Any":
    case "Unknown":
    case "ObjectKeyword":
      return anyJson
    case "TemplateLiteral":
      return "a template literal cannot be said in JSON Schema: Schema.String.check(Schema.isPattern(/.../u))"
    case "Never":
      return "no value satisfies it"
    case "Symbol":
    case "UniqueSymbol":
      return "a symbol has no JSON form"
    case "Number":
      return unsupportedNumber(ast)
    case "Declaration":
      return ast.encoding !== undefined ? undefined : idOf(ast).endsWith("Json") ? anyJson : withoutJson
    default:
      return undefined
  }
}

const withoutJson = "this type has no JSON form that can be described: take its parts as fields"

const unsupportedNumber = (ast: SchemaAST.Number): string | undefined => {
  if (ast.encoding === undefined) return undefined
  switch (ast.encoding[ast.encoding.length - 1].to._tag) {
    case "String":
      return "JSON has numbers: use Schema.Finite or Schema.Int, not a string that holds one"
    case "Union":
      return isNonFinite(ast) ? "use Schema.Finite or Schema.Int: Schema.Number admits NaN and Infinity" : undefined
    default:
      return undefined
  }
}

/** Effect's own JSON form of a number that may not be finite: a number or one of three strings. */
const isNonFinite = (ast: SchemaAST.Number): boolean => {
  const to = ast.encoding?.[ast.encoding.length - 1].to
  return to?._tag === "Union" && to.types.some((type) => type._tag === "Union" || type._tag === "Literal")
}

const prefix = "effect/schema/"

const anyJson = "admits any value, so the model cannot know what to send: describe the value"

/** Types without an encoded form of their own that Effect's JSON codec would send in an unfit one. */
const unfit = new Map<string, string>(
  Object.entries({
    Redacted: "a secret must not pass through the model: leave it out, or give it a harmless encoded form",
    Option: "travels as an object with _tag: use Schema.OptionFromNullOr or Schema.OptionFromOptionalKey",
    Result: "travels as an object with _tag: use a Schema.Union of structs with a described kind",
    Exit: "travels as an object with _tag: use a Schema.Union of structs with a described kind",
    Cause: "travels as an object with _tag: describe what the model may know of the failure",
    Duration: "travels as an object with _tag: take whole seconds as a Schema.Int with bounds",
    ReadonlyMap: "travels as an array of pairs: use a Schema.Array of structs with described fields",
    HashMap: "travels as an array of pairs: use a Schema.Array of structs with described fields",
    RegExp: "a regular expression from a model can stop the server: take a text to search for",
    Json: anyJson,
    MutableJson: anyJson
  }).map(([name, advice]) => [prefix + name, advice])
)

const idOf = (ast: SchemaAST.Declaration): string => {
  const representation = ast.annotations?.["representation"] as { readonly id?: unknown } | undefined
  return typeof representation?.id === "string" ? representation.id : ""
}

/**
 * The places of a schema that hold a type unfit to travel, with what to write instead. It reads the schema as written:
 * a type that was given an encoded form of its own is fit, but for a secret in an input.
 */
export const unfitPlaces = (
  ast: AST,
  direction: Direction,
  path = ""
): ReadonlyArray<{ readonly path: string; readonly advice: string }> => {
  const id = ast._tag === "Declaration" ? idOf(ast) : ""
  const advice = unfit.get(id)
  const isSecret = direction === "input" && id === `${prefix}Redacted`
  if (advice !== undefined && (ast.encoding === undefined || isSecret)) return [{ path, advice }]
  if (ast.encoding !== undefined) return unfitPlaces(ast.encoding[ast.encoding.length - 1].to, direction, path)
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters.flatMap((parameter) => unfitPlaces(parameter, direction, path))
    case "Objects":
      return ast.propertySignatures.flatMap(({ name, type }) =>
        unfitPlaces(type, direction, inField(path, String(name)))
      )
    case "Arrays":
      return [...ast.elements, ...ast.rest].flatMap((item, i) => unfitPlaces(item, direction, inItem(path, ast, i)))
    case "Union":
      return ast.types.flatMap((type, i) => unfitPlaces(type, direction, inVariant(path, ast, i)))
    default:
      return []
  }
}

export const inField = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)

export const inItem = (path: string, { rest }: SchemaAST.Arrays, i: number): string =>
  `${path}[${rest.length === 0 ? i : ""}]`

export const inVariant = (path: string, { types }: SchemaAST.Union, i: number): string =>
  types.length === 1 ? path : `${path}(variant ${i + 1})`
