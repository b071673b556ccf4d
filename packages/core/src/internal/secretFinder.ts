/**
 * Finds the forms of any number of secrets in a text, in time that grows with the text and not with the secrets.
 *
 * One pass keeps a rolling hash (Rabin and Karp) of the text up to each character, which gives the hash of any part of it by
 * one subtraction. At each character the hash of the last eight is looked up among the ends of all forms, and a form that
 * ends so is compared by its whole hash, then character by character. A comparison that succeeds uses up the text that it
 * has read, since what overlaps with it goes by the hash alone, and one fails once in four billion times: so each character
 * is hashed once and read once more at most, whatever the text and the secrets are. The base of the hash is random, so
 * nobody can write a text whose hashes collide.
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

interface Entry extends SecretForm {
  readonly end: number
  readonly hash: number
  readonly power: number
  uses: number
}

type Mark = (start: number, end: number) => void

export interface SecretFinder {
  readonly isEmpty: () => boolean
  readonly add: (forms: ReadonlyArray<SecretForm>) => void
  /** Takes back one `add` of the same forms. */
  readonly remove: (forms: ReadonlyArray<SecretForm>) => void
  /** Lists the forms that hold a line break. */
  readonly formsOfLines: () => Iterable<string>
  /** How many characters the longest form may take when each of its own is escaped. */
  readonly reach: () => number
  /** Gives the text with `marker` for each part that stands for a secret; the text itself when there is none. */
  readonly replace: (text: string, marker: string) => string
}

export const make = (): SecretFinder => {
  const base = globalThis.crypto.getRandomValues(new Int32Array(1))[0]! | 1
  const endPower = powerOf(base, shortest)
  const entries = new Map<string, Entry>()
  const byEnd = new Map<number, ReadonlyArray<Entry>>()
  const ofLines = new Set<string>()
  let longest = 0
  // Tells for most ends, at the price of one byte, that no form has them.
  let filter = new Uint8Array(1024)

  const slotOf = (end: number): number => Math.imul(end, 0x9e3779b1) >>> Math.clz32(filter.length - 1)

  const add = (form: SecretForm) => {
    const known = entries.get(form.text)
    if (known !== undefined) {
      known.uses++
      return
    }
    const entry = {
      ...form,
      end: hashOf(base, form.text.slice(-shortest)),
      hash: hashOf(base, form.text),
      power: powerOf(base, form.text.length),
      uses: 1
    }
    entries.set(form.text, entry)
    longest = Math.max(longest, form.text.length)
    if (form.text.includes("\n")) ofLines.add(form.text)
    byEnd.set(entry.end, [...(byEnd.get(entry.end) ?? []), entry])
    if (byEnd.size * 16 > filter.length) {
      filter = new Uint8Array(filter.length * 2)
      for (const end of byEnd.keys()) filter[slotOf(end)] = 1
    } else filter[slotOf(entry.end)] = 1
  }

  const remove = (form: SecretForm) => {
    const entry = entries.get(form.text)
    if (entry === undefined || --entry.uses > 0) return
    entries.delete(form.text)
    ofLines.delete(form.text)
    const others = (byEnd.get(entry.end) ?? []).filter((other) => other !== entry)
    if (others.length > 0) byEnd.set(entry.end, others)
    // Its bit in the filter stays: at worst it costs a look.
    else byEnd.delete(entry.end)
  }

  const search = (text: string, mark: Mark): void => {
    const hashes = text.length < scratch.length ? scratch : new Int32Array(text.length + 1)
    let hash = 0
    let marked = 0
    for (let end = 1; end <= text.length; end++) {
      hash = (Math.imul(hash, base) + text.charCodeAt(end - 1)) | 0
      hashes[end] = hash
      if (end < shortest) continue
      const tail = (hash - Math.imul(hashes[end - shortest]!, endPower)) | 0
      if (filter[slotOf(tail)] === 0) continue
      for (const entry of byEnd.get(tail) ?? []) {
        const start = end - entry.text.length
        if (start < 0 || ((hash - Math.imul(hashes[start]!, entry.power)) | 0) !== entry.hash) continue
        if (start >= marked && !text.startsWith(entry.text, start)) continue
        marked = end
        mark(
          entry.before === 1 && isBase64(text[start - 1]) ? start - 1 : start,
          entry.after === 1 && isBase64(text[end]) ? end + 1 : end
        )
      }
    }
  }

  const searchLayers = (text: string, depth: number, mark: Mark): void => {
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
    isEmpty: () => entries.size === 0,
    add: (forms) => forms.forEach(add),
    remove: (forms) => forms.forEach(remove),
    formsOfLines: () => ofLines,
    reach: () => longest * escapeLength,
    replace: (text, marker) => {
      if (entries.size === 0 || text.length < shortest) return text
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

const hashOf = (base: number, text: string): number => {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, base) + text.charCodeAt(index)) | 0
  return hash
}

const powerOf = (base: number, exponent: number): number => {
  let power = 1
  for (let count = 0; count < exponent; count++) power = Math.imul(power, base)
  return power
}

const isBase64 = (character: string | undefined): boolean => character !== undefined && /[\w+/-]/.test(character)
