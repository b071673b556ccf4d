/**
 * Calls a server with cases that nobody would write by hand, over HTTP and stdio: `pnpm fuzz --cases 100000 --seed 1`.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Findings from "./Findings.ts"
import * as HttpRun from "./HttpRun.ts"
import * as StdioRun from "./StdioRun.ts"

const fuzz = Command.make("fuzz", {
  cases: Flag.Int("cases").pipe(Flag.withDefault(100_000), Flag.withDescription("how many cases, in all")),
  seed: Flag.Int("seed").pipe(
    Flag.withDefault(1),
    Flag.withDescription("where chance begins; the same seed makes the same cases")
  )
})

const program = Command.withHandler(
  fuzz,
  Effect.fnUntraced(function* ({ cases, seed }) {
    // Two of three over HTTP, where there is more to get wrong.
    const shares = { HTTP: Math.ceil((cases * 2) / 3), stdio: Math.floor(cases / 3) }
    for (const [title, run] of [["HTTP", HttpRun.run] as const, ["stdio", StdioRun.run] as const]) {
      const checkpoint = Math.max(200, Math.floor(shares[title] / 40))
      const findings = yield* run({ cases: shares[title], seed, giants: 4, checkpoint })
      yield* Console.log(Findings.table(title, findings))
      if (findings.faults.size > 0) process.exitCode = 1
    }
  })
)

program.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
