import { Effect } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import type { Stage } from "../demo/Stage.ts"

/** The same write again, by the agent and by the connector. */
export const repeats = Effect.fnUntraced(function* (stage: Stage) {
  const { ledger } = stage
  const before = stage.requests()
  const laptops = { debit: "office", credit: "bank", cents: 900_000, reference: "INV-4712", memo: "Laptops" }
  const again = yield* stage.call("adam", "post_entry", laptops)
  yield* check(again.isReplay && again.fields["id"] === "E-2", "the answer is a replay of the first one")
  yield* prove(
    stage.requests() === before && ledger.entries.length === 2,
    "the first result comes from the connector's record; the ledger was not asked, and still has one such entry"
  )

  const other = yield* stage.call("adam", "post_entry", { ...laptops, cents: 950_000 })
  yield* prove(
    other.refusal === "ValidationError" && ledger.entries.length === 2,
    "the same document with another amount is no repeat, and is refused"
  )

  Screen.note("The ledger is about to post an entry, and to drop the connection instead of answering.")
  ledger.misbehave("lose-the-answer")
  const train = { debit: "travel", credit: "bank", cents: 8_900, reference: "TRIP-12", memo: "Train" }
  const asked = stage.requests()
  const { fields } = yield* stage.call("adam", "post_entry", train)
  yield* prove(
    fields["id"] === "E-3" && stage.requests() === asked + 2 && ledger.entries.length === 3,
    "the connector asked twice with one Idempotency-Key, which the ledger recognised: one entry"
  )
})
