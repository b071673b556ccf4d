/**
 * The grammar of what a connection carries: requests around messages, up to two changes to each, and how the bytes arrive.
 */
import * as fc from "fast-check"
import { headerChanges } from "./HttpHeaders.ts"
import { lineChanges } from "./HttpLines.ts"
import { type Change, type HttpRequest, plain } from "./HttpRequest.ts"
import { type Message, messages } from "./MessageCases.ts"

/** What a connection carries, and how: `cut` leaves after that part of the bytes, `halfClose` says that no more will come. */
export interface HttpCase {
  readonly requests: ReadonlyArray<HttpRequest>
  readonly delivery: Delivery
  /** The category that the report counts it under. */
  readonly category: string
}

export type Delivery =
  | { readonly kind: "at once" }
  | { readonly kind: "in pieces"; readonly pieces: number }
  | { readonly kind: "cut"; readonly at: number; readonly halfClose: boolean }

export type MakeHttpCase = (note: string) => HttpCase
const httpChange = fc.oneof({ weight: 14, arbitrary: headerChanges }, { weight: 5, arbitrary: lineChanges })

const request = (giants: number) =>
  fc
    .record({
      message: messages(giants),
      changes: fc.oneof(
        { weight: 3, arbitrary: fc.constant<ReadonlyArray<Change>>([]) },
        {
          weight: 4,
          arbitrary: fc.array(httpChange, { minLength: 1, maxLength: 2 }) as fc.Arbitrary<ReadonlyArray<Change>>
        }
      )
    })
    .map(({ message, changes }): ((note: string) => HttpRequest) => (note) => {
      const made = changes.reduce((request, [, apply]) => apply(request), plain(message(note)))
      return { ...made, changes: [...made.changes, ...changes.map(([level]) => level)] }
    })

const delivery = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Delivery>({ kind: "at once" }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(2, 3, 10, 40).map((pieces): Delivery => ({ kind: "in pieces", pieces }))
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), halfClose: fc.boolean() })
      .map((cut): Delivery => ({ kind: "cut", ...cut }))
  }
)

/** `giants` says how many messages in a thousand are of sizes around the limit. */
export const httpCases = (giants: number): fc.Arbitrary<MakeHttpCase> =>
  fc
    .record({
      requests: fc.oneof(
        { weight: 9, arbitrary: fc.array(request(giants), { minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.array(request(0), { minLength: 2, maxLength: 5 }) }
      ),
      delivery
    })
    .map(({ requests, delivery }): MakeHttpCase => (note) => {
      const all = requests.map((make, index) => make(index === 0 ? note : `${note}.${index}`))
      // What a client sends along with a request for an upgrade, Node takes for the other protocol and drops.
      const last = all.findIndex(({ changes }) => changes.includes("upgrade"))
      const made = last === -1 ? all : all.slice(0, last + 1)
      return { requests: made, delivery, category: categoryOf(made, delivery) }
    })

const categoryOf = (requests: ReadonlyArray<HttpRequest>, { kind }: Delivery): string =>
  requests.length > 1
    ? "pipelined"
    : kind === "cut"
      ? "left half-way"
      : (requests[0]?.changes.at(-1) ?? "nothing changed")

/** A single request that is right in all respects. */
export const httpProbe = (message: Message): HttpCase => ({
  requests: [plain(message)],
  delivery: { kind: "at once" },
  category: "probe"
})
