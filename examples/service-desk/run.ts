/**
 * Runs an entry point until it is stopped. Logs, the audit record of each call among them, are one JSON object a line on
 * stderr. Where it can't start, it says why in one sentence, on stderr too, since stdout may belong to the protocol.
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Logger } from "effect"
import { Telemetry } from "./telemetry.ts"

export const run = <E extends { readonly message: string }>(server: Effect.Effect<unknown, E>): void =>
  server.pipe(
    Effect.provide([Logger.layer([Logger.withConsoleError(Logger.formatJson)]), Telemetry]),
    Effect.tapError((error) => Console.error(`The service desk can't start. ${sentenceOf(error)}`)),
    runMain({ disableErrorReporting: true })
  )

const sentenceOf = (error: { readonly message: string }): string => {
  if (!(error instanceof Config.ConfigError)) return error.message
  const variable = /at \["(\w+)"\]/.exec(error.message)?.[1]
  return variable === undefined ? error.message : `Set ${variable} in its environment; README.md says to what.`
}
