/**
 * The texts that stand for a secret. A text is searched without its escapes too, so forms with escapes are here only as the
 * usual encoders write them: those are found whatever stands before them, also where it makes the escapes read otherwise.
 *
 * Base64 depends on what is encoded before the secret, so there is a form for each of the three ways that bytes can lie in
 * its groups of four characters. Such a form holds the characters that are the secret's alone; the one before and the one
 * after, which it shares with its neighbours, go with it.
 */
import * as Base64 from "effect/encoding/Base64"
import * as Hex from "effect/encoding/Hex"

/** A text to look for, and how many characters before and after it belong to what it stands for. */
export interface SecretForm {
  readonly text: string
  readonly before: 0 | 1
  readonly after: 0 | 1
}

export const formsOf = (secret: string | Uint8Array): ReadonlyArray<SecretForm> => {
  const bytes = typeof secret === "string" ? encoder.encode(secret) : secret
  const texts = new Set([...ofBytes(bytes), ...(typeof secret === "string" ? ofText(secret, bytes) : [])])
  return [
    ...Array.from(texts, (text): SecretForm => ({ text, before: 0, after: 0 })),
    ...alignments.flatMap((alignment) => base64Of(bytes, alignment))
  ]
}

const encoder = new TextEncoder()

const ofBytes = (bytes: Uint8Array): ReadonlyArray<string> => {
  const hex = Hex.encode(bytes)
  const pairs = hex.match(/../g) ?? []
  return [
    latin1Of(bytes),
    hex,
    hex.toUpperCase(),
    // As Node prints a buffer, the long ones cut off, and as JSON has it.
    pairs.slice(0, 50).join(" "),
    pairs.join(" "),
    bytes.join(",")
  ]
}

/** Undone percent signs leave bytes, which is what this is. */
const latin1Of = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")

const ofText = (secret: string, bytes: Uint8Array): ReadonlyArray<string> => {
  const eachByte = percentOf(bytes, /[^\s\S]/)
  // Most tokens are the same in each encoding that leaves letters alone.
  if (/^[\w.-]*$/.test(secret)) return [secret, eachByte, eachByte.toLowerCase()]
  const json = jsonOf(secret)
  const ascii = json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
  const percent = percentOf(bytes, /[\w.!~*'()-]/)
  const form = percentOf(bytes, /[\w.* -]/).replaceAll(" ", "+")
  return [
    secret,
    // In the body of a form, once its percent signs are undone.
    secret.replaceAll(" ", "+"),
    latin1Of(bytes).replaceAll(" ", "+"),
    ...[percent, form, eachByte].flatMap((text) => [text, text.replace(/%../g, (escape) => escape.toLowerCase())]),
    ...[json, ascii].flatMap((text) => [text, jsonOf(text), jsonOf(jsonOf(text))])
  ]
}

const jsonOf = (text: string): string => JSON.stringify(text).slice(1, -1)

const percentOf = (bytes: Uint8Array, kept: RegExp): string =>
  Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte)
    return byte < 128 && kept.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }).join("")

const alignments = [0, 1, 2] as const

const base64Of = (bytes: Uint8Array, alignment: 0 | 1 | 2): ReadonlyArray<SecretForm> => {
  const shifted = new Uint8Array(alignment + bytes.length)
  shifted.set(bytes, alignment)
  const bits = shifted.length * 8
  const standard = Base64.encode(shifted).slice(Math.ceil((alignment * 8) / 6), Math.floor(bits / 6))
  const url = standard.replaceAll("+", "-").replaceAll("/", "_")
  const shared = { before: alignment === 0 ? 0 : 1, after: bits % 6 === 0 ? 0 : 1 } as const
  return (url === standard ? [standard] : [standard, url]).map((text) => ({ text, ...shared }))
}
