/**
 * Scrubs every text in a value, whatever its shape, for what takes values and prints them later: logs, spans, records.
 *
 * Arrays, plain objects, maps, sets, errors and causes keep their shape, and an error its class. Any other object that
 * holds a secret becomes the marker, since a copy of it may not work. Nobody prints more than a hundred thousand objects,
 * so what is beyond them becomes the marker unseen.
 */
import * as Cause from "effect/Cause"
import * as Redacted from "effect/Redacted"

const maxObjects = 100_000

/** Gives the value itself when it holds nothing to replace. */
export const scrubbed = <A>(value: A, scrub: (text: string) => string, marker: string): A =>
  holds(value, scrub, new Set()) ? (copied(value, scrub, marker, new Map()) as A) : value

type Scrub = (text: string) => string

/** A number with as many digits as the shortest secret may be one. */
const isLong = (value: number | bigint): boolean => value >= 10_000_000 || value <= -10_000_000

const holds = (value: unknown, scrub: Scrub, seen: Set<object>): boolean => {
  if (typeof value === "string") return scrub(value) !== value
  if (typeof value === "number" || typeof value === "bigint") return isLong(value) && holds(String(value), scrub, seen)
  if (typeof value !== "object" || value === null || Redacted.isRedacted(value) || seen.has(value)) return false
  seen.add(value)
  return seen.size > maxObjects || partsOf(value).some((part) => holds(part, scrub, seen))
}

const copied = (value: unknown, scrub: Scrub, marker: string, copies: Map<object, unknown>): unknown => {
  const copy = (part: unknown) => copied(part, scrub, marker, copies)
  if (typeof value === "string") return scrub(value)
  if (typeof value === "number" || typeof value === "bigint") return holds(value, scrub, new Set()) ? marker : value
  if (typeof value !== "object" || value === null || Redacted.isRedacted(value)) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  if (copies.size >= maxObjects) return marker
  if (Array.isArray(value)) {
    const array: Array<unknown> = []
    copies.set(value, array)
    for (const item of value) array.push(copy(item))
    return array
  }
  if (value instanceof Map) {
    const map = new Map<unknown, unknown>()
    copies.set(value, map)
    for (const [key, item] of value) map.set(copy(key), copy(item))
    return map
  }
  if (value instanceof Set) {
    const set = new Set<unknown>()
    copies.set(value, set)
    for (const item of value) set.add(copy(item))
    return set
  }
  if (!isTransparent(value)) {
    const opaque = holds(value, scrub, new Set()) ? marker : value
    copies.set(value, opaque)
    return opaque
  }
  const object = Object.create(Object.getPrototypeOf(value)) as object
  copies.set(value, object)
  for (const key of Reflect.ownKeys(value)) {
    const { enumerable = true } = Object.getOwnPropertyDescriptor(value, key) ?? {}
    const property = { value: copy(read(value, key)), enumerable, writable: true, configurable: true }
    Object.defineProperty(object, typeof key === "string" ? scrub(key) : key, property)
  }
  return object
}

/** Objects whose properties are all that there is to them. */
const isTransparent = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    value instanceof Error ||
    Cause.isCause(value) ||
    Cause.isReason(value)
  )
}

/** What a printer may show of an object. */
const partsOf = (value: object): ReadonlyArray<unknown> => {
  if (Array.isArray(value)) return value
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    return [latin1.decode(bytes), utf8.decode(bytes)]
  }
  const keys = Reflect.ownKeys(value)
  const parts: Array<unknown> = keys.flatMap((key) => [key, read(value, key)])
  try {
    if (Symbol.iterator in value) parts.push(...(value as Iterable<unknown>))
    // Such as a URL, which has no properties of its own.
    else if (keys.length === 0) parts.push(String(value))
  } catch {
    // It prints no more than that either.
  }
  return parts
}

const read = (object: object, key: PropertyKey): unknown => {
  try {
    return (object as Readonly<Record<PropertyKey, unknown>>)[key]
  } catch {
    return undefined
  }
}

const latin1 = new TextDecoder("latin1")
const utf8 = new TextDecoder()
