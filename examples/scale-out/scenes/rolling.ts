import { Clock, Effect, Fiber, Schedule } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import { ticket, type World } from "../show/World.ts"

/** Replaces every instance by a new one, while clients that repeat nothing go on calling. */
export const rolling = Effect.fnUntraced(function* (world: World) {
  const { balancer, callers, instances, ledger } = world
  Screen.note(
    `${callers.length} clients open tickets, ask for each a second time, and search, over and over; they repeat nothing ` +
      "but what was too slow. Meanwhile one instance after the other is told to end (SIGTERM), ends, and is started again."
  )
  const before = yield* balancer.resent
  const failed: Array<string> = []
  let ended = false
  let opened = 0
  let calls = 0
  let slow = 0
  // The tool's own limit, which a busy machine may exceed at any time. Whatever else a client is told is a failure.
  const wasSlow = (message: string) => message.startsWith("create_ticket did not finish within") && ++slow > 0

  const load = yield* Effect.forkChild(
    Effect.forEach(
      callers,
      (caller) => {
        const once = (tool: string, args: Readonly<Record<string, unknown>>) =>
          caller.call(tool, args).pipe(
            Effect.retry({ while: ({ message }) => wasSlow(message), schedule: Schedule.spaced("250 millis") }),
            Effect.catch(({ message }) => Effect.sync(() => failed.push(message))),
            Effect.tap(() => Effect.sync(() => calls++)),
            // To the desk, all of them are one caller, whose rate is limited.
            Effect.andThen(Effect.sleep("150 millis"))
          )
        const round = Effect.suspend(() => {
          const next = ticket(`Licence ${++opened} has expired`)
          return Effect.all([
            once("create_ticket", next),
            once("create_ticket", next),
            once("search_tickets", { text: next.subject })
          ])
        })
        return Effect.repeat(round, { until: () => ended })
      },
      { concurrency: "unbounded", discard: true }
    )
  )
  for (const instance of instances) {
    const began = yield* Clock.currentTimeMillis
    const served = calls
    const how = yield* instance.stop
    // 130 is what a program ends with that was interrupted and has come to its end.
    yield* check(how === "code 130", `${instance.name} ended in order, and not with ${how}`)
    const took = (yield* Clock.currentTimeMillis) - began
    yield* instance.start
    yield* balancer.untilUp(instance.name)
    Screen.note(
      `${instance.name} ended in ${(took / 1000).toFixed(1)} s and is back; meanwhile ${calls - served} calls`
    )
  }
  ended = true
  yield* Fiber.join(load)

  const tickets = yield* ledger.tickets("Licence ")
  yield* check(failed.length === 0, `no call failed, as these did: ${failed.slice(0, 3).join("; ")}`)
  const resent = (yield* balancer.resent) - before
  Screen.note(`The balancer sent ${resent} requests again, to another instance; ${slow} calls were too slow.`)
  // Without the drain it is more than a dozen; a busy machine that answers a health check late may account for a few.
  yield* check(resent < 10, "an instance that ends has next to nothing taken from it")
  yield* prove(failed.length === 0, `${calls} calls while ${instances.length} instances were replaced: 0 failed`)
  yield* prove(tickets === opened, `${opened} tickets were asked for twice each: ${tickets} tickets`)
})
