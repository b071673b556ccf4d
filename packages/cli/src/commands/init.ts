/**
 * `ferrule init`: starts a connector's project from the template, which is a whole one under its own name.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { Argument, Command, Flag, Prompt, TerminalCapabilities } from "effect/cli"
import { basename, resolve } from "node:path"
import { faultOfName, faultOfTitle, titleOf } from "../init/names.ts"
import { writeProject } from "../init/writeProject.ts"
import { Unusable } from "../internal/Unusable.ts"

export const init = Command.make(
  "init",
  {
    dir: Argument.String("dir").pipe(
      Argument.withDescription("The folder, new or empty; the current one unless given"),
      Argument.withDefault(".")
    ),
    name: Flag.String("name").pipe(
      Flag.withDescription("The connector's name, such as acme-desk; the folder's unless given"),
      Flag.optional
    ),
    title: Flag.String("title").pipe(
      Flag.withDescription("Its title for people, such as Acme desk; made of the name unless given"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* (flags) {
    const folder = resolve(flags.dir)
    yield* vacant(folder, flags.dir)
    const name = yield* chosen(flags.name, "What is the connector called?", basename(folder), faultOfName, "--name")
    const title = yield* chosen(flags.title, "And its title, for people?", titleOf(name), faultOfTitle, "--title")
    const files = yield* writeProject(folder, { name, title })
    const isHere = folder === process.cwd()
    yield* Console.log(
      [
        `${title} is in ${isHere ? "this folder" : flags.dir}: ${files} files. Next:`,
        "",
        ...(isHere ? [] : [`  cd ${/\s/.test(flags.dir) ? JSON.stringify(flags.dir) : flags.dir}`]),
        "  npm install",
        "  npm test",
        "  npm run audit",
        "",
        "README.md says what is in each file."
      ].join("\n")
    )
  })
).pipe(
  Command.withDescription("Starts a connector's project: a read, a write, tests, an audit and CI"),
  Command.withExamples([
    { command: "ferrule init acme-desk", description: "Ask for the rest on a terminal" },
    { command: `ferrule init desk --name acme-desk --title "Acme desk"`, description: "Ask for nothing" }
  ])
)

/** Version control may be there already. */
const vacant = Effect.fnUntraced(function* (folder: string, given: string) {
  const files = yield* FileSystem.FileSystem
  const found = yield* files.readDirectory(folder).pipe(
    Effect.catchReason("PlatformError", "NotFound", () => Effect.succeed([])),
    Effect.mapError(
      (cause) => new Unusable({ message: `${given} is no folder that can be read. Give another.`, cause })
    )
  )
  const others = found.filter((name) => name !== ".git")
  if (others.length === 0) return
  return yield* new Unusable({
    message: `${given} is not empty: it has ${others[0]}. Give a folder that is new or empty.`
  })
})

/** Takes what was given; asks on a terminal, and goes by the default elsewhere. */
const chosen = Effect.fnUntraced(function* (
  given: Option.Option<string>,
  message: string,
  fallback: string,
  faultOf: (value: string) => string | undefined,
  flag: string
) {
  const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
  if (Option.isNone(given) && canPrompt) {
    return yield* Prompt.run(
      Prompt.String({
        message,
        ...(faultOf(fallback) === undefined && { default: fallback }),
        validate: (value) => {
          const fault = faultOf(value)
          return fault === undefined ? Effect.succeed(value) : Effect.fail(fault)
        }
      })
    )
  }
  const value = Option.getOrElse(given, () => fallback)
  const fault = faultOf(value)
  if (fault === undefined) return value
  return yield* new Unusable({
    message: `${JSON.stringify(value)} can't be used: ${fault}. Give another with ${flag}.`
  })
})
