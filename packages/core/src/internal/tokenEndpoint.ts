/**
 * Asks an OAuth token endpoint for a token (RFC 6749, section 3.2), and says whose fault it is when there is none.
 *
 * Nothing that the server says is passed on but its error code, and that only where the RFCs have it: descriptions quote
 * what was sent.
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { AuthorizationError, type ConnectorError, DefinitionError, TransientError } from "../ConnectorError.ts"
import type { Credential } from "../Credential.ts"
import * as Scrubber from "../Scrubber.ts"
import * as Upstream from "../Upstream.ts"
import { type Obtain, untilExpiry } from "./renewal.ts"
import { tokenFault } from "./tokenText.ts"
import * as Transport from "./transport.ts"

/** A token endpoint, and the client that asks it. */
export interface Options {
  /** How a sentence about the server begins (`"The authorization server"`). */
  readonly name?: string
  readonly tokenUrl: string
  readonly clientId: string
  /**
   * The secret, the config that has it, or a credential that renews it, such as `FileCredential.make` of a mounted one. Where
   * the server no longer takes the secret, that credential is told so, and the server is asked once more with its next one.
   */
  readonly clientSecret: Redacted.Redacted<string> | Config.Config<Redacted.Redacted<string>> | Credential["Service"]
  /** How the client shows its secret: by HTTP Basic, which every server takes, or in the body. */
  readonly authentication?: "client_secret_basic" | "client_secret_post"
  readonly scopes?: ReadonlyArray<string>
  /** The upstream, by the name that the server has for it. */
  readonly audience?: string
  /** The upstream, by its address (RFC 8707). */
  readonly resource?: string
  /** How long a token is used whose answer does not say when it ends (5 minutes). */
  readonly assumedLifetime?: Duration.Input
  /** How long a request may take (10 seconds). */
  readonly timeout?: Duration.Input
}

/** What a grant adds to the request, and what its refusals mean. */
export interface Grant {
  readonly parameters: Readonly<Record<string, string>>
  /** The form parameters that are secrets. */
  readonly secrets: Readonly<Record<string, Redacted.Redacted<string>>>
  /** The error codes that are about the caller, and not about the connector. */
  readonly ofCaller: ReadonlySet<string>
}

export const defaultName = "The authorization server"

export type TokenEndpoint = (grant: Grant) => Obtain

export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<TokenEndpoint, DefinitionError | Config.ConfigError, Scope.Scope> {
  const { name = defaultName, tokenUrl, clientId, timeout = "10 seconds", assumedLifetime = "5 minutes" } = options
  const given = Config.isConfig(options.clientSecret) ? yield* options.clientSecret : options.clientSecret
  const faults = faultsOf(options, given)
  if (faults.length > 0) return yield* Effect.fail(new DefinitionError({ subject: name, faults }))
  const secret = Redacted.isRedacted(given) ? yield* always(given) : given
  const send = yield* Transport.make
  const isBasic = options.authentication !== "client_secret_post"

  const askWith = (secret: string, { parameters, secrets }: Grant) => {
    const form = {
      ...parameters,
      ...(options.scopes !== undefined && { scope: options.scopes.join(" ") }),
      ...(options.audience !== undefined && { audience: options.audience }),
      ...(options.resource !== undefined && { resource: options.resource }),
      ...(!isBasic && { client_id: clientId, client_secret: secret }),
      ...Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, Redacted.value(value)]))
    }
    const request = HttpClientRequest.post(tokenUrl, { acceptJson: true }).pipe(
      HttpClientRequest.bodyUrlParams(UrlParams.fromInput(form))
    )
    const basic = `Basic ${Base64.encode(`${formEncoded(clientId)}:${formEncoded(secret)}`)}`
    return send(request, isBasic ? ["authorization", Redacted.make(basic)] : undefined)
  }

  const ask = Effect.fnUntraced(function* (grant: Grant) {
    const shown = yield* secret.token
    const response = yield* askWith(Redacted.value(shown.value), grant)
    if (response.status < 400 || (yield* codeOf(response)) !== "invalid_client") return response
    yield* secret.refused(shown)
    const next = yield* secret.token
    // The same secret would get the same answer.
    if (Redacted.value(next.value) === Redacted.value(shown.value)) return response
    return yield* askWith(Redacted.value(next.value), grant)
  })

  const upstream: Upstream.Options = { name }
  return (grant) =>
    Effect.gen(function* () {
      // Its lifetime counts from when the server made it, which is after this.
      const askedAt = yield* DateTime.now
      const response = yield* ask(grant)
      if (response.status !== 200) return yield* refusalOf(response, grant, upstream)
      const answer = yield* Upstream.json(TokenAnswer, upstream)(Effect.succeed(response))
      const fault = tokenFault(Redacted.value(answer.access_token))
      if (fault !== undefined) return yield* blame(upstream, `sent a token that can't be used: ${fault}`)
      const life = answer.expires_in === undefined ? assumedLifetime : Duration.seconds(answer.expires_in)
      const token = { value: answer.access_token, expiresAt: DateTime.addDuration(askedAt, life) }
      return yield* untilExpiry(token, DateTime.toEpochMillis(askedAt))
    }).pipe(Effect.timeout(timeout), Upstream.classify(upstream), Effect.catchCause(notYetAsked))
})

const TokenAnswer = Schema.Struct({
  access_token: Schema.RedactedFromValue(Schema.String),
  token_type: Schema.String.check(Schema.isPattern(/^bearer$/i)),
  // A number, which some servers write as a string.
  expires_in: Schema.optionalKey(
    Schema.Union([Schema.Finite, Schema.FiniteFromString]).check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))
  )
})

const ErrorAnswer = Schema.Struct({ error: Schema.String })

/** The error codes that are for the operators (RFC 6749, section 5.2; RFC 8693, section 2.2.2), and what to look at. */
const advice: Readonly<Record<string, string>> = {
  invalid_client: "check the client's id, its secret, and how it authenticates",
  unauthorized_client: "let the client use this grant there",
  unsupported_grant_type: "it does not have this grant, or not at this address",
  invalid_grant: "it does not accept what the connector shows it",
  invalid_scope: "check the scopes that are asked for",
  invalid_target: "check the audience and the resource",
  invalid_request: "it lacks something in the request: check scopes, audience and resource",
  access_denied: "it does not let the client have this token"
}

const transientCodes: ReadonlySet<string> = new Set(["temporarily_unavailable", "server_error", "slow_down"])

const decodeError = Schema.decodeUnknownEffect(ErrorAnswer)

/** What the server says that is wrong; empty where it says nothing of OAuth's. */
const codeOf = (response: HttpClientResponse): Effect.Effect<string> =>
  response.json.pipe(
    Effect.flatMap(decodeError),
    Effect.map(({ error }) => error),
    Effect.orElseSucceed(() => "")
  )

/** The refusal as the three classes have it. 401 and 403 are about the client here, and never about the caller. */
const refusalOf = (
  response: HttpClientResponse,
  { ofCaller }: Grant,
  upstream: Upstream.Options
): Effect.Effect<never, ConnectorError> => {
  const { status } = response
  if (status < 400 || status >= 500 || status === 408 || status === 425 || status === 429) {
    return status >= 200 && status < 300
      ? blame(upstream, `answered a token request with status ${status}`)
      : Upstream.fromResponse(response, upstream)
  }
  return Effect.flatMap(codeOf(response), (code): Effect.Effect<never, ConnectorError> => {
    if (transientCodes.has(code)) {
      return Effect.fail(new TransientError({ message: `${upstream.name} is busy`, applied: "no" }))
    }
    if (ofCaller.has(code)) return refuseCaller(upstream.name, code)
    return blame(
      upstream,
      Object.hasOwn(advice, code)
        ? `refused the connector a token (${code}): ${advice[code]}`
        : `refused the connector a token (status ${status}), for a reason that OAuth does not have`
    )
  })
}

/** The code is for the operators: a server that says it of every caller is not set up for the exchange. */
const refuseCaller = (name: string, code: string) =>
  Effect.logWarning("An authorization server gives no token for a caller").pipe(
    Effect.annotateLogs({ server: name, code }),
    // On stdio, stdout carries the protocol.
    Effect.provideService(Logger.LogToStderr, true),
    Effect.andThen(
      Effect.fail(
        new AuthorizationError({
          message: `${name} does not let this connector act for you here. Sign in again; if that does not help, ask who runs it`
        })
      )
    )
  )

const blame = ({ name }: Upstream.Options, reason: string) =>
  Effect.die(new Upstream.Fault({ upstream: name, reason, applied: "no" }))

/** However the request for a token ended, the one that needs it has not been sent. */
const notYetAsked = (cause: Cause.Cause<ConnectorError>): Effect.Effect<never, ConnectorError> =>
  Effect.failCause(
    Cause.fromReasons(
      cause.reasons.map((reason) => {
        if (reason._tag === "Die" && reason.defect instanceof Upstream.Fault) {
          const { upstream, reason: why } = reason.defect
          return Cause.makeDieReason(new Upstream.Fault({ upstream, reason: why, applied: "no" }))
        }
        if (reason._tag !== "Fail" || reason.error._tag !== "TransientError") return reason
        const { message, retryAfter } = reason.error
        return Cause.makeFailReason(
          new TransientError({ message, applied: "no", ...(retryAfter !== undefined && { retryAfter }) })
        )
      })
    )
  )

/** As RFC 6749, section 2.3.1, has the two parts of HTTP Basic. */
const formEncoded = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1)

/** A secret that nothing renews. */
const always = (value: Redacted.Redacted<string>) =>
  Effect.as(Scrubber.watch(value), { token: Effect.succeed({ value }), refused: () => Effect.void })

const faultsOf = (
  { tokenUrl, clientId }: Options,
  secret: Redacted.Redacted<string> | Credential["Service"]
): ReadonlyArray<string> => {
  const address = Transport.addressFault(tokenUrl)
  return [
    ...(address === undefined ? [] : [`tokenUrl can't be used: ${address}`]),
    ...(clientId === "" ? ["clientId is empty"] : []),
    ...(Redacted.isRedacted(secret) && Redacted.value(secret) === "" ? ["clientSecret is empty"] : [])
  ]
}
