/**
 * What each tool does. A handler gets decoded arguments from an authorized caller, and runs once for each operation.
 */
import { Effect } from "effect"
import { Ledger } from "./Ledger.ts"
import { LedgerConnector } from "./tools.ts"

export const LedgerHandlers = LedgerConnector.toLayer(
  Effect.gen(function* () {
    const ledger = yield* Ledger
    return LedgerConnector.of({
      list_entries: ({ limit = 10, ...query }) => ledger.list({ limit, ...query }),
      read_balance: ({ account }) => ledger.balance(account),
      post_entry: (entry) => ledger.post(entry),
      reverse_entry: ({ entry }) => ledger.reverse(entry)
    })
  })
)
