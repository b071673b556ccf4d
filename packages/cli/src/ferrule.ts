/**
 * The `ferrule` command: its subcommands, and how a run of it ends.
 *
 * It exits with 0, with 1 where an audit found a blocker or a tool refused a call, and with 2 where it could not do what it
 * was asked to.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { CliOutput, Command } from "effect/cli"
import { audit } from "./commands/audit.ts"
import { init } from "./commands/init.ts"
import { lock } from "./commands/lock.ts"
import { plugin } from "./commands/plugin.ts"
import { call } from "./commands/call.ts"
import { tools } from "./commands/tools.ts"
import * as Ending from "./internal/ending.ts"
import { Debug, explain, isDebug, presenter } from "./internal/failure.ts"
import { firstLine, LoadTimeout } from "./internal/importModule.ts"
import { Unusable } from "./internal/Unusable.ts"
import { version } from "./version.ts"

const debug = isDebug(process.argv.slice(2))

const ferrule = Command.make("ferrule").pipe(
  Command.withDescription("Checks, locks and packs MCP connectors made with Ferrule"),
  Command.withSubcommands([init, audit, lock, plugin, tools, call]),
  // After the subcommands, which they are for.
  Command.withGlobalFlags([Debug, LoadTimeout])
)

const failed = (cause: Cause.Cause<unknown>) =>
  Effect.map(explain(cause, debug), (code) => void (process.exitCode = code))

// What a loaded module started in the background and nobody awaits.
process.on("uncaughtException", (error) => {
  Effect.runSync(
    failed(
      Cause.fail(
        new Unusable({
          message: `What runs in the background failed: ${firstLine(error)} Await it or catch it where it is started.`,
          cause: error
        })
      )
    )
  )
  Ending.end(2)
})
// Whoever reads the output has read enough.
process.stdout.on("error", () => Ending.end(0))

ferrule.pipe(
  Command.run({ version }),
  Effect.catchCause(failed),
  Effect.provide([NodeServices.layer, CliOutput.layerPresenter(presenter)]),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit) => Ending.end(Exit.isSuccess(exit) ? Number(process.exitCode ?? 0) : 130)
  })
)
