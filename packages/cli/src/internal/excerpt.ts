/**
 * Evidence from a text: what was found and a little around it, with every character that can't be seen spelled out.
 */
import { pieces } from "./visible.ts"

const around = 60

export const excerptOf = (text: string, index = 0, length = text.length): string => {
  const from = Math.max(0, index - around)
  const to = Math.min(text.length, index + Math.min(length, 3 * around) + around)
  return `${from > 0 ? "…" : ""}${shown(text.slice(from, to))}${to < text.length ? "…" : ""}`
}

/** Writes a text with each hidden character by its name: `U+200B`. */
export const shown = (text: string): string =>
  pieces(text)
    .map((piece) => piece.text)
    .join("")
