/**
 * Hands out the token that the connector's requests to one upstream carry.
 *
 * `UpstreamClient` takes it from there, so a handler never meets it. This module has the layers for a token that is given:
 * as a value, by configuration, or by an Effect of your own. `FileCredential` reads a mounted secret that rotates;
 * `OAuthCredential` asks an authorization server, for the connector itself or on behalf of the caller. Provide each
 * upstream's client with the credential of that upstream, and with no other.
 *
 * Tokens that end are renewed ahead of that, one renewal at a time, and the `Scrubber` knows each for as long as it is held.
 */
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type ConnectorError, DefinitionError, TransientError } from "./ConnectorError.ts"
import * as Renewal from "./internal/renewal.ts"
import { tokenFault } from "./internal/tokenText.ts"
import * as Scrubber from "./Scrubber.ts"
import { Fault } from "./Upstream.ts"

/**
 * A secret that an upstream takes, and when it says that it ends.
 *
 * @category models
 * @since 0.1.0
 */
export type Token = Renewal.Token

/**
 * Provides the token for one upstream.
 *
 * @category services
 * @since 0.1.0
 */
export class Credential extends Context.Service<
  Credential,
  {
    /**
     * A token that may be sent now: not expired, not revoked. It waits only when there is none at hand; otherwise the next
     * one is obtained in the background. A caller who leaves interrupts its own wait and no renewal.
     *
     * Fails with a `TransientError`, not applied, while the token can't be renewed, and dies with an `Upstream.Fault`, not
     * applied, when operators have to act. After a failure the source is left alone for a second, then two, up to thirty.
     */
    readonly token: Effect.Effect<Token, ConnectorError>
    /**
     * Says that the upstream answered 401 to this token. Unless it was replaced meanwhile, it is dropped, and whoever asks
     * next obtains another one. A successor that is refused within 30 seconds stays: then it is the request that the
     * upstream refuses, and asking for tokens again and again would not mend it.
     */
    readonly refused: (token: Token) => Effect.Effect<void>
    /**
     * Ends the use of what this credential holds, or is about to get from a request that has been sent, so that none of it
     * reaches the upstream once `within` is over (at once, unless given): `token` stops giving it a tenth of that time
     * earlier, ten seconds at most, and never gives it again, even if its source still does. Another one is obtained right
     * away. Where there is none, such as for a static token, the credential is closed from then on.
     */
    readonly revoke: (within?: Duration.Input) => Effect.Effect<void>
  }
>()("@ferrule/core/Credential") {}

/**
 * Gives one token for as long as the connector runs.
 *
 * Building it fails when the token is empty or has a character that no header may have.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStatic = (token: Redacted.Redacted<string>): Layer.Layer<Credential, DefinitionError> =>
  Layer.effect(
    Credential,
    Effect.suspend(() => {
      const fault = tokenFault(Redacted.value(token))
      if (fault !== undefined) return Effect.fail(new DefinitionError({ subject: "The credential", faults: [fault] }))
      return Effect.andThen(Scrubber.watch(token), make(Effect.succeed({ value: token })))
    })
  )

/**
 * Gives the token that configuration has when the connector starts: `layerConfig(Config.Redacted("DESK_TOKEN"))`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  token: Config.Config<Redacted.Redacted<string>>
): Layer.Layer<Credential, DefinitionError | Config.ConfigError> => Layer.unwrap(Effect.map(token, layerStatic))

/**
 * Gives what an Effect of your own obtains, such as a token that a vault leases, and runs it again ahead of `expiresAt`.
 * A token without one is kept until it is refused or revoked.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(
  obtain: Effect.Effect<Token, ConnectorError, R>,
  options?: Options
): Layer.Layer<Credential, never, R> =>
  Layer.effect(
    Credential,
    Effect.flatMap(Effect.context<R>(), (context) => make(Effect.provideContext(obtain, context), options))
  )

/**
 * - `name`: how a sentence about the credential begins in the log (`"The credential"`).
 * - `timeout`: how long obtaining a token may take (10 seconds).
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly name?: string
  readonly timeout?: Duration.Input
}

/**
 * Makes what `layer` provides.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  obtain: Effect.Effect<Token, ConnectorError>,
  { name = "The credential", timeout = "10 seconds" }: Options = {}
): Effect.Effect<Credential["Service"], never, Scope.Scope> => {
  const checked = Effect.flatMap(Clock.currentTimeMillis, (obtainedAt) =>
    Effect.flatMap(obtain, (token) => {
      const fault = tokenFault(Redacted.value(token.value))
      return fault === undefined
        ? Renewal.untilExpiry(token, obtainedAt)
        : Effect.die(new Fault({ upstream: name, reason: `can't be used: ${fault}`, applied: "no" }))
    })
  )
  const inTime = Effect.timeoutOrElse(checked, {
    duration: timeout,
    orElse: () => Effect.fail(new TransientError({ message: `${name} could not be obtained in time`, applied: "no" }))
  })
  return Renewal.single({ name, waits: false }, inTime)
}
