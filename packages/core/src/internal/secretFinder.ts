/**
 * Finds the forms of any number of secrets in a text, in time that grows with the text and not with the secrets.
 *
 * One pass keeps a rolling hash (Rabin and Karp) of the text up to each character, which gives the hash of any part of it by
 * one subtraction. At each character the hash of the last eight is looked up among the ends of all forms, and what ends so is
 * compared by the hash of its length, and then by a second hash, for which it is read again. The second comparison fails
 * once in four billion times, and what overlaps with the last find is spared it: so each character is hashed once and read
 * once more at most, whatever the text and the secrets are. The bases of the hashes are random, so nobody can write a text
 * whose hashes collide, and of a secret nothing else is kept.
 *
 * Unlike an automaton, the table takes a secret in and lets it go without being built anew, and holds a form of any length
 * in one entry: a connector may hold thousands of tokens that come and go.
 */
import { undoBackslash, undoPercent } from "./escapes.ts"
import type { SecretForm } from "./secretForms.ts"

/** No form may be shorter. */
export const shortest = 8

/** How many layers of escapes are undone, in any mix: such as a URL in JSON in JSON. */
const layers = 3

/** `\u0041`. */
const escapeLength = 6

/** A form in the table, for as long as somebody uses it. */
export interface Entry extends Pick<SecretForm, "before" | "after"> {
  readonly length: number
  readonly end: number
  readonly hash: number
  readonly power: number
  readonly check: number
  /** The form itself, if it holds a line break. */
  readonly lines: string | undefined
  uses: number
}

type Mark = (start: number, end: number) => void

export interface SecretFinder {
  readonly isEmpty: () => boolean
  readonly add: (forms: ReadonlyArray<SecretForm>) => ReadonlyArray<Entry>
  /** Takes back one `add`. */
  readonly remove: (entries: ReadonlyArray<Entry>) => void
  /** Lists the forms that hold a line break. */
  readonly formsOfLines: () => Iterable<string>
  /** How many characters the longest form may take when each of its own is escaped. */
  readonly reach: () => number
  /** Gives the text with `marker` for each part that stands for a secret; the text itself when there is none. */
  readonly replace: (text: string, marker: string) => string
}

export const make = (): SecretFinder => {
  const [base, checkBase] = globalThis.crypto.getRandomValues(new Int32Array(2)).map((value) => value | 1)
  const endPower = powerOf(base!, shortest)
  const byEnd = new Map<number, ReadonlyArray<Entry>>()
  const ofLines = new Set<string>()
  let longest = 0
  // Tells for most ends, at the price of one byte, that no form has them.
  let filter = new Uint8Array(1024)

  const slotOf = (end: number): number => Math.imul(end, spread) >>> Math.clz32(filter.length - 1)

  const add = ({ after, before, text }: SecretForm): Entry => {
    const { length } = text
    const end = hashOf(base!, text, length - shortest, length)
    const [hash, check] = [hashOf(base!, text, 0, length), hashOf(checkBase!, text, 0, length)]
    const others = byEnd.get(end) ?? []
    const known = others.find((entry) => entry.length === length && entry.hash === hash && entry.check === check)
    if (known !== undefined) {
      known.uses++
      return known
    }
    const lines = text.includes("\n") ? text : undefined
    const entry = { before, after, length, end, hash, power: powerOf(base!, length), check, lines, uses: 1 }
    byEnd.set(end, [...others, entry])
    if (lines !== undefined) ofLines.add(lines)
    longest = Math.max(longest, length)
    if (byEnd.size * 16 > filter.length) {
      filter = new Uint8Array(filter.length * 2)
      for (const end of byEnd.keys()) filter[slotOf(end)] = 1
    } else filter[slotOf(end)] = 1
    return entry
  }

  const remove = (entry: Entry) => {
    if (--entry.uses > 0) return
    if (entry.lines !== undefined) ofLines.delete(entry.lines)
    const others = (byEnd.get(entry.end) ?? []).filter((other) => other !== entry)
    if (others.length > 0) byEnd.set(entry.end, others)
    // Its bit in the filter stays: at worst it costs a look.
    else byEnd.delete(entry.end)
  }

  const search = (text: string, mark: Mark): void => {
    const { length } = text
    const hashes = length < scratch.length ? scratch : new Int32Array(length + 1)
    const bits = filter
    const shift = Math.clz32(bits.length - 1)
    let hash = 0
    let marked = 0
    for (let end = 1; end <= length; end++) {
      hash = (Math.imul(hash, base!) + text.charCodeAt(end - 1)) | 0
      hashes[end] = hash
      if (end < shortest) continue
      const tail = (hash - Math.imul(hashes[end - shortest]!, endPower)) | 0
      if (bits[Math.imul(tail, spread) >>> shift] === 0) continue
      for (const entry of byEnd.get(tail) ?? []) {
        const start = end - entry.length
        if (start < 0 || ((hash - Math.imul(hashes[start]!, entry.power)) | 0) !== entry.hash) continue
        if (start >= marked && hashOf(checkBase!, text, start, end) !== entry.check) continue
        marked = end
        mark(
          entry.before === 1 && isBase64(text[start - 1]) ? start - 1 : start,
          entry.after === 1 && isBase64(text[end]) ? end + 1 : end
        )
      }
    }
  }

  const searchLayers = (text: string, depth: number, mark: Mark): void => {
    if (text.length < shortest) return
    search(text, mark)
    if (depth === 0) return
    for (const undo of [undoBackslash, undoPercent]) {
      const plain = undo(text)
      if (plain === undefined) continue
      const { origins } = plain
      searchLayers(plain.text, depth - 1, (start, end) => mark(origins[start]!, origins[end]!))
    }
  }

  return {
    isEmpty: () => byEnd.size === 0,
    add: (forms) => forms.map(add),
    remove: (entries) => entries.forEach(remove),
    formsOfLines: () => ofLines,
    reach: () => longest * escapeLength,
    replace: (text, marker) => {
      if (byEnd.size === 0) return text
      const found: Array<Range> = []
      searchLayers(text, layers, (start, end) => found.push([start, end]))
      return found.length === 0 ? text : replaceRanges(text, found, marker)
    }
  }
}

type Range = readonly [start: number, end: number]

const replaceRanges = (text: string, ranges: Array<Range>, marker: string): string => {
  let replaced = ""
  let done = 0
  for (const [start, end] of ranges.sort(([a], [b]) => a - b)) {
    if (end <= done) continue
    // One that overlaps with the one before, or touches it, has its marker already.
    if (start > done || done === 0) replaced += text.slice(done, start) + marker
    done = end
  }
  return replaced + text.slice(done)
}

// A search runs to its end before the next one begins, so they can share it.
const scratch = new Int32Array(16_384)

/** Brings the bits of a hash that differ to the top (Fibonacci hashing). */
const spread = 0x9e3779b1

const hashOf = (base: number, text: string, start: number, end: number): number => {
  let hash = 0
  for (let index = start; index < end; index++) hash = (Math.imul(hash, base) + text.charCodeAt(index)) | 0
  return hash
}

const powerOf = (base: number, exponent: number): number => {
  let power = 1
  for (let count = 0; count < exponent; count++) power = Math.imul(power, base)
  return power
}

const isBase64 = (character: string | undefined): boolean => character !== undefined && /[\w+/-]/.test(character)
