/**
 * Why an identity names nobody. None of these errors holds anything of the credentials.
 *
 * `Unauthenticated` is the caller's to mend, `IdentityUnavailable` goes away by itself, and `TokenTableError` keeps a server
 * from starting.
 */
import * as Schema from "effect/Schema"

/**
 * Says that the credentials are absent (`"missing"`), not accepted (`"invalid"`), or presented in a way that nobody may
 * rely on (`"malformed"`), such as two of them in one request.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("@ferrule/mcp/Unauthenticated")(
  "Unauthenticated",
  { reason: Schema.Literals(["missing", "invalid", "malformed"]) }
) {
  override get message(): string {
    switch (this.reason) {
      case "missing":
        return "No credentials were given."
      case "invalid":
        return "The credentials were not accepted."
      case "malformed":
        return "Send one Authorization header with one bearer token, and no token anywhere else."
    }
  }
}

/**
 * Says that nobody can tell at the moment whether the credentials are good, since the authorization server can't be asked
 * or its keys are too old. Nobody is let in meanwhile.
 *
 * @category errors
 * @since 0.1.0
 */
export class IdentityUnavailable extends Schema.TaggedError<IdentityUnavailable>("@ferrule/mcp/IdentityUnavailable")(
  "IdentityUnavailable",
  { retryAfter: Schema.Duration }
) {
  override get message(): string {
    return "The credentials can't be checked at the moment."
  }
}

/**
 * Says which entry of a token table cannot be used and why. It names the principal, never the token.
 *
 * @category errors
 * @since 0.1.0
 */
export class TokenTableError extends Schema.TaggedError<TokenTableError>("@ferrule/mcp/TokenTableError")(
  "TokenTableError",
  { principal: Schema.String, problem: Schema.String }
) {
  override get message(): string {
    return `The bearer token of principal "${this.principal}" ${this.problem}.`
  }
}
