#!/usr/bin/env node
/**
 * The `ferrule` command.
 *
 * It exits with 0, with 1 where an audit found a blocker, and with 2 where it could not do what it was asked to.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Command } from "effect/cli"
import { audit } from "./commands/audit.ts"
import { version } from "./version.ts"

const ferrule = Command.make("ferrule").pipe(
  Command.withDescription("Checks, locks and packs MCP connectors made with Ferrule"),
  Command.withSubcommands([audit])
)

ferrule.pipe(
  Command.run({ version }),
  Effect.catchTag("Unusable", ({ message }) =>
    Effect.andThen(
      Console.error(message),
      Effect.sync(() => void (process.exitCode = 2))
    )
  ),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
