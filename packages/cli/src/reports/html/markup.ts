/**
 * Markup as a value. A text that is put into it is escaped, wherever it stands; only markup goes in as markup.
 */
import { pieces, visible } from "../../internal/visible.ts"

export interface Markup {
  readonly markup: string
}

export type Part = Markup | string | number | undefined | ReadonlyArray<Part>

/** Makes markup of a template. A text may stand in an element or in a quoted attribute. */
export const markup = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Markup => ({
  markup: strings.map((text, index) => text + (index < parts.length ? write(parts[index]) : "")).join("")
})

/** A text in an element, its hidden characters shown as marks that can't be taken for a part of it. */
export const shown = (text: string): Markup => ({
  markup: pieces(text)
    .map((piece) => (piece.hidden ? `<span class="hidden-character">${piece.text}</span>` : escapeMarkup(piece.text)))
    .join("")
})

/** What this module's callers wrote themselves: the style sheet, the script. */
export const trusted = (text: string): Markup => ({ markup: text })

const write = (part: Part): string => {
  if (part === undefined) return ""
  if (typeof part === "string") return escapeMarkup(visible(part))
  if (typeof part === "number") return String(part)
  return "markup" in part ? part.markup : part.map(write).join("")
}

const escapeMarkup = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
