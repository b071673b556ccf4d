/**
 * Finds credentials in the texts of a plugin. What is found is named by its place and kind, never by itself.
 */

import * as ToolSchema from "@ferrule/core/ToolSchema"

/** A credential: the key it is under, or the line it is on, and what kind it is. */
export interface Found {
  readonly at: string
  readonly kind: string
}

/** What secrets of well-known makers look like. */
const kinds: ReadonlyArray<readonly [kind: string, pattern: RegExp]> = [
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})/],
  ["an Anthropic key", /\bsk-ant-[A-Za-z0-9_-]{16,}/],
  ["an API key (sk-…)", /\bsk-(?:proj-|live-|test-)?[A-Za-z0-9_-]{20,}/],
  ["a Stripe key", /\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}/],
  ["an AWS key id", /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ["a Slack token", /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/],
  ["a Google API key", /\bAIza[A-Za-z0-9_-]{35}/],
  ["a GitLab token", /\bglpat-[A-Za-z0-9_-]{20,}/],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}/],
  ["a JSON Web Token", /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/],
  ["a private key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ["a password in an address", /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']+:[^\s/@"'$]{3,}@/i]
]

/** After one of these words comes a credential, unless it is a reference. */
const scheme = /\b(?:Bearer|Basic|Token)\s+(?<value>[A-Za-z0-9+/_.~=-]{12,})/i

/** What a text holds itself: without references to values that are kept elsewhere, and with what stands in for them. */
const literalOf = (value: string): string =>
  value.replace(/\$\{[^}]*?(?::-(?<fallback>[^}]*))?\}/g, "$<fallback>").replace(/^\s*(?:Bearer|Basic|Token)?\s*$/i, "")

/** Names the kind of the credential that a text holds, if it does. */
export const kindIn = (text: string): string | undefined => {
  const known = kinds.find(([, pattern]) => pattern.test(text))
  if (known !== undefined) return known[0]
  const value = scheme.exec(text)?.groups?.["value"]
  return value !== undefined && isRandom(value) ? "a bearer token" : undefined
}

/** Finds the members of a flat record that hold a credential: by their form, or by their name. */
export const secretsIn = (members: Readonly<Record<string, string>>): ReadonlyArray<Found> =>
  Object.entries(members).flatMap(([name, value]) => {
    const literal = literalOf(value)
    const kind = kindIn(literal)
    if (kind !== undefined) return [{ at: name, kind }]
    if (ToolSchema.isCredentialName(name) && literal !== "") return [{ at: name, kind: "a credential, by its name" }]
    const isPlain = literal.length < 32 || /[/.]|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(literal)
    return !isPlain && isRandom(literal) ? [{ at: name, kind: "a random value" }] : []
  })

/** Finds credentials in a text, by line. */
export const secretsOf = (text: string): ReadonlyArray<Found> =>
  text.split("\n").flatMap((line, index) => {
    const kind = kindIn(line)
    return kind === undefined ? [] : [{ at: `line ${index + 1}`, kind }]
  })

/** Whether a text has as many different characters as only a made-up one has: about 3.5 bits in each, and digits in it. */
const isRandom = (text: string): boolean => {
  if (text.length < 16 || !/^[A-Za-z0-9+/_.~=-]+$/.test(text) || !/[0-9]/.test(text) || !/[A-Za-z]/.test(text))
    return false
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  const bits = [...counts.values()].reduce(
    (sum, count) => sum - (count / text.length) * Math.log2(count / text.length),
    0
  )
  return bits >= 3.5
}
