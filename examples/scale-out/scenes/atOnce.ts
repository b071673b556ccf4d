import { Effect } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import * as Share from "../show/Share.ts"
import { ticket, type World } from "../show/World.ts"

const calls = 100
const subject = "Printer on floor 3 is offline"

/** Sends one call again and again at the same moment. */
export const atOnce = Effect.fnUntraced(function* ({ callers, given, instances, ledger }: World) {
  Screen.note(
    `${callers.length} clients, half of them of revision 2026-07-28 and half of 2025-11-25, send the same ` +
      `create_ticket, all in all ${calls} times at the same moment. The balancer spreads them over ${instances.length} instances.`
  )
  const work = Share.since(instances)
  const answers = yield* Effect.forEach(
    Array.from({ length: calls }, (_, index) => callers[index % callers.length]),
    (caller) => caller.insist("create_ticket", ticket(subject)),
    { concurrency: "unbounded" }
  )
  const shares = yield* work.settled(calls)
  Share.print(shares)

  const [{ result }] = answers
  const replays = answers.filter(({ replayed }) => replayed).length
  yield* check(
    answers.every((answer) => answer.result === result),
    "all answers are the same"
  )
  yield* check(
    shares.every(({ executed, replayed }) => executed + replayed > 0),
    "every instance has answered"
  )
  yield* check(replays === calls - 1, "all answers but one say that they are replays")
  yield* prove(
    Share.total(shares, "executed") === 1 && Share.total(shares, "replayed") === calls - 1,
    `${calls} answers, byte for byte the same: 1 executed, ${calls - 1} replayed, by ${shares.length} instances`
  )
  const tickets = yield* ledger.tickets("Printer")
  yield* prove(tickets === 1 && (yield* ledger.asked) === 1, "one ticket, and the desk was asked for one, once")
  given.set(subject, result)
})
