/**
 * Undoes one layer of escapes, and keeps where each character came from, so that what is found in the plain text can be
 * replaced in the escaped one.
 */

/** A text without one layer of its escapes: character `i` was written at `origins[i]`, and the end at the last of them. */
export interface Unescaped {
  readonly text: string
  readonly origins: Uint32Array
}

interface Escape {
  readonly code: number
  readonly length: number
}

/** Undoes `%41`; each escape becomes the character of that byte. `undefined` when there is none. */
export const undoPercent = (text: string): Unescaped | undefined => undo(text, "%", readPercent)

/** Undoes the escapes of JSON and of JavaScript strings. `undefined` when there is none. */
export const undoBackslash = (text: string): Unescaped | undefined => undo(text, "\\", readBackslash)

const undo = (
  text: string,
  sign: string,
  read: (text: string, at: number) => Escape | undefined
): Unescaped | undefined => {
  let next = text.indexOf(sign)
  if (next === -1) return undefined
  const origins = new Uint32Array(text.length + 1)
  let plain = ""
  let copied = 0
  const copyTo = (end: number) => {
    const offset = plain.length - copied
    plain += text.slice(copied, end)
    for (; copied < end; copied++) origins[offset + copied] = copied
  }
  for (; next !== -1; next = text.indexOf(sign, next)) {
    const escape = read(text, next)
    if (escape === undefined) {
      next++
      continue
    }
    copyTo(next)
    origins[plain.length] = next
    plain += String.fromCharCode(escape.code)
    copied = next += escape.length
  }
  if (plain === "") return undefined
  copyTo(text.length)
  origins[plain.length] = text.length
  return { text: plain, origins }
}

const readPercent = (text: string, at: number): Escape | undefined => escapeOf(hexAt(text, at + 1, 2), 3)

const readBackslash = (text: string, at: number): Escape | undefined => {
  const letter = text[at + 1]
  if (letter === undefined) return undefined
  if (letter === "u") return escapeOf(hexAt(text, at + 2, 4), 6)
  if (letter === "x") return escapeOf(hexAt(text, at + 2, 2), 4)
  const control = controls.get(letter)
  if (control !== undefined) return { code: control, length: 2 }
  return /[a-z0-9]/i.test(letter) ? undefined : { code: letter.charCodeAt(0), length: 2 }
}

const controls: ReadonlyMap<string, number> = new Map([
  ["b", 8],
  ["t", 9],
  ["n", 10],
  ["v", 11],
  ["f", 12],
  ["r", 13]
])

const escapeOf = (code: number | undefined, length: number): Escape | undefined =>
  code === undefined ? undefined : { code, length }

const hexAt = (text: string, start: number, length: number): number | undefined => {
  const digits = text.slice(start, start + length)
  return digits.length === length && /^[0-9a-f]+$/i.test(digits) ? Number.parseInt(digits, 16) : undefined
}
