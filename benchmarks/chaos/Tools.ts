/**
 * The tools under test: one write for each recovery, all of which book an amount to an account.
 */
import { Policy, Principal, Tool } from "@ferrule/core"
import { Schedule, Schema } from "effect"

/** Short, so that a lease lapses within a second and a half. In milliseconds. */
export const timeout = 300

const Account = Schema.String.check(Schema.isBetweenLength(1, 40)).annotate({ description: "The account's name." })
const Amount = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })).annotate({ description: "Cents." })

/** What is booked, and the number under which the ledger has it. */
export const Entry = Schema.Struct({
  account: Account,
  amount: Amount,
  entry: Schema.Int.annotate({ description: "The number that the ledger gave the entry." })
})

export interface Booking {
  readonly account: string
  readonly amount: number
}

const booking = {
  title: "Book an amount",
  description: "Books an amount to an account, once for each account.",
  input: Schema.Struct({ account: Account, amount: Amount }),
  output: Entry,
  allow: Policy.role("clerk"),
  timeout,
  retry: Schedule.spaced("10 millis").pipe(Schedule.upTo({ times: 2 }))
} as const
const identity = ["account"] as const

export const FindEntry = Tool.read("find_entry", {
  title: "Find an entry",
  description: "Finds the entry of an account and changes nothing.",
  input: Schema.Struct({ account: Account }),
  output: Schema.Struct({ entries: Schema.Int.annotate({ description: "How many there are." }) }),
  allow: Policy.role("clerk")
})

export const writes = {
  repeatable: Tool.write("set_amount", { ...booking, idempotency: { identity, recovery: "repeatable" } }),
  "downstream-key": Tool.write("book_keyed", { ...booking, idempotency: { identity, recovery: "downstream-key" } }),
  reconcile: Tool.write("book_found", { ...booking, idempotency: { identity, recovery: "reconcile" } }),
  unknown: Tool.write("book_once", {
    ...booking,
    idempotency: { identity, recovery: "unknown", checkWith: "find_entry" }
  }),
  transactional: Tool.write("book_within", { ...booking, idempotency: { identity, recovery: "transactional" } })
}

export const recoveries = Object.keys(writes) as ReadonlyArray<Tool.Recovery>

export const clerkOf = (tenant: string) => Principal.make({ id: "clerk", tenant, roles: ["clerk"] })

/** What the ledger calls an operation: who does it with which tool to which account. */
export const operationOf = (tenant: string | undefined, tool: string, account: string): string =>
  `${tenant}/${tool}/${account}`
