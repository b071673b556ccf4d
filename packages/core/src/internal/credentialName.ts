/**
 * Tells whether a field's name says that it holds a credential.
 *
 * A tool never takes or returns one: models log what they pass. Names are read word by word, in camelCase, snake_case
 * and kebab-case. A name that speaks about a credential without holding it (`token_count`, `password_policy`,
 * `api_key_id`) or about a position in a list (`next_page_token`) is none.
 */

const credentials = new Set(
  `password passwords passwd passphrase passcode pwd secret secrets token credential credentials authorization bearer
   cookie cookies jwt otp totp apikey apikeys authkey accesskey secretkey privatekey signingkey encryptionkey
   accesstoken refreshtoken idtoken authtoken sessiontoken bearertoken clientsecret`.split(/\s+/)
)

/** `tokens` and `key` are innocent alone; after one of these they are not. */
const secretTokens = new Set(["access", "refresh", "auth", "bearer", "api", "session", "security"])
const secretKeys = new Set(["api", "access", "auth", "private", "signing", "encryption", "master", "ssh"])

const about = new Set(
  `id ids name names type types kind count counts limit limits budget usage used length size policy policies status
   state version expiry expires expired age required enabled supported rotated`.split(/\s+/)
)
const counting = new Set(["max", "min", "total", "page", "next", "previous", "prev", "continuation", "num"])

export const isCredentialName = (name: string): boolean => {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "")
  const last = words[words.length - 1]
  if (last === "auth") return true
  const held = words.findIndex((word, i) => holds(word, words[i - 1]))
  if (held < 0) return false
  if (words[held] === "token" && words.some((word) => counting.has(word))) return false
  // A secret_id is itself a credential in some systems of record.
  if (words[held] === "secret" && last === "id") return true
  const after = words.slice(held + 1)
  return !(after.length > 0 && about.has(last)) && !(last === "at" && after.length > 1)
}

const holds = (word: string, before: string | undefined): boolean =>
  credentials.has(word) ||
  (before !== undefined &&
    ((word === "tokens" && secretTokens.has(before)) ||
      ((word === "key" || word === "keys") && secretKeys.has(before))))
