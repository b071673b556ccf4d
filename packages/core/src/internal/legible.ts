/**
 * Makes texts that models read show what they hold. Data and errors can carry words of strangers, and in them characters
 * that no person sees and models obey: those that are drawn as nothing, that turn the direction of reading, and Unicode's
 * tags, with which a whole sentence can be hidden. They are written as JSON writes them, such as `\u200b`, so a JSON text
 * stays the text of the same value.
 */
import type { Issue, Refusal } from "../ConnectorError.ts"
import { AuthorizationError, TransientError, ValidationError } from "../ConnectorError.ts"

/** Controls, the separators of lines, annotations, and all that Unicode says is drawn as nothing. */
const unseen = String.raw`[\p{Cc}\p{Zl}\p{Zp}\uFFF9-\uFFFB\p{Default_Ignorable_Code_Point}]`

/** The drawing that is meant of a sign, and what joins signs to one. */
const inEmoji = String.raw`\p{Emoji}\uFE0F|[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F]\u200D(?=\p{Extended_Pictographic})`

/** What Persian and the scripts of India are spelled with (RFC 5892, appendix A). */
const inWords = String.raw`[\p{M}\p{Script=Arabic}][\u200C\u200D](?=\p{L})`

const hidden = new RegExp(`${unseen}(?<!${inEmoji}|${inWords})`, "u")
const eachHidden = new RegExp(hidden, "gu")

/** Writes each hidden character as an escape. A text without any comes back as it is. */
export const legible = (text: string): string => (hidden.test(text) ? text.replace(eachHidden, escaped) : text)

const escaped = (character: string): string => {
  let text = ""
  for (let index = 0; index < character.length; index++) {
    text += String.raw`\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`
  }
  return text
}

/** Does the same to the words of a refusal, each of which is one line. */
export const legibleRefusal = (refusal: Refusal): Refusal => {
  if (!wordsOf(refusal).some((text) => hidden.test(text))) return refusal
  switch (refusal._tag) {
    case "ValidationError": {
      const [first, ...others] = refusal.issues
      return new ValidationError({ issues: [legibleIssue(first), ...others.map(legibleIssue)] })
    }
    case "AuthorizationError": {
      const { message, roles, scopes } = refusal
      return new AuthorizationError({
        message: legible(message),
        roles: roles.map(legible),
        scopes: scopes.map(legible)
      })
    }
    case "TransientError": {
      const { applied, message, retryAfter } = refusal
      return new TransientError({ message: legible(message), applied, ...(retryAfter !== undefined && { retryAfter }) })
    }
    default:
      return refusal
  }
}

/** What others may have written; the rest is the pipeline's own. */
const wordsOf = (refusal: Refusal): ReadonlyArray<string> => {
  switch (refusal._tag) {
    case "ValidationError":
      return refusal.issues.flatMap(({ expected, message, path }) => [path, message, expected])
    case "AuthorizationError":
      return [refusal.message, ...refusal.roles, ...refusal.scopes]
    case "TransientError":
      return [refusal.message]
    default:
      return []
  }
}

const legibleIssue = ({ expected, message, path }: Issue): Issue => ({
  path: legible(path),
  message: legible(message),
  expected: legible(expected)
})
