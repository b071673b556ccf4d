/**
 * Takes the credentials out of an HTTP request: one bearer token, in one Authorization header (RFC 6750, section 2.1).
 *
 * What presents credentials in any other way is refused before an identity sees it, since two readers of such a request,
 * as a proxy and this server are, could each see another caller.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Credentials } from "../Identity.ts"
import { Unauthenticated } from "../IdentityError.ts"

/** The size beyond which nothing is looked at. Tokens with some hundred groups have half of it. */
const maxTokenLength = 8192

const bearer = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i

/** What begins as a token but is none, or more than one thing. */
const ambiguous = /^bearer\b|,/i

const malformed = Effect.fail(new Unauthenticated({ reason: "malformed" }))
const oversized = Effect.fail(new Unauthenticated({ reason: "invalid" }))
const anonymous = Effect.succeed(Credentials.Anonymous())

/** `query` is what the URL has after its question mark. */
export const credentialsOf = (
  authorization: string | null | undefined,
  query: string | undefined
): Effect.Effect<Credentials, Unauthenticated> => {
  if (query !== undefined && isTokenInQuery(query)) return malformed
  if (authorization === undefined || authorization === null || authorization === "") return anonymous
  const token = bearer.exec(authorization)?.[1]
  if (token === undefined) return ambiguous.test(authorization) ? malformed : anonymous
  return token.length > maxTokenLength ? oversized : Effect.succeed(Credentials.Bearer({ token: Redacted.make(token) }))
}

/** Gives what follows the question mark of a URL. */
export const queryOf = (url: string): string | undefined => {
  const start = url.indexOf("?")
  return start === -1 ? undefined : url.slice(start + 1)
}

/** RFC 6750, section 2.3, has `access_token`; `token` is what people write. Logs and histories would keep either. */
export const isTokenInQuery = (query: string): boolean => {
  const parameters = new URLSearchParams(query)
  return parameters.has("access_token") || parameters.has("token")
}

/** Node gives the first of several headers that may come once, and hides the rest. `name` is in lower case. */
export const isDuplicated = (rawHeaders: ReadonlyArray<string>, name: string): boolean => {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const each = rawHeaders[index]!
    if (each.length === name.length && each.toLowerCase() === name) count++
  }
  return count > 1
}
