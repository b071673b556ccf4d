/** Says what keeps a text from being sent as a token in a header, in words that show nothing of it. */
export const tokenFault = (text: string): string | undefined => {
  if (text === "") return "the token is empty"
  if (text.length > longest) return `the token has more than ${longest} characters`
  if (!/^[\x21-\x7e]+$/.test(text)) return "the token has a space, or another character that a header may not have"
  return undefined
}

/** What common servers take in one header, with room for the others. */
const longest = 8192
