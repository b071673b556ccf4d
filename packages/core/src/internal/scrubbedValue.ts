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
export const scrubbed = <A>(value: A, scrub: (text: string) => string, marker: string): A => {
  const copies = new Map<object, unknown>()
  let found = false

  const text = (given: string): string => {
    const clean = scrub(given)
    if (clean !== given) found = true
    return clean
  }

  const visit = (given: unknown): unknown => {
    switch (typeof given) {
      case "string":
        return text(given)
      case "number":
      case "bigint": {
        const digits = String(given)
        const clean = text(digits)
        return clean === digits ? given : clean
      }
      case "object":
        return given === null || Redacted.isRedacted(given) ? given : (copies.get(given) ?? visitObject(given))
      default:
        return given
    }
  }

  const visitObject = (given: object): unknown => {
    if (copies.size >= maxObjects) {
      found = true
      return marker
    }
    if (Array.isArray(given)) {
      const array: Array<unknown> = []
      copies.set(given, array)
      for (const item of given) array.push(visit(item))
      return array
    }
    if (given instanceof Map) {
      const map = new Map<unknown, unknown>()
      copies.set(given, map)
      for (const [key, item] of given) map.set(visit(key), visit(item))
      return map
    }
    if (given instanceof Set) {
      const set = new Set<unknown>()
      copies.set(given, set)
      for (const item of given) set.add(visit(item))
      return set
    }
    return isTransparent(given) ? copyOf(given) : visitOpaque(given)
  }

  const copyOf = (given: object): object => {
    const copy = Object.create(Object.getPrototypeOf(given)) as object
    copies.set(given, copy)
    for (const key of Reflect.ownKeys(given)) {
      const { enumerable } = Object.getOwnPropertyDescriptor(given, key) ?? {}
      const value = visit(read(given, key))
      const property = { value, enumerable: enumerable ?? true, writable: true, configurable: true }
      Object.defineProperty(copy, typeof key === "string" ? text(key) : key, property)
    }
    return copy
  }

  const visitOpaque = (given: object): unknown => {
    const before = found
    found = false
    copies.set(given, given)
    for (const part of partsOf(given)) visit(part)
    const held = found
    found ||= before
    if (held) copies.set(given, marker)
    return copies.get(given)
  }

  const copy = visit(value)
  return found ? (copy as A) : value
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

/** What a printer may show of an object of a class of its own. */
const partsOf = (value: object): Array<unknown> => {
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
