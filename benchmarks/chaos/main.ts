/**
 * Shows that writes happen once, whatever crashes: `pnpm chaos`.
 *
 * It starts what it needs, breaks it, and ends it again. Each row of its table is one store, one recovery and one set of
 * faults. It ends with an error, and tells what happened, when a write was done twice, a result was lost or answers
 * differ. `--control` runs a design that is known to write twice, and ends with an error when that is not seen.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import type { Tool } from "@ferrule/core"
import { Console, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Dice from "./Dice.ts"
import * as Fleet from "./Fleet.ts"
import { type Fault, faults } from "./History.ts"
import * as Reaper from "./Reaper.ts"
import * as Report from "./Report.ts"
import * as Run from "./Run.ts"
import * as Servers from "./Servers.ts"
import { kinds } from "./Store.ts"
import { recoveries } from "./Tools.ts"

const listOf = <const A extends string>(name: string, values: ReadonlyArray<A>) =>
  Flag.String(name).pipe(
    Flag.withMetavar(values.join(",")),
    Flag.withDefault(values.join(",")),
    Flag.mapTryCatch(
      (text) => Schema.decodeUnknownSync(Schema.Array(Schema.Literals(values)))(text.split(",")),
      () => `a list of ${values.join(", ")}`
    )
  )

const count = (name: string, otherwise: number) =>
  Flag.Int(name).pipe(Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0))), Flag.withDefault(otherwise))

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** The ledger's faults do not reach a write that stays in the store's own database. */
const isPossible = (store: Servers.Running, set: ReadonlyArray<Fault>, recovery: Tool.Recovery): boolean =>
  store.recoveries.includes(recovery) && !(recovery === "transactional" && set.every((fault) => fault === "drop"))

const setsOfFaults = ["kill", "pause", "drop", "clock", "kill+pause+drop", "restart", "cut", "kill+restart+cut+drop"]

const chaos = Command.make("chaos", {
  stores: listOf("stores", kinds).pipe(Flag.withDescription("the stores")),
  recoveries: listOf("recoveries", recoveries).pipe(Flag.withDescription("the recoveries of the tools")),
  sets: Flag.String("faults").pipe(
    Flag.withMetavar("kill,pause,kill+drop"),
    Flag.withDefault(setsOfFaults.join(",")),
    Flag.withDescription(
      `sets of faults, a row for each, of ${faults.join(", ")}; "+" joins those that strike together`
    ),
    Flag.mapTryCatch(
      (text) =>
        text.split(",").map((set) => Schema.decodeUnknownSync(Schema.Array(Schema.Literals(faults)))(set.split("+"))),
      () => `a list of sets of ${faults.join(", ")}, such as kill,pause,kill+drop`
    )
  ),
  milliseconds: Flag.String("for").pipe(
    Flag.withMetavar("30s"),
    Flag.withDefault("30s"),
    Flag.withDescription("how long faults go on in each row"),
    Flag.mapTryCatch(
      (text) => {
        const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text)!
        return Number(amount) * units[unit as keyof typeof units]
      },
      () => "a time such as 500ms, 30s, 5m or 1h"
    )
  ),
  kills: Flag.Int("kills").pipe(
    Flag.withDescription("how many processes are killed in each row, instead of a time"),
    Flag.optional
  ),
  processes: count("processes", 4).pipe(Flag.withDescription("the processes that serve")),
  callers: count("callers", 8).pipe(Flag.withDescription("the callers of each process")),
  operations: count("operations", 16).pipe(Flag.withDescription("the operations that the callers are after at a time")),
  seed: Flag.Int("seed").pipe(Flag.withDefault(1), Flag.withDescription("where chance begins")),
  control: Flag.Boolean("control").pipe(
    Flag.withDefault(false),
    Flag.withDescription("run a design that executes again when a lease has lapsed, and expect it to write twice")
  ),
  verbose: Flag.Boolean("verbose").pipe(
    Flag.withDefault(false),
    Flag.withDescription("let the processes log to stderr")
  ),
  json: Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("print the figures as JSON"))
})

const program = Command.withHandler(
  chaos,
  Effect.fnUntraced(function* (flags) {
    const { control, json } = flags
    const folder = mkdtempSync(join(tmpdir(), "ferrule-chaos-"))
    // The user that PostgreSQL runs as has to get through.
    chmodSync(folder, 0o711)
    const reaper = yield* Reaper.make(folder)
    const script = yield* Fleet.bundle(join(folder, "worker"))
    const until = Option.match(flags.kills, {
      onNone: () => ({ milliseconds: flags.milliseconds }),
      onSome: (kills) => ({ kills })
    })
    const rows: Array<Report.Row> = []

    for (const kind of flags.stores) {
      const files = join(folder, kind)
      mkdirSync(files, { mode: 0o711 })
      const store = yield* Servers.start(kind, files, reaper)
      for (const set of flags.sets.filter((set) => !set.some((fault) => !store.faults.includes(fault)))) {
        // The naive design has one recovery for all.
        const possible = control ? (["unknown"] as const) : flags.recoveries
        for (const recovery of possible.filter((one) => isPossible(store, set, one))) {
          const name = `${kind[0]}${rows.length + 1}`
          const seed = flags.seed + rows.length
          const dice = Dice.make(seed)
          const options = { ...flags, name, seed, dice, script, reaper, store, recovery, faults: set, naive: control }
          const figures = yield* Effect.scoped(Run.run({ ...options, until }))
          rows.push({ store: kind, recovery: control ? "naive" : recovery, set, ...figures })
          if (!json) yield* Console.error(Report.table(rows.slice(-1)))
        }
      }
    }

    const duplicates = rows.reduce((sum, { broken }) => sum + broken.duplicate, 0)
    const failed = control ? duplicates === 0 : rows.some(Report.isBroken)
    if (json) yield* Console.log(JSON.stringify({ seed: flags.seed, control, failed, rows }, undefined, 2))
    else {
      yield* Console.log(Report.table(rows))
      if (failed) yield* Console.log(control ? "The control has not written twice." : Report.stories(rows))
    }
    if (failed) process.exitCode = 1
  }, Effect.scoped)
)

program.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
