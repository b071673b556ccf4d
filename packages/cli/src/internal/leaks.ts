/**
 * Looks for secrets in what has left, by means of Node's own encoders and plain text search alone, so that it can't share a
 * fault with the scrubber.
 */
import { randomBytes } from "node:crypto"
import type { Secret } from "./Bench.ts"

/** A secret of nobody's, which looks different in each encoding. */
export const canary = (what: string): Secret => ({ what, value: `canary-${randomBytes(9).toString("hex")}"+/~` })

export interface Leak {
  readonly what: string
  /** How it was written. */
  readonly form: string
}

/** Names the secrets that a text holds, in whatever form. */
export const leaksIn = (text: string, secrets: ReadonlyArray<Secret>): ReadonlyArray<Leak> =>
  secrets.flatMap(({ value, what }) => {
    const found = formsOf(value).find(([, form]) => text.includes(form))
    return found === undefined ? [] : [{ what, form: found[0] }]
  })

const known = new Map<string, ReadonlyArray<readonly [string, string]>>()

/** Writes a secret in each form, with the form's name. */
export const formsOf = (secret: string): ReadonlyArray<readonly [string, string]> => {
  const before = known.get(secret)
  if (before !== undefined) return before
  const bytes = Buffer.from(secret)
  const json = JSON.stringify(secret).slice(1, -1)
  const percent = encodeURIComponent(secret)
  const forms = [
    ["as it is", secret],
    ["in hex", bytes.toString("hex")],
    ["in hex", bytes.toString("hex").toUpperCase()],
    ["percent-encoded", percent],
    ["percent-encoded", percent.replace(/%../g, (escape) => escape.toLowerCase())],
    ["percent-encoded", new URLSearchParams({ s: secret }).toString().slice(2)],
    ["in JSON", json],
    ["in JSON", JSON.stringify(json).slice(1, -1)],
    ["backwards", [...secret].reverse().join("")],
    ...[0, 1, 2].flatMap((offset): Array<[string, string]> => [
      ["in base64", aligned(bytes, offset, "base64")],
      ["in base64url", aligned(bytes, offset, "base64url")]
    ])
  ] as const
  known.set(secret, forms)
  return forms
}

/** What stays the same in the base64 of the secret, whatever stands before and after it. */
const aligned = (bytes: Buffer, before: number, encoding: "base64" | "base64url"): string => {
  const [low, high] = [0x00, 0xff].map((filler) =>
    Buffer.concat([Buffer.alloc(before, filler), bytes, Buffer.alloc(3, filler)]).toString(encoding)
  )
  const same = [...low!].map((character, index) => (character === high![index] ? character : " ")).join("")
  return same.trim().split(" ")[0]!
}
