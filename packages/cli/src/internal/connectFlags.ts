/**
 * The flags of every command that connects to a server.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Flag } from "effect/cli"
import { type ConnectOptions, eras } from "./connect.ts"
import { Debug } from "./failure.ts"
import { readToken, tokenFlags } from "./token.ts"

export const connectFlags = {
  era: Flag.Literals("era", eras).pipe(
    Flag.withDescription("The revision of the protocol to speak; auto is the newest that the server speaks"),
    Flag.withDefault("auto" as const)
  ),
  ...tokenFlags,
  role: Flag.String("role").pipe(
    Flag.withDescription("Call a module as this role alone, instead of as someone who may"),
    Flag.optional
  )
}

interface Flags {
  readonly era: ConnectOptions["era"]
  readonly tokenEnv: Option.Option<string>
  readonly tokenFile: Option.Option<string>
  readonly role: Option.Option<string>
}

/** `tool` is the one that is about to be called. */
export const optionsOf = Effect.fnUntraced(function* (flags: Flags, tool?: string) {
  const as = { role: Option.getOrUndefined(flags.role), tool }
  return { era: flags.era, token: yield* readToken(flags), as, debug: yield* Debug }
})
