import { Effect, Fiber } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import * as Share from "../show/Share.ts"
import { named, repeats, ticket, type World } from "../show/World.ts"

const kills = 6
const tickets = 10

/** Kills one instance after the other, each in the middle of a write, while clients go on. */
export const killed = Effect.fnUntraced(function* (world: World) {
  const { balancer, callers, given, instances, ledger } = world
  Screen.note(
    `${kills} times, ${tickets} tickets are asked for by two clients each, all at once, and the desk is held until an ` +
      "instance is in the middle of writing. That instance is killed with SIGKILL, and started again while the others go " +
      "on. A client who gets no answer, or one that says to wait, repeats the call."
  )
  const work = Share.since(instances)
  const asks = yield* ledger.asked
  const before = { resent: yield* balancer.resent, repeats: repeats(world) }
  let answers = 0

  for (let kill = 0; kill < kills; kill++) {
    const subjects = Array.from(
      { length: tickets },
      (_, index) => `Order ${kill * tickets + index + 1} has not arrived`
    )
    const asked = Effect.forEach(
      subjects,
      (subject, index) => {
        const two = [callers[index % callers.length], callers[(index + 3) % callers.length]]
        return Effect.forEach(two, (caller) => caller.insist("create_ticket", ticket(subject)), { concurrency: 2 })
      },
      { concurrency: "unbounded" }
    )
    const [calls, victim] = yield* ledger.holding(
      asked,
      Effect.map(ledger.writer(), (name) => named(world, name)).pipe(Effect.tap(({ kill }) => kill))
    )
    yield* victim.start
    for (const [index, [one, other]] of (yield* Fiber.join(calls)).entries()) {
      answers += 2
      yield* check(one.result === other.result, "both clients got the same ticket")
      given.set(subjects[index], one.result)
    }
    yield* balancer.untilUp(victim.name)
  }

  Share.print(work.shares())
  Screen.note(
    `${kills} killed. The balancer sent ${(yield* balancer.resent) - before.resent} requests again, to another instance; ` +
      `the clients repeated ${repeats(world) - before.repeats} calls.`
  )
  const [written, different] = [yield* ledger.tickets("Order "), yield* ledger.subjects("Order ")]
  Screen.note(`The desk was asked for a ticket ${(yield* ledger.asked) - asks} times.`)
  yield* prove(
    written === kills * tickets && different === written,
    `${answers} calls for ${kills * tickets} tickets through ${kills} kills: ${written} tickets, and every caller has its own`
  )
})
