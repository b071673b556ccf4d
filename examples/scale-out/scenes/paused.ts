import { Clock, Effect, Fiber } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import * as Share from "../show/Share.ts"
import { named, ticket, type World } from "../show/World.ts"

const badge = ticket("Badge does not open door 4")

/** Lets an instance stand still in the middle of a write, until another has taken the write over. */
export const paused = Effect.fnUntraced(function* (world: World) {
  const { balancer, callers, instances, ledger } = world
  Screen.note(
    "The desk is held until an instance is in the middle of writing a ticket, and that instance is paused with SIGSTOP: its " +
      "statement is with the database, and its lease of two seconds runs out. Another takes the write over, finds nothing " +
      "yet, and writes as well. Then the desk is let go, and the first one wakes up."
  )
  const asked = yield* ledger.asked
  const began = yield* Clock.currentTimeMillis
  const [call, [first, second]] = yield* ledger.holding(
    callers[0].insist("create_ticket", badge),
    Effect.gen(function* () {
      const first = yield* ledger.writer()
      yield* named(world, first).pause
      return [first, yield* ledger.writer(first)]
    })
  )
  const { result } = yield* Fiber.join(call)
  const took = (yield* Clock.currentTimeMillis) - began
  Screen.note(`${first} stood still; ${second} took over and answered, ${(took / 1000).toFixed(1)} s after the call`)
  yield* named(world, first).resume
  yield* balancer.untilUp(first)

  const work = Share.since(instances)
  const again = yield* Effect.forEach(
    Array.from({ length: 4 * instances.length }, (_, index) => callers[index % callers.length]),
    (caller) => caller.insist("create_ticket", badge)
  )
  const shares = yield* work.settled(again.length)
  Share.print(shares)
  yield* check(took > 1900, "the answer came after the lease")
  yield* prove(
    (yield* ledger.tickets("Badge ")) === 1,
    `one ticket: the desk was asked ${(yield* ledger.asked) - asked} times, and knows an operation that it has carried out`
  )
  yield* prove(
    again.every((answer) => answer.replayed && answer.result === result) &&
      shares.some(({ name, replayed }) => name === first && replayed > 0),
    `${again.length} more calls get that ticket, to the byte, also from ${first}`
  )
})
