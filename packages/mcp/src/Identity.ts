/**
 * Says who is calling. A transport hands over the credentials it was given, and gets a principal or a refusal.
 *
 * Over HTTP use `layerTokens`, a table of bearer tokens; over stdio, where the caller owns the process, use
 * `layerDeclared`. A layer refuses every kind of credential that it does not know, so a declared identity served over
 * HTTP lets nobody in.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { hash, timingSafeEqual } from "node:crypto"

/**
 * What a transport knows of a caller: a bearer token, nothing at all, or that the caller started this process and speaks
 * to it through its own pipes.
 *
 * @category models
 * @since 0.1.0
 */
export type Credentials = Data.TaggedEnum<{
  readonly Bearer: { readonly token: Redacted.Redacted<string> }
  readonly Anonymous: {}
  readonly Process: {}
}>

/**
 * @category constructors
 * @since 0.1.0
 */
export const Credentials = Data.taggedEnum<Credentials>()

/**
 * Says that the credentials are absent (`"missing"`) or not accepted (`"invalid"`). It holds nothing of them.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("@ferrule/mcp/Unauthenticated")(
  "Unauthenticated",
  { reason: Schema.Literals(["missing", "invalid"]) }
) {
  override get message(): string {
    return this.reason === "missing" ? "No credentials were given." : "The credentials were not accepted."
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

/**
 * One row of a token table: a secret, or the config that holds it, and whom it proves.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenEntry {
  readonly token: Redacted.Redacted<string> | Config.Config<Redacted.Redacted<string>>
  readonly principal: PrincipalData
}

const minimumTokenLength = 16

// By way of a string, which costs a third of what Node takes to make the buffer itself.
const digest = (token: string): Buffer => Buffer.from(hash("sha256", token, "hex"), "hex")

/**
 * Makes principals of credentials.
 *
 * @category services
 * @since 0.1.0
 */
export class Identity extends Context.Service<
  Identity,
  {
    /**
     * Names the caller. Runs for every HTTP request, and once for a stdio connection. An implementation never puts a
     * credential into an error, a log or a span.
     */
    readonly authenticate: (credentials: Credentials) => Effect.Effect<PrincipalData, Unauthenticated>
  }
>()("@ferrule/mcp/Identity") {
  /**
   * Accepts the bearer tokens of a table, and nothing else. Only SHA-256 hashes are kept, and a token is compared with
   * every entry in constant time.
   *
   * Building it fails when a token is shorter than 16 characters, has a character that no bearer token may have
   * (RFC 6750, section 2.1), or occurs twice.
   *
   * @since 0.1.0
   */
  static layerTokens(entries: ReadonlyArray<TokenEntry>): Layer.Layer<Identity, TokenTableError | Config.ConfigError> {
    return Layer.effect(
      Identity,
      Effect.gen(function* () {
        const table: Array<{ readonly fingerprint: Buffer; readonly principal: PrincipalData }> = []
        for (const { token, principal } of entries) {
          const secret = Redacted.value(Config.isConfig(token) ? yield* token : token)
          const problem = tokenProblem(secret)
          if (problem !== undefined) return yield* new TokenTableError({ principal: principal.id, problem })
          const fingerprint = digest(secret)
          const twin = table.find((entry) => timingSafeEqual(entry.fingerprint, fingerprint))
          if (twin !== undefined) {
            const problem = `is also the token of principal "${twin.principal.id}"`
            return yield* new TokenTableError({ principal: principal.id, problem })
          }
          table.push({ fingerprint, principal })
        }
        return Identity.of({
          authenticate: (credentials) => {
            if (credentials._tag !== "Bearer") return Effect.fail(refusal(credentials))
            const given = digest(Redacted.value(credentials.token))
            // No early exit: the time taken must not tell which entry matched.
            let found: PrincipalData | undefined
            for (const entry of table) if (timingSafeEqual(entry.fingerprint, given)) found = entry.principal
            return found === undefined ? Effect.fail(refusal(credentials)) : Effect.succeed(found)
          }
        })
      })
    )
  }

  /**
   * Gives every caller that owns the process this principal, and refuses all others.
   *
   * @since 0.1.0
   */
  static layerDeclared(principal: PrincipalData): Layer.Layer<Identity> {
    return Layer.succeed(
      Identity,
      Identity.of({
        authenticate: (credentials) =>
          credentials._tag === "Process" ? Effect.succeed(principal) : Effect.fail(refusal(credentials))
      })
    )
  }
}

const refusal = (credentials: Credentials): Unauthenticated =>
  new Unauthenticated({ reason: credentials._tag === "Bearer" ? "invalid" : "missing" })

const tokenProblem = (token: string): string | undefined => {
  if (token.length < minimumTokenLength) return `is shorter than ${minimumTokenLength} characters`
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) return "has a character that a bearer token may not have"
  return undefined
}
