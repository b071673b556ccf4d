/**
 * The token that a client sends: from an environment variable or a file, since an argument is in the shell's history and in
 * every listing of processes. It is never printed.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Flag } from "effect/cli"
import { Unusable } from "./Unusable.ts"

export const tokenFlags = {
  tokenEnv: Flag.String("token-env").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("The environment variable that holds the bearer token"),
    Flag.optional
  ),
  tokenFile: Flag.File("token-file").pipe(Flag.withDescription("The file that holds the bearer token"), Flag.optional)
}

/** A token, and where it is from, for messages. */
export interface Token {
  readonly from: string
  readonly value: Redacted.Redacted<string>
}

export const readToken = Effect.fnUntraced(function* (flags: {
  readonly tokenEnv: Option.Option<string>
  readonly tokenFile: Option.Option<string>
}): Effect.fn.Return<Token | undefined, Unusable, FileSystem.FileSystem> {
  if (Option.isSome(flags.tokenEnv)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(flags.tokenEnv.value)) {
      // It may be the token itself, which is not repeated.
      return yield* new Unusable({ message: "--token-env takes the name of an environment variable, not the token." })
    }
    return yield* tokenOf(`the environment variable ${flags.tokenEnv.value}`, process.env[flags.tokenEnv.value] ?? "")
  }
  if (Option.isNone(flags.tokenFile)) return undefined
  const files = yield* FileSystem.FileSystem
  const text = yield* files
    .readFileString(flags.tokenFile.value)
    .pipe(Effect.mapError((cause) => new Unusable({ message: "The file of --token-file can't be read.", cause })))
  return yield* tokenOf(`the file ${flags.tokenFile.value}`, text)
})

const tokenOf = (from: string, text: string): Effect.Effect<Token, Unusable> => {
  const value = text.trim()
  // RFC 6750, section 2.1.
  if (/^[A-Za-z0-9._~+/-]+=*$/.test(value)) return Effect.succeed({ from, value: Redacted.make(value) })
  return new Unusable({ message: `There is no bearer token in ${from}${value === "" ? ", which is empty" : ""}.` })
}
