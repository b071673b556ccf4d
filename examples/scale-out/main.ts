/**
 * Several instances of the service desk behind one address, and what becomes of writes when instances are killed, replaced
 * and paused. It starts everything on this machine, calls through the balancer, prints and checks what it shows, ends all
 * that it has started, and exits with 1, naming the scene, when something is not as it must be.
 *
 * `node main.ts --store postgres|redis --instances 4`
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Cause, Clock, Effect } from "effect"
import { parseArgs } from "node:util"
import * as Screen from "../service-desk/demo/Screen.ts"
import { scene, SceneError } from "../service-desk/demo/Stage.ts"
import { DemoError } from "../service-desk/demo/World.ts"
import { allKilled } from "./scenes/allKilled.ts"
import { atOnce } from "./scenes/atOnce.ts"
import { killed } from "./scenes/killed.ts"
import { paused } from "./scenes/paused.ts"
import { rolling } from "./scenes/rolling.ts"
import * as Share from "./show/Share.ts"
import * as World from "./show/World.ts"

const options = Effect.try({
  try: (): World.Options => {
    const { values } = parseArgs({
      options: { store: { type: "string", default: "postgres" }, instances: { type: "string", default: "4" } }
    })
    const instances = Number(values.instances)
    if (values.store !== "postgres" && values.store !== "redis") throw new Error("--store is postgres or redis")
    if (!Number.isInteger(instances) || instances < 2 || instances > 16) throw new Error("--instances is 2 to 16")
    return { store: values.store, instances }
  },
  catch: (cause) => new DemoError({ message: cause instanceof Error ? cause.message : String(cause) })
})

const show = Effect.gen(function* () {
  const { store, instances } = yield* options
  const began = yield* Clock.currentTimeMillis
  const records = store === "postgres" ? "PostgreSQL" : "Redis"
  Screen.title(`A service desk on ${instances} instances: tickets in PostgreSQL, the record of writes in ${records}`)
  const world = yield* World.make({ store, instances })
  Screen.note(`HAProxy listens on ${world.balancer.url.href}. The clients know nothing else.`)

  const all = Share.since(world.instances)
  yield* scene("A", "The same write, a hundred times at once", atOnce(world))
  yield* scene("B", "Instances killed in the middle of writes", killed(world))
  yield* scene("C", "Every instance killed at once", allKilled(world))
  yield* scene("D", "A rolling restart under load", rolling(world))
  yield* scene("E", "An instance that stands still for longer than its lease", paused(world))

  Screen.title("\nAll in all")
  Share.print(all.shares())
  const starts = world.instances.reduce((sum, instance) => sum + instance.starts(), 0)
  Screen.summary([
    "Every operation was carried out once, whoever was killed, replaced or paused, and every caller got its one result.",
    `${starts} processes have served as ${instances} instances. None of them knew anything but its databases.`,
    `All in ${(((yield* Clock.currentTimeMillis) - began) / 1000).toFixed(0)} s.`
  ])
})

runMain(
  Effect.scoped(show).pipe(
    Effect.timeoutOrElse({
      duration: "5 minutes",
      orElse: () => Effect.fail(new DemoError({ message: "it did not come to an end in five minutes" }))
    }),
    Effect.tapCause((cause) =>
      Effect.sync(() => {
        const error = Cause.squash(cause)
        if (error instanceof SceneError) Screen.failed(`Scene ${error.scene}`, error.why)
        else if (!Cause.hasInterruptsOnly(cause))
          Screen.failed("The start", error instanceof Error ? error.message : String(error))
      })
    )
  ),
  { disableErrorReporting: true }
)
