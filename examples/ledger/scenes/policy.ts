import { Effect } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import type { Stage } from "../demo/Stage.ts"
import * as Table from "../demo/Table.ts"
import { LedgerConnector } from "../tools.ts"

/** Who may call what, and what becomes of who may not. */
export const whoMayWhat = Effect.fnUntraced(function* (stage: Stage) {
  const { rows, rules } = Table.accessOf(LedgerConnector)
  Screen.note(
    "The access matrix, made from the declarations of the tools. A cell has the scope that is needed as well."
  )
  Table.print(rows)
  for (const rule of rules) Screen.note(rule)

  const reads = (yield* stage.tools("olga")).join(", ")
  const all = (yield* stage.tools("adam")).join(", ")
  yield* check(all === "list_entries, read_balance, post_entry, reverse_entry", "an accountant is shown every tool")
  yield* prove(reads === "list_entries, read_balance", `olga is an auditor and is shown ${reads}`)

  const before = stage.requests()
  const args = { debit: "office", credit: "bank", cents: 1, reference: "INV-1", memo: "A pen" }
  const hidden = yield* stage.callHidden("olga", "post_entry", args)
  const absent = yield* stage.callHidden("olga", "drop_tables", args)
  yield* prove(
    hidden.code === -32602 &&
      hidden.message.replace("post_entry", "drop_tables") === absent.message &&
      stage.requests() === before,
    "a tool that she may not use is answered as one that does not exist, and the ledger heard of neither"
  )
})

/** What a clerk may post, and what an accountant has to. */
export const amounts = Effect.fnUntraced(function* (stage: Stage) {
  const paper = { debit: "office", credit: "bank", cents: 12_000, reference: "INV-4711", memo: "Paper" }
  const posted = yield* stage.call("cleo", "post_entry", paper)
  yield* prove(
    posted.fields["id"] === "E-1" && posted.fields["postedBy"] === "cleo" && stage.ledger.entries.length === 1,
    "the ledger has one entry, and knows by its own token that it is cleo's"
  )

  const before = stage.requests()
  const laptops = { debit: "office", credit: "bank", cents: 900_000, reference: "INV-4712", memo: "Laptops" }
  const refused = yield* stage.call("cleo", "post_entry", laptops)
  yield* check(refused.refusal === "AuthorizationError", "the answer is an AuthorizationError")
  yield* prove(
    stage.requests() === before,
    `9,000.00 is more than a clerk posts; requests that the ledger has got: ${before} before, ${stage.requests()} now`
  )

  const done = yield* stage.call("adam", "post_entry", laptops)
  yield* prove(
    done.fields["postedBy"] === "adam" && stage.ledger.entries.length === 2,
    "an accountant posts it, as himself"
  )
})

/** A rate that nobody needs on purpose. */
export const rates = Effect.fnUntraced(function* (stage: Stage) {
  Screen.note("An accountant takes entries back at most three times a minute. An agent has run wild:")
  const ids = stage.ledger.entries.slice(0, 3).map(({ id }) => id)
  for (const entry of ids) yield* stage.call("adam", "reverse_entry", { entry })
  const before = stage.requests()
  const { refusal } = yield* stage.call("adam", "reverse_entry", { entry: "E-4" })
  yield* prove(
    refusal === "TransientError" && stage.requests() === before,
    "the fourth is refused before the ledger hears of it, and says how long to wait"
  )
})
