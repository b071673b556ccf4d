/**
 * Measures Ferrule against its peers: `pnpm bench`, and `pnpm bench --help` for parts of it.
 *
 * The peers do no more than they must: they answer one text block, hold no policy, and write no record of a call.
 * The stores' servers are those of FERRULE_TEST_POSTGRES and FERRULE_TEST_REDIS, or of this machine.
 * An answer that is wrong ends the run with an error; a target that is not met does not.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { availableParallelism, cpus, loadavg } from "node:os"
import { entries } from "./Contender.ts"
import type { Subject } from "./loads/child.ts"
import { memoryTable, storeTable, table, targetTable } from "./Report.ts"
import { type Figure, type Footprint, measure, measureMemory, type Mode, modes, type Pace } from "./Rounds.ts"
import { measureStores, type Stores } from "./stores/Measure.ts"
import { judge, judgeStores } from "./Targets.ts"

const names = entries.map(({ name }) => name)

const flag = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDefault(false), Flag.withDescription(description))

const bench = Command.make("bench", {
  mode: Flag.Literals("mode", [...modes, "rss", "stores"]).pipe(
    Flag.withDescription(
      "one mode; all of them otherwise, with memory held (rss) for Ferrule only, and without the stores whose server " +
        "does not answer"
    ),
    Flag.optional
  ),
  only: Flag.String("only").pipe(
    Flag.withMetavar("name,name"),
    Flag.withDescription(`some contenders: ${names.join(", ")}`),
    Flag.mapTryCatch(
      (text) => Schema.decodeUnknownSync(Schema.Array(Schema.Literals(names)))(text.split(",")),
      () => `a list of ${names.join(", ")}`
    ),
    Flag.optional
  ),
  quick: flag(
    "quick",
    "fewer and shorter windows, and no variants of Ferrule and the SDK: under a minute, and less to be trusted"
  ),
  json: flag("json", "print the figures as JSON")
})

interface Options {
  readonly mode: string | undefined
  readonly only: ReadonlyArray<string> | undefined
  readonly quick: boolean
  readonly json: boolean
}

const run = async ({ json, mode: chosen, only, quick }: Options): Promise<void> => {
  const contenders = entries.filter(({ adds, name }) =>
    only === undefined ? !quick || (adds === undefined && name !== "sdk-low-level") : only.includes(name)
  )
  const pace: Pace = quick
    ? { rounds: 3, milliseconds: 60, settle: 20, warmUp: { calls: 3000, milliseconds: 1000 } }
    : { rounds: 15, milliseconds: 120, settle: 150, warmUp: { calls: 20_000, milliseconds: 4000 } }

  const print = (text: string): void => {
    if (!json) process.stdout.write(text + "\n\n")
  }

  const wanted = (mode: string): boolean => chosen === undefined || chosen === mode

  const subjectsOf = (mode: Mode): Array<Subject> =>
    contenders
      .filter((contender) => contender.modes?.includes(mode) ?? true)
      .flatMap(({ name, revisions, works }) =>
        revisions.flatMap((revision) => works.map((work) => ({ name, revision, work })))
      )

  /** One revision is enough to see what is kept, and the peers are measured only when memory alone is asked for. */
  const kept: Array<Subject> = contenders
    .filter(({ name }) => name === "ferrule" || chosen === "rss")
    .flatMap(({ name, revisions, works }) =>
      works.map((work) => ({ name, revision: revisions.at(-1)!, work: work === "write" ? "replay" : work }))
    )

  print(
    `Node ${process.versions.node}, ${availableParallelism()} x ${cpus()[0]?.model.trim()}, ` +
      `load ${loadavg()[0]!.toFixed(1)}; medians of ${pace.rounds} rounds of ${pace.milliseconds} ms, each server in its own process`
  )

  const figures: Array<Figure> = []
  for (const mode of modes.filter(wanted)) {
    const subjects = subjectsOf(mode)
    if (subjects.length === 0) {
      print(`Not measured in the mode ${mode}: ${contenders.map(({ name }) => name).join(", ")}`)
      continue
    }
    const measured = await measure(mode, subjects, pace)
    figures.push(...measured)
    print(table(mode, measured))
  }
  const footprints: Array<Footprint> = wanted("rss") ? await measureMemory(kept) : []
  if (footprints.length > 0) print(memoryTable(footprints))

  // Each has eight windows in a round, and a client is warm long before a server is.
  const storePace: Pace = { ...pace, settle: 20, warmUp: { calls: 5000, milliseconds: quick ? 300 : 1000 } }
  const stores: Stores = wanted("stores") ? await measureStores(storePace) : { figures: [], leftOut: [] }
  if (wanted("stores")) print(storeTable(stores))

  const targets = [...judge(figures, footprints), ...judgeStores(stores.figures)]
  if (targets.length > 0) print(targetTable(targets))
  if (json) process.stdout.write(JSON.stringify({ figures, footprints, stores, targets }, undefined, 2) + "\n")
  if (chosen === "stores" && stores.leftOut.length > 0) {
    const faults = stores.leftOut.map(({ title, why }) => `${title} could not be opened: ${why}\n`)
    process.stderr.write(faults.join(""))
    process.exitCode = 1
  }
}

const program = Command.withHandler(bench, ({ mode, only, ...switches }) =>
  Effect.promise(() => run({ mode: Option.getOrUndefined(mode), only: Option.getOrUndefined(only), ...switches }))
)

program.pipe(Command.run({ version: "0.1.0" }), Effect.provide(NodeServices.layer), NodeRuntime.runMain)
