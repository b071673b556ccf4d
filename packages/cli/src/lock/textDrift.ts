/**
 * How a text changed, in words: what was added, what was left out, and what became what.
 */
import { diffWordsWithSpace } from "diff"

/** Says what makes the second text of the first. */
export const between = (before: string, now: string): string => {
  const hunks = hunksOf(before, now)
  const kept = now.length - hunks.reduce((length, { added }) => length + added.length, 0)
  // Where little is left of the text, two whole texts are easier to compare than many pieces.
  if (kept < now.length / 3 || hunks.length > 8) return `it is now ${quoted(now)} (was ${quoted(before)})`
  return hunks.map(hunkWords).join("; ")
}

interface Hunk {
  readonly removed: string
  readonly added: string
  /** The words before it. */
  readonly after: string
}

const hunksOf = (before: string, now: string): ReadonlyArray<Hunk> => {
  const hunks: Array<Hunk> = []
  let equal = ""
  for (const { added, removed, value } of diffWordsWithSpace(before, now)) {
    if (!added && !removed) {
      equal = value
      continue
    }
    const last = hunks.at(-1)
    // A blank between two changed words is changed with them.
    const joins = last !== undefined && equal.trim() === ""
    const { after, ...from } = joins ? last : { removed: "", added: "", after: equal }
    const changed = {
      after,
      removed: from.removed + (joins ? equal : "") + (removed ? value : ""),
      added: from.added + (joins ? equal : "") + (added ? value : "")
    }
    if (joins) hunks[hunks.length - 1] = changed
    else hunks.push(changed)
    equal = ""
  }
  return hunks
}

const hunkWords = ({ added, after, removed }: Hunk): string => {
  const where =
    after.trim() === "" ? "at its beginning" : `after ${quoted(after.trim().split(/\s+/).slice(-4).join(" "))}`
  if (removed.trim() !== "" && added.trim() !== "") return `${quoted(removed)} became ${quoted(added)}`
  if (added.trim() !== "") return `${quoted(added.trim())} was added ${where}`
  if (removed.trim() !== "") return `${quoted(removed.trim())} was left out ${where}`
  return `its spaces changed ${where}: ${quoted(removed)} became ${quoted(added)}`
}

/** Quotes a text so that nothing in it is invisible. */
export const quoted = (text: string): string => `"${visible(text.replace(/["\\]/g, "\\$&"))}"`

/** Spells out every character that would not be seen. */
export const visible = (text: string): string =>
  text.replace(/(?! )[\p{Z}\p{C}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
