/**
 * Plays the story of the service desk: a server of its own over HTTP, a client of the official SDK, and an upstream that
 * fails. It prints each exchange, checks what it claims in the desk's own file, and exits with 1, naming the scene, when
 * something is not as it must be.
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Clock, Effect, Fiber, Schedule } from "effect"
import type { DatabaseSync } from "node:sqlite"
import * as Screen from "./demo/Screen.ts"
import { check, make, prove, scene, type Stage } from "./demo/Stage.ts"
import * as World from "./demo/World.ts"

const login = {
  queue: "support",
  subject: "Can't sign in",
  body: "Since this morning my password is refused.",
  requester: "kim@acme.example"
}
const printer = {
  queue: "support",
  subject: "Printer on floor 3 is offline",
  body: "It blinks and prints nothing.",
  requester: "lee@acme.example"
}
const invoice = {
  queue: "billing",
  subject: "Invoice 4711 was paid twice",
  body: "Please send one of the payments back.",
  requester: "sam@acme.example"
}

const malformed = Effect.fnUntraced(function* (stage: Stage) {
  const wrong = { queue: "refunds", subject: "", body: 42, priority: "high" }
  const { refusal, paths, record } = yield* stage.call("ana", "create_ticket", wrong)
  yield* check(refusal === "ValidationError", "the answer is a ValidationError")
  yield* check(paths.join() === "body,priority,queue,requester,subject", "it names the five fields")
  yield* check(record.decision === "invalid" && record.attempts === 0, "nothing was executed")
  yield* prove(stage.count("ticket") === 0, "five faults in one answer, and the desk is untouched")
})

const corrected = Effect.fnUntraced(function* (stage: Stage) {
  const { fields } = yield* stage.call("ana", "create_ticket", login)
  yield* check(fields["id"] === "T-1001", "the ticket is T-1001")
  yield* prove(stage.tickets(login.subject).length === 1, "one row in the desk")
})

const notForYou = Effect.fnUntraced(function* (stage: Stage) {
  const names = (yield* stage.tools("vera")).join(", ")
  Screen.note(`vera is a viewer and is shown ${names}.`)
  yield* check(names === "search_tickets, read_ticket, list_pages", "a viewer is shown the three reads")

  const removal = { ticketId: "T-1001", reason: "Nobody will miss it" }
  const hidden = yield* stage.callHidden("vera", "delete_ticket", removal)
  const absent = yield* stage.callHidden("vera", "drop_tables", removal)
  yield* check(hidden.code === -32602 && absent.code === -32602, "both are refused with -32602")
  yield* check(hidden.record.decision === "hidden", "the audit trail tells them apart")
  yield* check(hidden.message.replace("delete_ticket", "drop_tables") === absent.message, "both are refused alike")
  yield* prove(
    stage.tickets(login.subject).length === 1,
    "the tool that vera may not use is answered as one that does not exist; the ticket is still there"
  )

  const away = { ticketId: "T-1001", version: 1, queue: "billing", assignee: "ben" }
  const { refusal, record } = yield* stage.call("ana", "reassign_ticket", away)
  yield* check(refusal === "AuthorizationError", "the answer is an AuthorizationError")
  yield* check(record.decision === "denied" && record.attempts === 0, "nothing was executed")
  const row = stage.desk.prepare("SELECT queue, version FROM ticket WHERE number = 1001").get()
  yield* prove(
    row?.["queue"] === "support" && row["version"] === 1,
    "ana may reassign, but with these arguments she may not; the ticket has not moved"
  )
})

const flaky = Effect.fnUntraced(function* (stage: Stage) {
  const { messenger } = stage
  Screen.note("The messenger, which sends the mail, is about to answer 429 with Retry-After: 1, and then 503.")
  messenger.script({ kind: "refuse", status: 429, retryAfter: 1 }, { kind: "refuse", status: 503 })
  const busy = yield* stage.call("ana", "reply_to_ticket", { ticketId: "T-1001", body: "We have reset your access." })
  yield* check(messenger.state().answers.join() === "429,503,200", "the messenger was asked three times")
  yield* check(busy.record.duration >= 1000, "the second that it asked for was waited")
  yield* prove(
    busy.record.attempts === 3 && messenger.state().mails.length === 1,
    `429, 503, 200: ${busy.record.attempts} attempts in ${seconds(busy.record.duration)}, one mail`
  )

  Screen.note("Now it is about to send the mail, and to drop the connection instead of answering.")
  messenger.script({ kind: "drop" })
  const cutOff = yield* stage.call("ana", "reply_to_ticket", { ticketId: "T-1001", body: "Does it work now?" })
  yield* check(messenger.state().answers.join() === "429,503,200,0,200", "the messenger was asked twice more")
  yield* prove(
    cutOff.record.attempts === 2 && messenger.state().mails.length === 2 && stage.count("reply") === 2,
    `${cutOff.record.attempts} attempts with one key, which the messenger recognised: this mail, too, was sent once`
  )
})

const unknown = Effect.fnUntraced(function* (stage: Stage) {
  const { messenger } = stage
  const page = { ticketId: "T-1001", summary: "Nobody at Acme can sign in" }
  Screen.note("Pages have no key. The messenger is about to send one, and to drop the connection.")
  messenger.script({ kind: "drop" })
  const first = yield* stage.call("ana", "page_on_call", page)
  yield* check(first.refusal === "OutcomeUnknown", "the answer is OutcomeUnknown")

  const again = yield* stage.ask("ana", "page_on_call", page)
  const record = yield* stage.record
  yield* check(
    again.refusal === "OutcomeUnknown" && record.attempts === 0,
    "a repeat is answered alike and sends nothing"
  )
  const listed = yield* stage.call("ana", "list_pages", { ticketId: "T-1001" })
  yield* prove(
    listed.texts[0].includes("P-1") && messenger.state().pages.length === 1,
    "asked again, it sent nothing; list_pages shows that the page went out: nobody is woken twice"
  )
})

const fiveTimes = Effect.fnUntraced(function* (stage: Stage) {
  Screen.call("ana", "create_ticket", printer)
  Screen.note("... and four times more at the same moment.")
  const five = Array.from({ length: 5 }, () => stage.ask("ana", "create_ticket", printer))
  const answers = yield* Effect.all(five, { concurrency: "unbounded" })
  const records = yield* Effect.all(answers.map(() => stage.record))
  const replayed = records.filter((record) => record.replayed).length
  for (const answer of answers.slice(0, 2)) stage.show(answer, printer)
  yield* check(
    answers.every(({ fields }) => fields["id"] === "T-1002"),
    "all five answers name T-1002"
  )
  yield* check(replayed === 4, "four of them are replays")
  yield* prove(stage.tickets(printer.subject).length === 1, "five answers, one execution, one row in the desk")
})

const killed = Effect.fnUntraced(function* (stage: Stage) {
  // The server waits for the desk's lock until its claim is on disk, and then for the lock of its record of writes until
  // it is dead. So the ticket gets written, and that it was written does not.
  yield* lock(stage.desk)
  const claimless = version(stage.writes)
  Screen.call("ada", "create_ticket", invoice)
  const call = yield* Effect.forkChild(Effect.flip(stage.ask("ada", "create_ticket", invoice)), {
    startImmediately: true
  })
  yield* until("the claim is on disk", () => version(stage.writes) !== claimless)
  yield* lock(stage.writes)
  yield* unlock(stage.desk)
  yield* until("the ticket is in the desk", () => stage.tickets(invoice.subject).length === 1)
  yield* stage.kill
  const killedAt = yield* Clock.currentTimeMillis
  yield* unlock(stage.writes)
  Screen.answer(`No answer: ${(yield* Fiber.join(call)).message}`, true)
  Screen.note(
    "SIGKILL hit after the ticket was written and before that was recorded. A new server opens the same files."
  )
  yield* stage.restart

  const earlier = yield* stage.call("ana", "create_ticket", printer)
  yield* check(earlier.record.replayed && earlier.fields["id"] === "T-1002", "the answer is a replay with T-1002")
  yield* prove(
    stage.tickets(printer.subject).length === 1,
    "the write of scene F, once more: answered from its record, still one row"
  )

  const found = yield* stage.call("ada", "create_ticket", invoice)
  const waited = (yield* Clock.currentTimeMillis) - killedAt
  yield* check(found.fields["id"] === "T-1003" && found.record.attempts === 0, "T-1003 was found and not written again")
  yield* prove(
    stage.tickets(invoice.subject).length === 1,
    `the interrupted write, once more: ${seconds(waited)} after the kill it was found in the desk; one row`
  )
})

const play = Effect.gen(function* () {
  const began = yield* Clock.currentTimeMillis
  Screen.title("A support desk as an MCP connector: revision 2026-07-28 over HTTP, SQLite, and an upstream that fails")
  const stage = make(yield* World.make)
  Screen.note(`The service desk is a process of its own at ${stage.url.href}. Each person has a bearer token.`)

  yield* scene("A", "A malformed call", malformed(stage))
  yield* scene("B", "The same call, corrected", corrected(stage))
  yield* scene("C", "A viewer who deletes, and an agent who reaches too far", notForYou(stage))
  yield* scene("D", "An upstream that fails", flaky(stage))
  yield* scene("E", "An outcome that nobody can know", unknown(stage))
  yield* scene("F", "The same write, five times at once", fiveTimes(stage))
  yield* scene("G", "A server killed in the middle of a write", killed(stage))

  Screen.summary([
    "Every fault of a call is named in one answer, and nothing runs until the call is valid and allowed.",
    "What a caller may not use looks to it as if it did not exist.",
    "What may pass is retried within bounds, and what cannot be known is said.",
    `${stage.count("ticket")} tickets, created by 9 calls and through a SIGKILL, are ${stage.count("ticket")} rows. All in ${seconds((yield* Clock.currentTimeMillis) - began)}.`
  ])
})

const seconds = (millis: number) => `${(millis / 1000).toFixed(1)} s`

const lock = (db: DatabaseSync) => Effect.sync(() => db.exec("BEGIN IMMEDIATE"))
const unlock = (db: DatabaseSync) => Effect.sync(() => db.exec("ROLLBACK"))

/** Changes when another process has committed to the file. */
const version = (db: DatabaseSync) => db.prepare("PRAGMA data_version").get()?.["data_version"]

const until = (what: string, holds: () => boolean) =>
  Effect.sync(holds).pipe(
    Effect.repeat({
      until: (held) => held,
      schedule: Schedule.spaced("2 millis").pipe(Schedule.upTo({ duration: "2 seconds" }))
    }),
    Effect.flatMap((held) => check(held, `within two seconds, ${what}`))
  )

runMain(
  Effect.scoped(play).pipe(
    Effect.tapError((error) =>
      Effect.sync(() =>
        Screen.failed(
          error._tag === "SceneError" ? `Scene ${error.scene}` : "The start",
          error._tag === "SceneError" ? error.why : error.message
        )
      )
    )
  ),
  { disableErrorReporting: true }
)
