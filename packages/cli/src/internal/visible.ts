/**
 * Shows what a text hides. Descriptions and evidence come from strangers: they may hold characters that take no room, turn
 * the direction of reading, or steer a terminal, and a reviewer has to see that they are there.
 */

/**
 * Controls, formats, halves of pairs, private and unassigned characters, other separators, and all that is drawn as nothing.
 * The variation selector after a sign that can be an emoji says which drawing of it is meant.
 */
export const hiddenCharacter =
  /(?<!\p{Emoji}(?=\uFE0F))[\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|[^\P{Cc}\n\t]/gu

/** A stretch of a text: as it is, or one hidden character by its name, such as "U+202E". */
export interface Piece {
  readonly text: string
  readonly hidden: boolean
}

/** Takes a text apart at its hidden characters. Line breaks and tabs are not hidden; every kind of line break becomes "\n". */
export const pieces = (text: string): ReadonlyArray<Piece> => {
  const found: Array<Piece> = []
  let from = 0
  const plain = text.replace(/\r\n/g, "\n")
  for (const match of plain.matchAll(hiddenCharacter)) {
    if (match.index > from) found.push({ text: plain.slice(from, match.index), hidden: false })
    found.push({ text: nameOf(match[0]), hidden: true })
    from = match.index + match[0].length
  }
  if (from < plain.length) found.push({ text: plain.slice(from), hidden: false })
  return found
}

/** Writes a text with each hidden character as an escape, such as `\u{202E}`. */
export const visible = (text: string): string =>
  pieces(text)
    .map(({ hidden, text: piece }) => (hidden ? `\\u{${piece.slice("U+".length)}}` : piece))
    .join("")

const nameOf = (character: string) => `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`
