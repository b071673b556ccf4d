/**
 * What a command is pointed at: the address of a server, the module of a connector, or a command that starts a server over
 * stdio.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { CommandLine } from "effect/process"
import { existsSync } from "node:fs"
import { Unusable } from "./Unusable.ts"

export type Target = Data.TaggedEnum<{
  readonly Url: { readonly url: URL }
  readonly Module: { readonly file: string }
  readonly Command: { readonly text: string; readonly command: string; readonly args: ReadonlyArray<string> }
}>
export const Target = Data.taggedEnum<Target>()

/** What each command's help says of a target. */
export const targetIs = `An address (https://…), a module that exports a connector (connector.ts), or a command in quotes ("node main.ts")`

/** Tells by its form what a target is. More than one word is a command, unless there is such a file. */
export const parseTarget = (text: string): Effect.Effect<Target, Unusable> => {
  if (/^https?:\/\//i.test(text)) {
    return URL.canParse(text)
      ? Effect.succeed(Target.Url({ url: new URL(text) }))
      : new Unusable({ message: `${text} is no address. Give it as https://name/path.` })
  }
  if (/^[a-z][a-z+.-]+:\/\//i.test(text)) {
    return new Unusable({ message: `${text} is no address that MCP is served at. Give it as https://name/path.` })
  }
  if (!/\s/.test(text.trim()) || existsSync(text)) return Effect.succeed(Target.Module({ file: text }))
  return commandOf(text)
}

/** A command by its words as the shell has read them, so that no word needs a second pair of quotes. */
export const parseWords = ([first, ...rest]: readonly [string, ...ReadonlyArray<string>]): Effect.Effect<
  Target,
  Unusable
> => {
  if (rest.length === 0 && /\s/.test(first)) return commandOf(first)
  const text = [first, ...rest].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ")
  return Effect.succeed(Target.Command({ text, command: first, args: rest }))
}

const commandOf = (text: string): Effect.Effect<Target, Unusable> =>
  Effect.fromResult(CommandLine.template(Object.assign([text], { raw: [text] }))).pipe(
    Effect.map((words) => words.map(String)),
    Effect.map(([command, ...args]) => Target.Command({ text, command: command!, args })),
    Effect.mapError((cause) => new Unusable({ message: `The command can't be read: ${cause.message}.`, cause }))
  )
