/**
 * Asks the authorization server about tokens (RFC 7662), for those that say nothing themselves or can be revoked.
 */
import { DefinitionError } from "@ferrule/core/ConnectorError"
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { randomUUID } from "node:crypto"
import { IdentityUnavailable } from "../IdentityError.ts"
import * as AcceptedTokens from "./acceptedTokens.ts"
import { ask } from "./authorizationServer.ts"
import { reader } from "./claims.ts"
import { durationFault, emptyFault, urlFault } from "./identityFaults.ts"
import * as ResourceServer from "./resourceServer.ts"

export interface IntrospectionOptions extends ResourceServer.ResourceServerOptions {
  /** Where the authorization server answers for its tokens. */
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted<string> | Config.Config<Redacted.Redacted<string>>
  /** For how long an answer is good at most, and so a revoked token too; 1 minute unless given, at most 1 hour. */
  readonly cacheFor?: Duration.Input | undefined
}

/** Fails with every fault of the options, or when a first question shows that the server gives no answers. */
export const make = Effect.fnUntraced(function* (
  options: IntrospectionOptions
): Effect.fn.Return<
  AcceptedTokens.AcceptedTokens["principalOf"],
  DefinitionError | Config.ConfigError,
  HttpClient.HttpClient | Scope.Scope | Scope.Scope
> {
  const subject = "Identity.layerIntrospection"
  const { clientSecret } = options
  const secret = Config.isConfig(clientSecret) ? yield* clientSecret : clientSecret
  const cacheFor = Duration.fromInputUnsafe(options.cacheFor ?? "1 minute")
  const faults = [
    ...ResourceServer.faultsOf(options),
    ...urlFault("endpoint", options.endpoint),
    ...emptyFault("clientId", options.clientId),
    ...emptyFault("clientSecret", Redacted.value(secret)),
    ...durationFault("cacheFor", cacheFor, [0, "1 hour"])
  ]
  if (faults.length > 0) return yield* new DefinitionError({ subject, faults })
  yield* Scrubber.watch(secret)

  const client = yield* HttpClient.HttpClient
  const asked = HttpClientRequest.post(options.endpoint).pipe(
    // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
    HttpClientRequest.basicAuth(
      encodeURIComponent(options.clientId),
      Redacted.make(encodeURIComponent(Redacted.value(secret)))
    )
  )
  const answerFor = (token: AcceptedTokens.Token) =>
    ask(
      client,
      HttpClientRequest.bodyUrlParams(asked, { token: Redacted.value(token), token_type_hint: "access_token" }),
      Answer,
      "introspection response"
    )

  // Nobody's token: whoever knows this client answers that it is not active.
  yield* Effect.mapError(
    answerFor(Redacted.make(randomUUID())),
    (problem) =>
      new DefinitionError({ subject, faults: [`endpoint does not answer this clientId and clientSecret: ${problem}`] })
  )

  const skew = Duration.toSeconds(ResourceServer.skewOf(options))
  const principalOf = reader(ResourceServer.rulesOf(options))

  const look = (token: AcceptedTokens.Token) =>
    Effect.gen(function* () {
      const claims = yield* Effect.catch(answerFor(token), unanswered)
      const now = (yield* Clock.currentTimeMillis) / 1000
      if (!claims.active) return yield* AcceptedTokens.refused("it is not active")
      const times = yield* Effect.catch(decodeChecked(claims), () =>
        AcceptedTokens.refused("a claim has the wrong shape")
      )
      const { aud, exp, iat, iss, nbf, token_type: type } = times
      if (!(typeof aud === "string" ? [aud] : aud).includes(options.audience))
        return yield* AcceptedTokens.refused("aud is another")
      if (iss !== undefined && iss !== options.issuer) return yield* AcceptedTokens.refused("iss is another")
      if (type !== undefined && type.toLowerCase() !== "bearer")
        return yield* AcceptedTokens.refused("token_type is not Bearer")
      if (exp !== undefined && exp <= now - skew) return yield* AcceptedTokens.refused("exp is past")
      if (nbf !== undefined && nbf > now + skew) return yield* AcceptedTokens.refused("nbf is in the future")
      if (iat !== undefined && iat > now + skew) return yield* AcceptedTokens.refused("iat is in the future")
      const principal = principalOf(claims)
      if (Result.isFailure(principal)) return yield* AcceptedTokens.refused(principal.failure)
      const left = exp === undefined ? cacheFor : Duration.min(cacheFor, Duration.seconds(exp + skew - now))
      return { principal: principal.success, holdsFor: left }
    })

  const accepted = yield* AcceptedTokens.make(look, {
    capacity: 10_000,
    refusalHoldsFor: Duration.min(cacheFor, Duration.seconds(10)),
    outageHoldsFor: Duration.min(cacheFor, Duration.seconds(1))
  })
  return accepted.principalOf
})

const Answer = Schema.StructWithRest(Schema.Struct({ active: Schema.Boolean }), [
  Schema.Record(Schema.String, Schema.Unknown)
])

const Checked = Schema.Struct({
  aud: Schema.Union([Schema.String, Schema.Array(Schema.String)]),
  exp: Schema.optionalKey(Schema.Finite),
  iat: Schema.optionalKey(Schema.Finite),
  nbf: Schema.optionalKey(Schema.Finite),
  iss: Schema.optionalKey(Schema.String),
  token_type: Schema.optionalKey(Schema.String)
})
const decodeChecked = Schema.decodeUnknownEffect(Checked)

const unanswered = (problem: string) =>
  Effect.andThen(
    Effect.logError(`The introspection endpoint gave no answer of use: ${problem}. Nobody is let in until it does.`),
    Effect.fail(new IdentityUnavailable({ retryAfter: Duration.seconds(5) }))
  )
