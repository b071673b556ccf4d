/**
 * How a JSON Schema changed, in words, field by field. A keyword that has no words of its own is said with its values, so that
 * no change goes unsaid.
 */
import type * as Schema from "effect/Schema"
import { sha256 } from "./Definition.ts"
import * as textDrift from "./textDrift.ts"

type Json = Schema.Json
type JsonObject = Readonly<Record<string, Json>>

/** Says what makes the second schema of the first, which are those of `what`. */
export const between = (what: string, before: Json, now: Json): ReadonlyArray<string> =>
  inside({ what, path: "" }, before, now)

interface Place {
  readonly what: string
  /** Empty at the root. */
  readonly path: string
}

const inside = (place: Place, before: Json | undefined, now: Json | undefined): ReadonlyArray<string> => {
  if (isSame(before, now)) return []
  if (!isObject(before) || !isObject(now)) return [`${named(place)} is now ${shown(now)} (was ${shown(before)})`]
  const keys = new Set([...Object.keys(before), ...Object.keys(now)])
  return [...keys].flatMap((key) => keyword(place, key, before, now))
}

const keyword = (place: Place, key: string, before: JsonObject, now: JsonObject): ReadonlyArray<string> => {
  const [was, is] = [own(before, key), own(now, key)]
  if (isSame(was, is)) return []
  if (Object.hasOwn(bounds, key)) return [`${named(place)} ${bounds[key]!(is, was)}`]
  const members = isObject(was) && isObject(is) ? ([was, is] as const) : undefined
  const lists = Array.isArray(was) && Array.isArray(is) ? ([was, is] as const) : undefined
  if (members !== undefined && key === "properties") return fields(place, now, ...members)
  if (members !== undefined && key === "items") return inside(at(place, "[]"), ...members)
  if (members !== undefined && (key === "$defs" || key === "patternProperties")) {
    return [...new Set(members.flatMap(Object.keys))].flatMap((name) =>
      inside(at(place, `(${name})`), own(members[0], name), own(members[1], name))
    )
  }
  if (key === "required" && isNames(was) && isNames(is)) return required(place, before, now, was, is)
  if (lists !== undefined && key === "enum") return values(place, ...lists)
  if (lists !== undefined && alternatives.has(key) && lists[0].length === lists[1].length) {
    return lists[0].flatMap((each, index) => inside(at(place, `(${key} ${index + 1})`), each, lists[1][index]))
  }
  if (key === "description" && typeof was === "string" && typeof is === "string") {
    return [`the description of ${named(place)} changed: ${textDrift.between(was, is)}`]
  }
  if (key === "type") return [`${named(place)} is now ${typeWords(is)} (was ${typeWords(was)})`]
  if (key === "additionalProperties" && is !== false && was === false) {
    return [`${named(place)} now takes fields that it does not name`]
  }
  if (key === "additionalProperties" && is === false)
    return [`${named(place)} no longer takes fields that it does not name`]
  return [`${named(place)}: ${key} is now ${shown(is)} (was ${shown(was)})`]
}

/** A field may well be named `constructor`. */
const own = (object: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined

const alternatives = new Set(["anyOf", "oneOf", "allOf", "prefixItems"])

type Bound = (now: Json | undefined, before: Json | undefined) => string

const counted =
  (verb: string, unit: string): Bound =>
  (now, before) =>
    `${verb} ${now === undefined ? "any number of" : shown(now)} ${unit} (was ${before === undefined ? "any number" : shown(before)})`

const limited =
  (verb: string): Bound =>
  (now, before) =>
    now === undefined
      ? `is no longer limited: it had to be ${verb} ${shown(before)}`
      : `must now be ${verb} ${shown(now)} (was ${before === undefined ? "any" : shown(before)})`

const bounds: Readonly<Record<string, Bound>> = {
  maxLength: counted("may now have", "characters"),
  minLength: counted("must now have at least", "characters"),
  maxItems: counted("may now have", "items"),
  minItems: counted("must now have at least", "items"),
  maxProperties: counted("may now have", "fields"),
  minProperties: counted("must now have at least", "fields"),
  maximum: limited("at most"),
  minimum: limited("at least"),
  exclusiveMaximum: limited("below"),
  exclusiveMinimum: limited("above"),
  multipleOf: limited("a multiple of")
}

const fields = (place: Place, now: JsonObject, was: JsonObject, is: JsonObject): ReadonlyArray<string> => [
  ...Object.keys(is)
    .filter((name) => !Object.hasOwn(was, name))
    .map((name) => {
      const need = isNames(now["required"]) && now["required"].includes(name) ? "required" : "optional"
      return `the field ${named(at(place, name))} is new (${need}): ${shown(is[name])}`
    }),
  ...Object.keys(was)
    .filter((name) => !Object.hasOwn(is, name))
    .map((name) => `the field ${named(at(place, name))} is gone`),
  ...Object.keys(was)
    .filter((name) => Object.hasOwn(is, name))
    .flatMap((name) => inside(at(place, name), was[name], is[name]))
]

/** Of a field that came or went, that has said whether it is required. */
const required = (
  place: Place,
  before: JsonObject,
  now: JsonObject,
  was: ReadonlyArray<string>,
  is: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const has = ({ properties }: JsonObject, name: string) => isObject(properties) && Object.hasOwn(properties, name)
  const only = (from: ReadonlyArray<string>, other: ReadonlyArray<string>) =>
    from.filter((name) => !other.includes(name) && has(before, name) === has(now, name))
  const sentences = [
    ...only(is, was).map((name) => `field ${named(at(place, name))} is now required`),
    ...only(was, is).map((name) => `field ${named(at(place, name))} is no longer required`)
  ]
  const isUnsaid = sentences.length === 0 && isSame(before["properties"], now["properties"])
  return isUnsaid ? [`${named(place)}: required is now ${shown([...is])} (was ${shown([...was])})`] : sentences
}

const values = (place: Place, was: ReadonlyArray<Json>, is: ReadonlyArray<Json>): ReadonlyArray<string> => {
  const missing = (from: ReadonlyArray<Json>, of: ReadonlyArray<Json>) =>
    from.filter((value) => !of.some((each) => isSame(each, value)))
  const sentences = [
    ...missing(is, was).map((value) => `${named(place)} may now also be ${shown(value)}`),
    ...missing(was, is).map((value) => `${named(place)} may no longer be ${shown(value)}`)
  ]
  return sentences.length > 0
    ? sentences
    : [`the values of ${named(place)} are listed otherwise: ${shown(is)} (was ${shown(was)})`]
}

const at = ({ path, what }: Place, name: string): Place => ({
  what,
  path: path === "" ? name : name === "[]" ? `${path}[]` : `${path}.${name}`
})

const named = ({ path, what }: Place): string =>
  path === "" ? what : what === "the input" ? path : `${path} of ${what}`

const isNames = (json: Json | undefined): json is ReadonlyArray<string> =>
  Array.isArray(json) && json.every((name) => typeof name === "string")

const typeWords = (type: Json | undefined): string =>
  type === undefined
    ? "of any type"
    : (Array.isArray(type) ? type : [type])
        .map((each) => (typeof each === "string" ? articled(each) : shown(each)))
        .join(" or ")

const articled = (type: string) => (type === "null" ? type : `${/^[aio]/.test(type) ? "an" : "a"} ${type}`)

const shown = (json: Json | undefined): string =>
  json === undefined ? "absent" : typeof json === "string" ? textDrift.quoted(json) : JSON.stringify(json)

const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const isSame = (one: Json | undefined, other: Json | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && sha256(one) === sha256(other))
