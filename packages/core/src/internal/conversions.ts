/**
 * The conversions between JSON and richer types whose JSON form can be stated exactly.
 *
 * Each is known by the identity of Effect's own transformation. What it states of the JSON form is narrow enough that
 * every value admitted converts, and wide enough for every value that the conversion produces.
 */
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { NumberShape, StringShape } from "./shape.ts"
import { anyNumber, anyString } from "./shape.ts"

export type Direction = "input" | "output"

/** What a conversion demands of its JSON form, on top of what the schema there says. */
export type Stated = (direction: Direction) => StringShape | NumberShape

const string =
  (words: string, source: string, rest?: Partial<StringShape>): Stated =>
  () => ({ ...anyString, patterns: [{ source, words }], ...rest })

const day =
  "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))" +
  "|(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
const clock = "(?:[01]\\d|2[0-3]):[0-5]\\d"

const dateTime = string(
  "a date and time with its zone, such as 2026-01-31T09:30:00Z",
  `^${day}T${clock}:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]${clock})$`,
  { format: "date-time" }
)

const label = "[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"
const letters = "[\\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2}"
const port = "[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"

const host = `(?:${label}\\.)*[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*`
const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
const rest = "(?:[/?#][!-~]*)?"

/**
 * Never with user information, which would be a credential. A host is a name whose last part begins with a letter, so
 * that it is no malformed IP address; a result may also name an IPv4 address, and use any scheme.
 */
const url: Stated = (direction) =>
  direction === "input"
    ? {
        ...anyString,
        max: 2048,
        format: "uri",
        patterns: [
          {
            words: "an http or https URL with a host name, such as https://example.com/a?b=c",
            source:
              `^https?://${host}(?::(?:${port}))?` +
              `(?:/(?:${letters})*)?(?:\\?(?:${letters}|\\?)*)?(?:#(?:${letters}|\\?)*)?$`
          }
        ]
      }
    : {
        ...anyString,
        patterns: [
          {
            words: "a URL without user information",
            source:
              `^(?:(?:https?|wss?|ftp)://(?:${host}|${octet}(?:\\.${octet}){3})(?::(?:${port}))?${rest}` +
              "|(?!(?:https?|wss?|ftp|file):)[a-z][a-z0-9+.-]*:" +
              `(?://(?:[\\w.~-]+(?::(?:${port}))?)?${rest}|(?!//)[!-~]*))$`
          }
        ]
      }

/** Effect writes a number of more digits with an exponent. */
const decimal: Stated = (direction) => ({
  ...anyString,
  patterns: [
    {
      words: "a decimal number as a string, such as -12.50",
      source: direction === "input" ? "^-?(?:0|[1-9]\\d{0,15})(?:\\.\\d{1,15})?$" : "^-?\\d+(?:\\.\\d+)?(?:e[+-]\\d+)?$"
    }
  ]
})

const bigint: Stated = (direction) => ({
  ...anyString,
  patterns: [
    {
      words: "a whole number as a string, such as 9007199254740993",
      source: direction === "input" ? "^-?(?:0|[1-9]\\d{0,37})$" : "^-?\\d+$"
    }
  ]
})

/** The range of a JavaScript date. */
const millis: Stated = () => ({ ...anyNumber, integer: true, min: -8.64e15, max: 8.64e15 })

const conversions = new Map<unknown, Stated>()

const know = (stated: Stated, ...asts: ReadonlyArray<SchemaAST.AST>): void => {
  for (const ast of asts) for (const link of ast.encoding ?? []) conversions.set(link.transformation, stated)
}

const json = (schema: Schema.Constraint): SchemaAST.AST => Schema.toCodecJson(schema).ast

know(dateTime, json(Schema.Date), Schema.DateFromString.ast, json(Schema.DateTimeUtc), Schema.DateTimeUtcFromString.ast)
know(url, json(Schema.URL), Schema.URLFromString.ast)
know(decimal, json(Schema.BigDecimal), Schema.BigDecimalFromString.ast)
know(bigint, json(Schema.BigInt), Schema.BigIntFromString.ast)
know(millis, Schema.DateFromMillis.ast, Schema.DateTimeUtcFromMillis.ast)
know(
  string("bytes in base64", "^(?:[0-9a-zA-Z+/]{4})*(?:[0-9a-zA-Z+/]{2}==|[0-9a-zA-Z+/]{3}=)?$"),
  json(Schema.Uint8Array),
  Schema.Uint8ArrayFromBase64.ast
)
conversions.set(SchemaTransformation.dateTimeUtcFromString, dateTime)
conversions.set(SchemaTransformation.bigDecimalFromString, decimal)

/** What a known conversion states of its JSON form. */
export const statedBy = (link: SchemaAST.Link): Stated | undefined => conversions.get(link.transformation)

/** Conversions between two rich types that never fail on a value of the first. */
const lossless: ReadonlySet<unknown> = new Set(
  (Schema.DateTimeUtcFromDate.ast.encoding ?? []).map((link) => link.transformation)
)

/**
 * Whether a conversion from JSON is of a kind that always succeeds: a function of the value, a known one, or one that
 * only fills in what is missing. Whether the result fits the type side is left to examples.
 */
export const isTotal = (link: SchemaAST.Link): boolean => {
  const { transformation } = link
  if (statedBy(link) !== undefined || lossless.has(transformation)) return true
  if (transformation._tag !== "Transformation") return false
  switch (transformation.decode._tag) {
    case "Passthrough":
    case "Transform":
    case "TransformOptional":
      return true
    case "TransformEffect":
      return false
    case "TransformOptionalEffect":
      return returnsWhatIsThere(transformation.decode)
  }
}

/** Whether every conversion of a node leaves a value that is present as it is. */
export const passesThrough = (ast: SchemaAST.AST): boolean =>
  (ast.encoding ?? []).every(
    ({ to, transformation }) =>
      transformation._tag === "Transformation" && returnsWhatIsThere(transformation.decode) && passesThrough(to)
  )

/** A getter that returns a value made only to be recognised cannot have looked into it. */
const returnsWhatIsThere = (getter: SchemaGetter.Getter<unknown, unknown, unknown>): boolean => {
  const token = {}
  switch (getter._tag) {
    case "Passthrough":
      return true
    case "TransformOptionalEffect":
      return isToken(
        Result.try(() => getter.transform(Option.some(token), {})),
        token
      )
    default:
      return false
  }
}

const isToken = (result: Result.Result<unknown, unknown>, token: object): boolean =>
  Result.isSuccess(result) &&
  Exit.isExit(result.success) &&
  Exit.isSuccess(result.success) &&
  Option.isOption(result.success.value) &&
  Option.getOrNull(result.success.value) === token

/** Whether what stands in for a missing value is the same each time. */
export const isConstant = (ast: SchemaAST.AST): boolean =>
  (ast.encoding ?? []).every(({ to, transformation }) => {
    if (transformation._tag !== "Transformation") return false
    const { decode } = transformation
    return (
      (decode._tag !== "TransformOptionalEffect" || Exit.isExit(decode.transform(Option.none(), {}))) && isConstant(to)
    )
  })
