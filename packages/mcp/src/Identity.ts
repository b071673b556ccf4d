/**
 * Says who is calling. A transport hands over the credentials it was given, and gets a principal or a refusal.
 *
 * Over HTTP use `layerJwt` or `layerIntrospection`, which take the tokens of an authorization server, or `layerTokens`, a
 * table of bearer tokens. Over stdio, where the caller owns the process, use `layerDeclared`, or `layerProcessToken` with a
 * token that the process was started with. A layer refuses every kind of credential that it does not know, so a declared identity served over
 * HTTP lets nobody in.
 */
import type { DefinitionError } from "@ferrule/core/ConnectorError"
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { HttpClient } from "effect/http/HttpClient"
import { hash, timingSafeEqual } from "node:crypto"
import { type IdentityUnavailable, TokenTableError, Unauthenticated } from "./IdentityError.ts"
import type { AcceptedTokens } from "./internal/acceptedTokens.ts"
import * as Introspection from "./internal/introspection.ts"
import * as Jwt from "./internal/jwt.ts"
import * as ResourceServer from "./internal/resourceServer.ts"

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

export { IdentityUnavailable, TokenTableError, Unauthenticated } from "./IdentityError.ts"

/**
 * Who was recognised. `token` is there where it may be exchanged for a token of an upstream's (RFC 8693); no handler can
 * reach it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authenticated {
  readonly principal: PrincipalData
  readonly token?: Redacted.Redacted<string> | undefined
}

/**
 * How clients find out where to sign in, and for what (RFC 9728).
 *
 * @category models
 * @since 0.1.0
 */
export interface ProtectedResource extends ResourceServer.ProtectedResource {}

/**
 * What `layerJwt` may be told. Only `issuer`, `audience` and `jwks` must be given, and `resource` where the audience is no
 * URL.
 *
 * @category models
 * @since 0.1.0
 */
export interface JwtOptions extends Jwt.JwtOptions {}

/**
 * What `layerIntrospection` may be told.
 *
 * @category models
 * @since 0.1.0
 */
export interface IntrospectionOptions extends Introspection.IntrospectionOptions {}

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
     * Names the caller. Runs for every HTTP request, and for every call of a stdio connection. An implementation never puts a
     * credential into an error, a log or a span.
     */
    readonly authenticate: (
      credentials: Credentials
    ) => Effect.Effect<Authenticated, Unauthenticated | IdentityUnavailable>
    /** Where clients sign in. With it, the endpoint publishes metadata and names it in every challenge. */
    readonly protectedResource?: ProtectedResource | undefined
  }
>()("@ferrule/mcp/Identity") {
  /**
   * Accepts the bearer tokens of a table, and nothing else. The table holds SHA-256 hashes, and a token is compared with
   * every entry in constant time. The scrubber knows the tokens as long as the layer is there.
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
          yield* Scrubber.watch(Redacted.make(secret))
        }
        return Identity.of({
          authenticate: (credentials) => {
            if (credentials._tag !== "Bearer") return Effect.fail(refusal(credentials))
            const given = digest(Redacted.value(credentials.token))
            // No early exit: the time taken must not tell which entry matched.
            let found: Authenticated | undefined
            for (const entry of table) if (timingSafeEqual(entry.fingerprint, given)) found = entry
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
          credentials._tag === "Process" ? Effect.succeed({ principal }) : Effect.fail(refusal(credentials))
      })
    )
  }

  /**
   * Accepts the JSON Web Tokens of one issuer, by its published keys, for one audience.
   *
   * **When to use**
   *
   * Over HTTP, as an OAuth resource server: with this layer the endpoint tells clients where to sign in.
   *
   * **Details**
   *
   * A token needs a signature by a key of the set, `iss`, `aud` and `exp`, and what the mapping asks for; `nbf` and `iat` are
   * checked where it has them. What a token proves is remembered until it expires or the keys change.
   *
   * **Errors**
   *
   * Building it fails when an option can't be right, when the keys can't be fetched, and when none of them is of use. Later
   * on, keys that can't be fetched again are good for `keyMaxAge`; then every caller gets a 503.
   *
   * @since 0.1.0
   */
  static layerJwt(options: JwtOptions): Layer.Layer<Identity, DefinitionError, HttpClient> {
    return Layer.effect(
      Identity,
      Effect.map(Jwt.make(options), (principalOf) => ofBearer(principalOf, options))
    )
  }

  /**
   * Accepts the tokens that an authorization server says are active (RFC 7662), for one audience.
   *
   * **When to use**
   *
   * Where tokens are opaque, or where a revoked one must be refused before it expires: it is within `cacheFor`.
   *
   * **Details**
   *
   * The answer must have `aud`. An answer is kept for `cacheFor`, or until `exp` where that is sooner, and a refusal for at
   * most 10 seconds; both under the token's hash.
   *
   * **Errors**
   *
   * Building it fails when an option can't be right, and when the endpoint does not answer. While it does not answer later
   * on, every caller whose answer is not kept gets a 503.
   *
   * @since 0.1.0
   */
  static layerIntrospection(
    options: IntrospectionOptions
  ): Layer.Layer<Identity, DefinitionError | Config.ConfigError, HttpClient> {
    return Layer.effect(
      Identity,
      Effect.map(Introspection.make(options), (principalOf) => ofBearer(principalOf, options))
    )
  }

  /**
   * Gives the caller that owns the process the principal of a token that the process was started with, as another identity
   * makes it, and refuses all others. The token is checked again for every call, so it ends when the token does.
   *
   * **Example** (A token from the environment)
   *
   * ```ts
   * Identity.layerProcessToken(Config.Redacted("DESK_TOKEN")).pipe(Layer.provide(Identity.layerJwt({ issuer, audience, jwks })))
   * ```
   *
   * **Gotchas**
   *
   * What is in the environment of a process is open to all of its code, handlers included.
   *
   * @since 0.1.0
   */
  static layerProcessToken(
    token: Redacted.Redacted<string> | Config.Config<Redacted.Redacted<string>>
  ): Layer.Layer<Identity, Config.ConfigError, Identity> {
    return Layer.effect(
      Identity,
      Effect.gen(function* () {
        const { authenticate } = yield* Identity
        const secret = Config.isConfig(token) ? yield* token : token
        yield* Scrubber.watch(secret)
        const credentials = Credentials.Bearer({ token: secret })
        return Identity.of({
          authenticate: (presented) =>
            presented._tag === "Process" ? authenticate(credentials) : Effect.fail(refusal(presented))
        })
      })
    )
  }
}

const ofBearer = (
  principalOf: AcceptedTokens["principalOf"],
  options: ResourceServer.ResourceServerOptions
): Identity["Service"] =>
  Identity.of({
    authenticate: (credentials) =>
      credentials._tag === "Bearer"
        ? Effect.map(principalOf(credentials.token), (principal) => ({ principal, token: credentials.token }))
        : Effect.fail(refusal(credentials)),
    protectedResource: ResourceServer.protectedResourceOf(options)
  })

const refusal = (credentials: Credentials): Unauthenticated =>
  new Unauthenticated({ reason: credentials._tag === "Bearer" ? "invalid" : "missing" })

const tokenProblem = (token: string): string | undefined => {
  if (token.length < minimumTokenLength) return `is shorter than ${minimumTokenLength} characters`
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token)) return "has a character that a bearer token may not have"
  return undefined
}
