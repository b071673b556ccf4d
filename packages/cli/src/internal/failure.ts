/**
 * What a run that failed says, and the code that it exits with.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { CliError, CliOutput, Flag, GlobalFlag } from "effect/cli"
import { firstLine } from "./importModule.ts"
import { Unusable } from "./Unusable.ts"

/** `--debug` is told by the arguments, since a run may fail before they are parsed. */
export const Debug = GlobalFlag.Setting("debug")({
  flag: Flag.Boolean("debug").pipe(
    Flag.withDescription("Show what caused an error, with its stack"),
    Flag.withDefault(false)
  )
})

export const isDebug = (args: ReadonlyArray<string>): boolean => args.includes("--debug")

/** Prints what went wrong, in a sentence, and gives the code to exit with. */
export const explain = (cause: Cause.Cause<unknown>, debug: boolean): Effect.Effect<number> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.succeed(130)
  const error = Cause.squash(cause)
  if (CliError.isCliError(error)) return Effect.succeed(error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : 2)
  const [sentence, shown] =
    error instanceof Unusable
      ? [error.message, error.cause === undefined ? cause : Cause.die(error.cause)]
      : [`ferrule failed: ${firstLine(error)} --debug shows where; it may be a fault of its own.`, cause]
  return Console.error(debug ? `${sentence}\n\n${Cause.pretty(shown)}` : sentence).pipe(Effect.as(2))
}

/** Shows a command that was given wrongly as its fault and where to read on, instead of the whole help. */
export const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
          [
            ...event.errors.map(({ message }) =>
              message.replace(/\n\n {2}Did you mean this\?\n\s+/, ". Did you mean ")
            ),
            `${event.commandPath.join(" ")} --help says what it takes.`
          ].join("\n")
        )
      : CliOutput.defaultPresenter.present(event)
}
