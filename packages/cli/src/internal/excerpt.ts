/**
 * Evidence from a text: what was found and a little around it, with every character that can't be seen spelled out.
 */

/** A character that a person does not see, or that turns what they see around. */
export const hidden =
  /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u2028\u2029]|(?![\t\n\r])\p{Cc}/gu

const around = 60

export const excerptOf = (text: string, index = 0, length = text.length): string => {
  const from = Math.max(0, index - around)
  const to = Math.min(text.length, index + Math.min(length, 3 * around) + around)
  return `${from > 0 ? "…" : ""}${shown(text.slice(from, to))}${to < text.length ? "…" : ""}`
}

export const shown = (text: string): string =>
  text.replace(hidden, (character) => {
    const code = character.codePointAt(0)!.toString(16).toUpperCase()
    return `U+${code.padStart(4, "0")}`
  })
