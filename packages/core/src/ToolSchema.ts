/**
 * The schema of a tool's input or output: one contract for the model that is shown it and the server that enforces it.
 *
 * `input` and `output` compile an Effect Schema once, to a closed JSON Schema 2020-12 and to a decoder that accepts
 * exactly what that JSON Schema accepts, except what only a custom check can say; its words are in the description. What
 * cannot be a good contract is refused with everything that is wrong with it: a field without a description, an open
 * record, a value without bounds, a credential, a conversion that JSON Schema cannot state.
 *
 * Lengths count Unicode code points and patterns have the `u` flag, on both sides, as JSON Schema has it.
 */
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import type { Issue } from "./ConnectorError.ts"
import { agree, structural } from "./internal/agree.ts"
import { compile, type Compiled, type Unbounded } from "./internal/compile.ts"
import type { Direction } from "./internal/conversions.ts"
import { explain, report } from "./internal/issues.ts"
import { issueOf, schemaOf } from "./internal/probe.ts"
import { reader, refused } from "./internal/reader.ts"
import { explainFailure, explainRules, withoutUndefined } from "./internal/rules.ts"
import { type JsonObject, render } from "./internal/shape.ts"

/**
 * Every fault of a value: at least one, and at most fifty before one that counts the rest.
 *
 * @category models
 * @since 0.1.0
 */
export type Issues = readonly [Issue, ...Array<Issue>]

/**
 * A JSON object, such as a JSON Schema.
 *
 * @category models
 * @since 0.1.0
 */
export type { JsonObject }

/**
 * A place without bounds, and the author's reason for it.
 *
 * @category models
 * @since 0.1.0
 */
export type { Unbounded }

/**
 * Tells whether a field's name says that it holds a credential, which no tool takes or returns. For an audit of schemas
 * that were not made here.
 *
 * @category guards
 * @since 0.1.0
 */
export { isCredentialName } from "./internal/credentialName.ts"

/**
 * Tells whether a regular expression matches only strings up to some length, so that it bounds a string by itself.
 *
 * @category guards
 * @since 0.1.0
 */
export { isBoundedPattern } from "./internal/pattern.ts"

/**
 * A compiled schema.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolSchema<A> {
  /** A frozen JSON Schema 2020-12 whose root is a closed object. */
  readonly jsonSchema: JsonObject
  /** The names of the top-level fields, in order. */
  readonly fields: ReadonlyArray<string>
  /** The places that `annotate({ unbounded: reason })` excuses from bounds, for an audit. */
  readonly unbounded: ReadonlyArray<Unbounded>
  /**
   * Decodes arguments, or a stored result, from JSON. Synchronous; it never throws, whatever it is given. No issue holds
   * any part of a rejected value.
   */
  readonly decode: (input: unknown) => Result.Result<A, Issues>
  /**
   * Encodes to JSON that satisfies the JSON Schema. Fields that the schema lacks are left out, and so are optional ones
   * that are `undefined`; an object with a class's fields passes for an instance. It never throws.
   */
  readonly encode: (value: A) => Result.Result<JsonObject, Issues>
  /** Whether what it decodes to is the JSON itself. */
  readonly plain: boolean
}

/**
 * What `input` and `output` take: a schema that needs no services.
 *
 * @category models
 * @since 0.1.0
 */
export type Source<A> = Schema.ConstraintCodec<A, unknown>

/**
 * Compiles the schema of a tool's arguments, or lists every fault of its definition. Besides what `output` demands, every
 * string, number and array needs bounds or a reason to have none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const input = <A>(schema: Source<A>): Result.Result<ToolSchema<A>, ReadonlyArray<string>> =>
  make(schema, "input")

/**
 * Compiles the schema of a tool's result, or lists every fault of its definition.
 *
 * @category constructors
 * @since 0.1.0
 */
export const output = <A>(schema: Source<A>): Result.Result<ToolSchema<A>, ReadonlyArray<string>> =>
  make(schema, "output")

const make = <A>(schema: Source<A>, direction: Direction): Result.Result<ToolSchema<A>, ReadonlyArray<string>> => {
  const codec = Result.try({
    try: () => Schema.toCodecJson(schema).ast,
    catch: (cause) => [`has no JSON form: ${cause instanceof Error ? cause.message : String(cause)}`]
  })
  return Result.flatMap(codec, (json) => {
    const compiled = compile(json, schema.ast, direction)
    return isCompiled(compiled) ? Result.succeed(build<A>(agree(json, direction), compiled)) : Result.fail(compiled)
  })
}

const isCompiled = (result: Compiled | ReadonlyArray<string>): result is Compiled => !Array.isArray(result)

const closed = { onExcessProperty: "error" } as const

const build = <A>(agreed: Schema.Constraint["ast"], compiled: Compiled): ToolSchema<A> => {
  const { shape, plain, ambiguous, unbounded } = compiled
  const read = reader(shape)
  const decodeJson = SchemaParser.decodeUnknownExit(schemaOf<A>(agreed), ambiguous ? closed : {})
  const encodeValue = SchemaParser.encodeUnknownExit(schemaOf<A>(structural(agreed)))

  const decode = (input: unknown): Result.Result<A, Issues> => {
    const value = read(input)
    if (value !== refused) {
      // A plain schema decodes to the JSON value itself, which the reader has copied.
      if (plain) return Result.succeed(value as A)
      const exit = decodeJson(value)
      if (Exit.isSuccess(exit)) return Result.succeed(exit.value)
    }
    const to = report()
    explain(shape, input, "", to)
    if (!plain) explainRules(agreed, shape, input, "", to)
    return Result.fail(to.issues())
  }

  const encodeJson = (value: A) => {
    // A member of an ambiguous union is the one that leaves no field out, if there is one.
    const first = encodeValue(value, ambiguous ? closed : {})
    if (Exit.isSuccess(first)) return first
    const whole = encodeValue(withoutUndefined(value), ambiguous ? closed : {})
    return Exit.isSuccess(whole) || !ambiguous ? whole : encodeValue(withoutUndefined(value))
  }

  const encode = (value: A): Result.Result<JsonObject, Issues> => {
    // A value of a plain schema is its own JSON, unless it has more than the schema lets out.
    const same = plain ? read(value) : refused
    if (same !== refused) return Result.succeed(same as JsonObject)
    const exit = encodeJson(value)
    const encoded = Exit.isSuccess(exit) ? read(exit.value) : refused
    if (encoded !== refused) return Result.succeed(encoded as JsonObject)
    const to = report()
    if (Exit.isSuccess(exit)) explain(shape, exit.value, "", to)
    else explainFailure(issueOf(encodeValue(withoutUndefined(value), { errors: "all" })), "", to)
    return Result.fail(to.issues())
  }

  return {
    jsonSchema: deepFreeze(render(shape)),
    fields: shape.fields.map((field) => field.name),
    unbounded,
    decode: (input) => orUnreadable(() => decode(input)),
    encode: (value) => orUnreadable(() => encode(value)),
    plain
  }
}

/** Whatever a value does while it is read, a getter that throws or a cycle, it is refused like any other. */
const orUnreadable = <A>(read: () => Result.Result<A, Issues>): Result.Result<A, Issues> => {
  try {
    return read()
  } catch {
    return Result.fail([{ path: "", message: "cannot be read as JSON", expected: "a plain JSON value" }])
  }
}

const deepFreeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
