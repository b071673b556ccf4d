/**
 * Plays a case with a subject and judges it. All subjects go by the process's `Date`, which stands still and is moved by
 * the case: a pause of ten minutes is one for the process that stood still, whose timers stand still too.
 */
import { mock } from "node:test"
import { type Case, cases, usual } from "./Cases.ts"
import { peer as expressIdempotency } from "./express-idempotency.ts"
import { peers as ferrule } from "./ferrule.ts"
import { peer as nodeIdempotency } from "./node-idempotency.ts"
import { OrderBook } from "./OrderBook.ts"
import type { Answer, Peer } from "./Peer.ts"
import { peer as powertools } from "./powertools.ts"

const peers: ReadonlyArray<Peer> = [...ferrule, powertools, nodeIdempotency, expressIdempotency]

export type Outcome =
  | { readonly verdict: "n/a"; readonly why: string }
  | { readonly verdict: "right" | "WRONG"; readonly entries: number; readonly answers: ReadonlyArray<Answer> }

/** What a subject did in a case. */
export interface Row {
  readonly name: string
  readonly title: string
  readonly outcome: Outcome
}

/** Plays every case with every subject, one after the other. */
export const playAll = async (): Promise<ReadonlyArray<Row>> => {
  const rows: Array<Row> = []
  for (const one of cases) {
    for (const peer of peers) {
      rows.push({ name: one.name, title: peer.title, outcome: await play(peer, one) })
    }
  }
  return rows
}

const play = async (subject: Peer, { entries, name, play, right, setting }: Case): Promise<Outcome> => {
  const why = subject.lacks?.[name]
  if (why !== undefined) return { verdict: "n/a", why }
  mock.timers.enable({ apis: ["Date"], now: 1_790_000_000_000 })
  const book = new OrderBook()
  const service = await subject.open(book, { byContent: false, compares: false, storeLatency: 0, ...setting })
  try {
    const answers = await play({
      book,
      call: (instance, changes) => service.call(instance, { ...usual, ...changes }),
      later: (minutes) => mock.timers.tick(minutes * 60_000)
    })
    const made = book.entries.length
    const isRight =
      entries.includes(made) &&
      answers.length === right.length &&
      answers.every((answer, index) => right[index].includes(answer))
    return { verdict: isRight ? "right" : "WRONG", entries: made, answers }
  } finally {
    book.close()
    await service.close()
    mock.timers.reset()
  }
}
