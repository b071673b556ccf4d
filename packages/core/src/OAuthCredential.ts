/**
 * Gets tokens from an OAuth authorization server, for the connector itself or on behalf of each caller.
 *
 * `layerClientCredentials` has one token that all calls share (RFC 6749, section 4.4). `layerTokenExchange` has one for
 * each caller: it exchanges the token that proved the caller for one that the upstream takes (RFC 8693), so that the
 * upstream sees who is acting and the caller's own token never leaves the connector.
 *
 * A server that is down or busy is a `TransientError`. What only operators can mend, such as `invalid_client`, is an
 * `Upstream.Fault`: an internal error to the model, and a log entry with the server's error code and what to check. No
 * layer here asks for a token before there is need of one, so a connector starts while its server is down.
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { DefinitionError } from "./ConnectorError.ts"
import { Credential } from "./Credential.ts"
import { type Subject, subjectOf } from "./internal/onBehalf.ts"
import * as Renewal from "./internal/renewal.ts"
import { sha256 } from "./internal/sha256.ts"
import * as TokenEndpoint from "./internal/tokenEndpoint.ts"
import * as Scrubber from "./Scrubber.ts"
import { Fault } from "./Upstream.ts"

/**
 * The token endpoint, and the client that the connector is to it. `tokenUrl` must begin with `https:`, except on loopback.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends TokenEndpoint.Options {}

/**
 * @category options
 * @since 0.1.0
 */
export interface ExchangeOptions extends Options {
  /** What the callers' tokens are (`"urn:ietf:params:oauth:token-type:access_token"`). */
  readonly subjectTokenType?: string
  /** How many callers' tokens are held at a time (1,000). Past that, the one that was asked for least recently goes. */
  readonly capacity?: number
}

/**
 * Provides one token for the connector itself.
 *
 * Building it fails when the address or the client can't be used, before anything is sent.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerClientCredentials = (
  options: Options
): Layer.Layer<Credential, DefinitionError | Config.ConfigError> =>
  Layer.effect(
    Credential,
    Effect.gen(function* () {
      const endpoint = yield* TokenEndpoint.make(options)
      const { name = TokenEndpoint.defaultName } = options
      return yield* Renewal.single({ name, waits: false }, endpoint(clientCredentials))
    })
  )

/**
 * Provides a token on behalf of the caller of the current call.
 *
 * Each caller's is kept by principal and by a hash of the token that proved it, so a caller who signs in anew gets another
 * one. The caller's own token is held for as long as a handler of the call runs, and no handler can reach it. A caller for
 * whom the server gives none gets an `AuthorizationError`. Outside of a call, and in one without a bearer token, as over
 * stdio, it is an `Upstream.Fault`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTokenExchange = (
  options: ExchangeOptions
): Layer.Layer<Credential, DefinitionError | Config.ConfigError> => Layer.effect(Credential, makeExchange(options))

const clientCredentials: TokenEndpoint.Grant = {
  parameters: { grant_type: "client_credentials" },
  secrets: {},
  ofCaller: new Set()
}

/** A subject token that is not acceptable is an invalid_request (RFC 8693, section 2.2.2); some servers say invalid_grant. */
const ofCaller = new Set(["invalid_request", "invalid_grant", "access_denied", "interaction_required"])

const accessToken = "urn:ietf:params:oauth:token-type:access_token"

const makeExchange = Effect.fnUntraced(function* (
  options: ExchangeOptions
): Effect.fn.Return<Credential["Service"], DefinitionError | Config.ConfigError, Scope.Scope> {
  const endpoint = yield* TokenEndpoint.make(options)
  const { name = TokenEndpoint.defaultName, subjectTokenType = accessToken, capacity = 1000 } = options
  const newRenewal = yield* Renewal.make({ name, waits: false })
  /** By caller, the one that was asked for least recently first. */
  const renewals = new Map<string, Renewal.Renewal>()

  const exchange = ({ token: subject }: Subject): Renewal.Obtain =>
    Scrubber.watch(subject).pipe(
      Effect.andThen(
        endpoint({
          parameters: {
            grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
            requested_token_type: accessToken,
            subject_token_type: subjectTokenType
          },
          secrets: { subject_token: subject },
          ofCaller
        })
      ),
      // A server that hands the subject token back would have it passed on to the upstream.
      Effect.tap(({ token: { value } }) =>
        Redacted.value(value) === Redacted.value(subject)
          ? blame(name, "gave the caller's own token back")
          : Effect.void
      ),
      Effect.scoped
    )

  const renewalOf = (caller: string) =>
    Effect.suspend(() => {
      const known = renewals.get(caller)
      if (known === undefined) return added(caller)
      renewals.delete(caller)
      renewals.set(caller, known)
      return Effect.succeed(known)
    })

  const added = (caller: string) =>
    Clock.clockWith((clock) => {
      const now = clock.currentTimeMillisUnsafe()
      const gone = [...renewals].filter(([, { isSpent }]) => isSpent(now))
      const [oldest] = renewals
      if (gone.length === 0 && oldest !== undefined && renewals.size >= capacity) gone.push(oldest)
      const renewal = newRenewal()
      for (const [key] of gone) renewals.delete(key)
      renewals.set(caller, renewal)
      return Effect.as(
        Effect.forEach(gone, ([, { close }]) => close, { discard: true }),
        renewal
      )
    })

  const each = (act: (renewal: Renewal.Renewal) => Effect.Effect<void>) =>
    Effect.suspend(() => Effect.forEach([...renewals.values()], act, { discard: true }))

  return {
    token: Effect.flatMap(subjectOf, (subject) =>
      subject === undefined
        ? blame(
            name,
            "was to be asked on behalf of a caller, and there is no caller's token: not outside of a call, nor over stdio"
          )
        : Effect.flatMap(Effect.flatMap(callerOf(subject), renewalOf), (renewal) => renewal.token(exchange(subject)))
    ),
    refused: (token) => each((renewal) => renewal.refused(token)),
    revoke: (within) => Effect.flatMap(Renewal.deadlineAfter(within), (deadline) => each((it) => it.revoke(deadline)))
  }
})

/** Names a caller as proved by one token; the lengths keep two callers from being one text. */
const callerOf = ({ principal: { id, tenant = "" }, token }: Subject): Effect.Effect<string> =>
  sha256(`${tenant.length}:${tenant}${id.length}:${id}${Redacted.value(token)}`)

const blame = (name: string, reason: string) => Effect.die(new Fault({ upstream: name, reason, applied: "no" }))
