/**
 * Looks into JSON Web Tokens (RFC 7519): the signature by a key of the issuer, then the claims.
 */
import { DefinitionError } from "@ferrule/core/ConnectorError"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { errors, type JWTVerifyOptions, jwtVerify } from "jose"
import * as AcceptedTokens from "./acceptedTokens.ts"
import { type Claims, reader } from "./claims.ts"
import { durationFault, urlFault } from "./identityFaults.ts"
import * as KeySet from "./keySet.ts"
import * as ResourceServer from "./resourceServer.ts"

/** The signatures that may be asked for: all of them by a private key, which this server does not have. */
export const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519"
] as const

export interface JwtOptions extends ResourceServer.ResourceServerOptions {
  /** Where the issuer publishes its keys. */
  readonly jwks: string
  /** The signatures that are accepted; every asymmetric one unless given, and never another. */
  readonly algorithms?: ReadonlyArray<(typeof algorithms)[number]> | undefined
  /** What the header must say in `typ`, such as `at+jwt` (RFC 9068); anything unless given. */
  readonly type?: string | undefined
  /** How often the keys are fetched again; every 10 minutes unless given. */
  readonly keyRefresh?: Duration.Input | undefined
  /** For how long keys are good while they can't be fetched again; a day unless given. */
  readonly keyMaxAge?: Duration.Input | undefined
  /** How much time lies between two fetches for a key that is not known; 30 seconds unless given. */
  readonly keyCoolDown?: Duration.Input | undefined
}

/** Fails with every fault of the options, or with the one of the key set. */
export const make = Effect.fnUntraced(function* (
  options: JwtOptions
): Effect.fn.Return<
  AcceptedTokens.AcceptedTokens["principalOf"],
  DefinitionError,
  HttpClient.HttpClient | Scope.Scope
> {
  const subject = "Identity.layerJwt"
  const refreshEvery = Duration.fromInputUnsafe(options.keyRefresh ?? "10 minutes")
  const maxAge = Duration.fromInputUnsafe(options.keyMaxAge ?? "1 day")
  const coolDown = Duration.fromInputUnsafe(options.keyCoolDown ?? "30 seconds")
  const allowed = options.algorithms ?? algorithms
  const faults = [
    ...ResourceServer.faultsOf(options),
    ...urlFault("jwks", options.jwks),
    ...(allowed.length > 0 && allowed.every((name) => algorithms.includes(name))
      ? []
      : [`algorithms must be some of ${algorithms.join(", ")}`]),
    ...durationFault("keyRefresh", refreshEvery, ["1 second", "1 day"]),
    ...durationFault("keyMaxAge", maxAge, [refreshEvery, "30 days"]),
    ...durationFault("keyCoolDown", coolDown, ["1 second", "1 hour"])
  ]
  if (faults.length > 0) return yield* new DefinitionError({ subject, faults })

  const keySet: KeySet.KeySet = yield* KeySet.make({
    url: options.jwks,
    algorithms: allowed,
    refreshEvery,
    maxAge,
    coolDown,
    // The cache is made of what these keys have verified.
    onChange: Effect.suspend(() => accepted.forget)
  }).pipe(
    Effect.mapError(
      (problem) => new DefinitionError({ subject, faults: [`the key set of jwks is of no use: ${problem}`] })
    )
  )

  const skew = Duration.toSeconds(ResourceServer.skewOf(options))
  const principalOf = reader(ResourceServer.rulesOf(options))
  const checks: JWTVerifyOptions = {
    algorithms: [...allowed],
    issuer: options.issuer,
    audience: options.audience,
    clockTolerance: skew,
    ...(options.type !== undefined && { typ: options.type })
  }

  const verify = (token: AcceptedTokens.Token, keys: KeySet.Keys, currentDate: Date) =>
    Effect.tryPromise({
      try: () => jwtVerify<Claims>(Redacted.value(token), keys.find, { ...checks, currentDate }),
      catch: faultOf
    })

  const look = (token: AcceptedTokens.Token) =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const seconds = DateTime.toEpochMillis(now) / 1000
      const date = DateTime.toDateUtc(now)
      const keys = yield* keySet.current
      const { payload } = yield* verify(token, keys, date).pipe(
        Effect.catchTag("TokenFault", (fault) =>
          fault.isUnknownKey
            ? Effect.flatMap(keySet.after(keys), (later) => verify(token, later, date))
            : Effect.fail(fault)
        ),
        Effect.catchTag("TokenFault", ({ reason }) => AcceptedTokens.refused(reason))
      )
      const { exp, iat } = yield* Effect.catch(decodeTimes(payload), () =>
        AcceptedTokens.refused("exp or iat is no number")
      )
      if (iat !== undefined && iat > seconds + skew) return yield* AcceptedTokens.refused("iat is in the future")
      const principal = principalOf(payload)
      if (Result.isFailure(principal)) return yield* AcceptedTokens.refused(principal.failure)
      return { principal: principal.success, holdsFor: Duration.seconds(exp + skew - seconds) }
    })

  // A refused token costs no more to look into again, and may have come before its time.
  const accepted: AcceptedTokens.AcceptedTokens = yield* AcceptedTokens.make(look, {
    capacity: 10_000,
    refusalHoldsFor: Duration.zero,
    outageHoldsFor: Duration.zero
  })
  return (token) => Effect.andThen(keySet.current, accepted.principalOf(token))
})

const Times = Schema.Struct({ exp: Schema.Finite, iat: Schema.optionalKey(Schema.Finite) })
const decodeTimes = Schema.decodeUnknownEffect(Times)

/** What `jose` says names claims and parameters, and never holds a value. */
const faultOf = (error: unknown) => ({
  _tag: "TokenFault" as const,
  isUnknownKey: error instanceof errors.JWKSNoMatchingKey,
  reason: error instanceof errors.JOSEError ? error.message : "it is not a token that any key could verify"
})
