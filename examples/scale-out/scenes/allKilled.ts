import { Effect, Fiber, Schedule } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import * as Share from "../show/Share.ts"
import { ticket, type World } from "../show/World.ts"

const subjects = ["VPN: cut off in Oslo", "VPN: cut off in Bergen", "VPN: cut off in Tromsø"]

/** Kills every instance at once, and asks again for all that was given before. */
export const allKilled = Effect.fnUntraced(function* (world: World) {
  const { balancer, callers, given, instances, ledger, messenger } = world
  Screen.note(
    "The messenger sends a mail and takes its time to answer, and the desk is held while three tickets are written. Then " +
      "every instance is killed at once. Their clients are told 503 by the balancer, and repeat their calls."
  )
  messenger.script({ kind: "slow", millis: 1800 })
  const [calls] = yield* ledger.holding(
    Effect.all(
      [
        callers[3].insist("reply_to_ticket", { ticketId: "T-1001", body: "Somebody is on the way." }),
        ...subjects.map((subject, index) => callers[index].insist("create_ticket", ticket(subject)))
      ],
      { concurrency: "unbounded" }
    ),
    Effect.gen(function* () {
      yield* Effect.sync(() => messenger.state().mails.length).pipe(
        Effect.repeat({ until: (mails) => mails === 1, schedule: Schedule.spaced("5 millis") })
      )
      yield* Effect.forEach(instances, ({ kill }) => kill, { concurrency: "unbounded" })
      yield* check(messenger.state().answers.length === 0, "the messenger has not answered yet")
    })
  )
  yield* Effect.forEach(instances, ({ start }) => start, { concurrency: "unbounded" })
  yield* Effect.forEach(instances, ({ name }) => balancer.untilUp(name))
  yield* Fiber.join(calls)

  const { mails, answers } = messenger.state()
  const [tickets, replies] = [yield* ledger.tickets("VPN: "), yield* ledger.replies]
  yield* prove(
    mails.length === 1 && replies === 1,
    `one mail: the messenger was asked ${answers.length} times with one key, and sent it once; one reply on the ticket`
  )
  yield* prove(tickets === 3, "three tickets: what was written was found, and what was not was written")

  const work = Share.since(instances)
  const again = yield* Effect.forEach(
    [...given],
    ([subject, result], index) =>
      Effect.map(callers[index % callers.length].insist("create_ticket", ticket(subject)), (answer) => ({
        ...answer,
        same: answer.result === result
      })),
    { concurrency: 8 }
  )
  Share.print(yield* work.settled(again.length))
  yield* prove(
    again.every(({ same, replayed }) => same && replayed) && (yield* ledger.tickets("")) === again.length + 3,
    `asked again for the ${again.length} tickets of before, processes that remember nothing give the ${again.length} ` +
      "answers of before, to the byte"
  )
})
