/**
 * Scrubs a text that comes in chunks, wherever a secret is split. Lines leave as soon as they are complete, since that is
 * how logs and messages are written; only a secret that holds line breaks itself makes a line wait for the next.
 */
import type { SecretFinder } from "./secretFinder.ts"

/** Takes a text chunk by chunk, and gives back what may leave of it. */
export interface ScrubbedStream {
  /** Whether a chunk would leave as it is: nothing is held back, and no secret is known. */
  readonly isIdle: () => boolean
  readonly push: (chunk: string) => string
  /** Gives what is still held back. */
  readonly flush: () => string
}

/** A longer line is let go up to where a secret may have begun. */
const maxLine = 65_536

export const make = (finder: SecretFinder, scrub: (text: string) => string): ScrubbedStream => {
  let held = ""

  const release = (end: number): string => {
    const text = scrub(held.slice(0, end))
    held = held.slice(end)
    return text
  }

  const isIdle = () => held === "" && finder.isEmpty()

  return {
    isIdle,
    push: (chunk) => {
      if (isIdle()) return chunk
      held += chunk
      if (finder.isEmpty()) return release(held.length)
      const released = release(endOfLines(held, finder.formsOfLines()))
      if (held.length <= maxLine) return released
      const clean = scrub(held)
      const end = Math.max(0, clean.length - finder.reach())
      held = clean.slice(end)
      return released + clean.slice(0, end)
    },
    flush: () => release(held.length)
  }
}

/** The end of the complete lines that hold no part of a secret whose other part is still to come, or is in a later line. */
const endOfLines = (text: string, formsOfLines: Iterable<string>): number => {
  const forms = [...formsOfLines]
  const crosses = (end: number, form: string): number | undefined => {
    for (let at = form.indexOf("\n"); at !== -1 && at < form.length - 1; at = form.indexOf("\n", at + 1)) {
      const start = end - 1 - at
      if (start >= 0 && form.startsWith(text.slice(start, start + form.length))) return start
    }
    return undefined
  }
  let end = text.lastIndexOf("\n") + 1
  for (let form = 0; form < forms.length && end > 0; form++) {
    const start = crosses(end, forms[form]!)
    if (start === undefined) continue
    // An earlier end is another line's, which each form has to be asked about again.
    end = start === 0 ? 0 : text.lastIndexOf("\n", start - 1) + 1
    form = -1
  }
  return end
}
