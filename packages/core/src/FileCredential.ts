/**
 * Reads a token from a file that something else rotates: a secret that Kubernetes, Vault's agent or systemd has mounted.
 *
 * Whoever asks for the token gets what was in the file at most `every` ago, so nothing has to be restarted or told. Replace
 * the file by a rename, as those tools do: a file that is written in place can be read half written. White space around
 * the token does not count.
 *
 * A connector does not start without a token. When the file is missing, empty or unreadable later on, the last token stays
 * in use for `keepFor`, and the log says so; after that the credential is closed until the file is back.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { DefinitionError } from "./ConnectorError.ts"
import { Credential } from "./Credential.ts"
import * as Renewal from "./internal/renewal.ts"
import { tokenFault } from "./internal/tokenText.ts"
import { Fault } from "./Upstream.ts"

/**
 * - `path`: the file, of which the log and the errors at the start speak by this name.
 * - `every`: how old what is handed out may be (1 second). Nothing is read while nobody asks.
 * - `keepFor`: how long the last token is used after the file was last read (5 minutes).
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly path: string
  readonly every?: Duration.Input
  readonly keepFor?: Duration.Input
}

/**
 * Provides the token in a file. Fails when there is none at the start.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Credential, DefinitionError, FileSystem.FileSystem> =>
  Layer.effect(Credential, make(options))

/**
 * Makes what `layer` provides.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* ({
  path,
  every = "1 second",
  keepFor = "5 minutes"
}: Options): Effect.fn.Return<Credential["Service"], DefinitionError, FileSystem.FileSystem | Scope.Scope> {
  const files = yield* FileSystem.FileSystem
  const name = `The credential file ${path}`
  const age = Duration.toMillis(every)
  const kept = Math.max(age, Duration.toMillis(keepFor))
  let last: Renewal.Token | undefined

  const read: Effect.Effect<Renewal.Obtained, string> = Effect.gen(function* () {
    const text = (yield* Effect.mapError(files.readFileString(path), reasonOf)).trim()
    const fault = tokenFault(text)
    if (fault !== undefined) return yield* Effect.fail(fault)
    // The same text is the same token: one that was refused or revoked stays so.
    const token = last !== undefined && Redacted.value(last.value) === text ? last : { value: Redacted.make(text) }
    last = token
    const now = yield* Clock.currentTimeMillis
    return { token, renewAt: now + age, until: now + kept }
  }).pipe(Effect.timeoutOrElse({ duration: "5 seconds", orElse: () => Effect.fail("reading it takes too long") }))

  const credential = yield* Renewal.single(
    { name, waits: true },
    Effect.catch(read, (reason) =>
      Effect.die(new Fault({ upstream: name, reason: `can't be used: ${reason}`, applied: "no" }))
    )
  )
  const advice = "mount the secret there, as one line, readable for the connector"
  yield* Effect.mapError(read, (fault) => new DefinitionError({ subject: name, faults: [fault, advice] }))
  return credential
})

const reasonOf = ({ reason }: PlatformError): string => {
  switch (reason._tag) {
    case "NotFound":
      return "there is no such file"
    case "PermissionDenied":
      return "the connector may not read it"
    default:
      return `it can't be read (${reason._tag})`
  }
}
