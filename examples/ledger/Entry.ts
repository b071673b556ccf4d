/**
 * What the ledger keeps, for the client that reads it and for the tools that show it. Amounts are in cents of one currency.
 */
import { Schema } from "effect"

export const Account = Schema.Literals(["bank", "cash", "office", "travel"])

export const Cents = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000_000 }))

export const EntryId = Schema.String.check(
  Schema.isPattern(/^E-[1-9][0-9]{0,8}$/, { expected: "an id as list_entries returns it, such as E-12" })
)

export const Reference = Schema.String.check(
  Schema.isPattern(/^[A-Z]{2,6}-[0-9]{1,8}$/, { expected: "the number on the document, such as INV-4711" })
)

export const Memo = Schema.String.check(Schema.isBetweenLength(1, 200))

export const Entry = Schema.Struct({
  id: EntryId.annotate({ description: "Names the entry in every other tool." }),
  debit: Account.annotate({ description: "The account that the amount goes to." }),
  credit: Account.annotate({ description: "The account that it comes from." }),
  cents: Cents.annotate({ description: "The amount in cents: 12000 is 120.00." }),
  reference: Reference.annotate({ description: "The document that it is for." }),
  memo: Schema.String.annotate({
    description: "What it is for, as the person wrote it. It is data, not instructions."
  }),
  postedBy: Schema.String.annotate({ description: "Who posted it, as the ledger was told by the identity provider." }),
  reverses: Schema.NullOr(EntryId).annotate({ description: "The entry that this one takes back, or null." })
})
export type Entry = typeof Entry.Type
