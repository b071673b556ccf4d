/**
 * The texts that stand for a secret, escapes aside: those are undone before a text is searched.
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
  const hex = Hex.encode(bytes)
  const pairs = hex.match(/../g) ?? []
  // Bytes that were read as Latin-1 are what undone percent signs leave.
  const latin1 = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")
  const plain = typeof secret === "string" ? [secret, latin1] : [latin1]
  const whole = [
    ...plain,
    // As in the body of a form.
    ...plain.map((text) => text.replaceAll(" ", "+")),
    hex,
    hex.toUpperCase(),
    // As Node prints a buffer, the long ones cut off, and as JSON has it.
    pairs.slice(0, 50).join(" "),
    pairs.join(" "),
    bytes.join(",")
  ]
  const base64 = alignments.flatMap((alignment) => base64Of(bytes, alignment))
  return [...[...new Set(whole)].map((text) => ({ text, before: 0, after: 0 }) as const), ...base64]
}

const encoder = new TextEncoder()

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
