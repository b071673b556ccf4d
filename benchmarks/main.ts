/**
 * Measures Ferrule against its peers: `pnpm bench`.
 *
 *   --mode memory|stdio|http|rss|stores
 *                                  one mode; all of them otherwise, with memory held (rss) for Ferrule only, and
 *                                  without the stores whose server does not answer
 *   --only name,name               some contenders: ferrule, ferrule-logged, ferrule-jwt, sdk, sdk-low-level, effect,
 *                                  fastmcp, bare
 *   --quick                        fewer and shorter windows, and no variants of Ferrule and the SDK: under a minute,
 *                                  and less to be trusted
 *   --json                         the figures as JSON
 *
 * The peers do no more than they must: they answer one text block, hold no policy, and write no record of a call.
 * The stores' servers are those of FERRULE_TEST_POSTGRES and FERRULE_TEST_REDIS, or of this machine.
 * An answer that is wrong ends the run with an error; a target that is not met does not.
 */
import { availableParallelism, cpus, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { entries } from "./Contender.ts"
import type { Subject } from "./loads/child.ts"
import { memoryTable, storeTable, table, targetTable } from "./Report.ts"
import { type Figure, type Footprint, measure, measureMemory, modes, type Pace } from "./Rounds.ts"
import { measureStores, type Stores } from "./stores/Measure.ts"
import { judge, judgeStores } from "./Targets.ts"

const { values: options } = parseArgs({
  options: {
    mode: { type: "string" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false }
  }
})

const refuse = (message: string): never => {
  process.stderr.write(message + "\n")
  process.exit(2)
}

const all = [...modes, "rss", "stores"]
const wanted = options.mode === undefined ? all : [options.mode]
if (!all.includes(wanted[0])) refuse(`--mode is one of ${all.join(", ")}`)

const variants = ["ferrule-logged", "ferrule-jwt", "sdk-low-level"]
const usual = entries.map(({ name }) => name).filter((name) => !options.quick || !variants.includes(name))
const only = options.only?.split(",") ?? usual
const stranger = only.find((name) => !entries.some((entry) => entry.name === name))
if (stranger !== undefined) refuse(`no contender is called ${stranger}: ${entries.map(({ name }) => name).join(", ")}`)

const contenders = entries.filter(({ name }) => only.includes(name))
const pace: Pace = options.quick
  ? { rounds: 3, milliseconds: 60, settle: 20, warmUp: { calls: 3000, milliseconds: 1000 } }
  : { rounds: 5, milliseconds: 250, settle: 100, warmUp: { calls: 40_000, milliseconds: 6000 } }

const print = (text: string): void => {
  if (!options.json) process.stdout.write(text + "\n\n")
}

const subjects: Array<Subject> = contenders.flatMap(({ name, revisions, works }) =>
  revisions.flatMap((revision) => works.map((work) => ({ name, revision, work })))
)

/** One revision is enough to see what is kept, and the peers are measured only when memory alone is asked for. */
const kept: Array<Subject> = contenders
  .filter(({ name }) => name === "ferrule" || options.mode === "rss")
  .flatMap(({ name, revisions, works }) =>
    works.map((work) => ({ name, revision: revisions.at(-1)!, work: work === "write" ? "replay" : work }))
  )

print(
  `Node ${process.versions.node}, ${availableParallelism()} x ${cpus()[0]?.model.trim()}, ` +
    `load ${loadavg()[0]!.toFixed(1)}; medians of ${pace.rounds} rounds of ${pace.milliseconds} ms, each server in its own process`
)

const figures: Array<Figure> = []
for (const mode of modes.filter((one) => wanted.includes(one))) {
  const measured = await measure(mode, subjects, pace)
  figures.push(...measured)
  print(table(mode, measured))
}
const footprints: Array<Footprint> = wanted.includes("rss") ? await measureMemory(kept) : []
if (footprints.length > 0) print(memoryTable(footprints))

// Each has eight windows in a round, and a client is warm long before a server is.
const storePace: Pace = { ...pace, settle: 20, warmUp: { calls: 5000, milliseconds: options.quick ? 300 : 1000 } }
const stores: Stores = wanted.includes("stores") ? await measureStores(storePace) : { figures: [], leftOut: [] }
if (wanted.includes("stores")) print(storeTable(stores))

const targets = [...judge(figures, footprints), ...judgeStores(stores.figures)]
if (targets.length > 0) print(targetTable(targets))
if (options.json) process.stdout.write(JSON.stringify({ figures, footprints, stores, targets }, undefined, 2) + "\n")
if (options.mode === "stores" && stores.leftOut.length > 0) {
  const faults = stores.leftOut.map(({ title, why }) => `${title} could not be opened: ${why}\n`)
  process.stderr.write(faults.join(""))
  process.exitCode = 1
}
