/**
 * What goes wrong around a write every day, one case each: what happens, and what is right. Where a subject can't give the
 * result, a refusal is right too, if it is true: nothing is `running` in a process that died.
 */
import { answerLost, type Hold, type OrderBook, slow } from "./OrderBook.ts"
import type { Answer, Call, Instance, Setting } from "./Peer.ts"

/** What a case acts on. */
export interface Stage {
  readonly book: OrderBook
  readonly call: (instance: Instance, changes?: Partial<Call>) => Promise<Answer>
  /** Moves the one clock that all subjects go by. */
  readonly later: (minutes: number) => void
}

export interface Case {
  readonly name: string
  readonly story: string
  /** How many entries in the order book are right. */
  readonly entries: ReadonlyArray<number>
  /** Which answers are right, for each call in its order. */
  readonly right: ReadonlyArray<ReadonlyArray<Answer>>
  readonly setting?: Partial<Setting>
  readonly play: (stage: Stage) => Promise<ReadonlyArray<Answer>>
}

const order = { reference: "A-1", cents: 1250 }

/** The call of every case, unless it changes it. */
export const usual: Call = { tenant: "acme", key: "0b6f9f6e-1c39-4a3a-9d2b", order }

/** Far past an attempt's 30 seconds and every lease, and well within the day for which a record is kept. */
const pause = 10

/** Starts a call and comes back when its request stands still at the order book. */
const standing = async (hold: Hold, answer: Promise<Answer>): Promise<() => Promise<Answer>> => {
  await Promise.race([hold.reached, answer])
  return () => answer
}

export const cases: ReadonlyArray<Case> = [
  {
    name: "error after the effect",
    story: "The entry is made, its answer is lost, and the handler throws. The client repeats the call twice.",
    entries: [1],
    right: [
      ["failed", "unknown"],
      ["#1", "failed", "unknown"],
      ["#1", "failed", "unknown"]
    ],
    play: async ({ book, call, later }) => {
      const answers: Array<Answer> = []
      for (const instance of [0, 1, 0] as const) {
        book.next(answerLost)
        answers.push(await call(instance))
        later(pause)
      }
      return answers
    }
  },
  {
    name: "stale holder fails",
    story: "The first call stands still before its entry, the second comes, the first fails, the third comes.",
    entries: [0, 1],
    right: [
      ["failed", "unknown", "#1"],
      ["#1", "unknown", "running"],
      ["#1", "unknown", "failed"]
    ],
    play: async ({ book, call, later }) => {
      const hold = book.holdNext("not entered")
      const first = await standing(hold, call(0))
      later(pause)
      const second = await call(1)
      hold.fail()
      return [await first(), second, await call(1)]
    }
  },
  {
    name: "stale holder succeeds",
    story: "The first call stands still after its entry, the second comes, the first succeeds, the third comes.",
    entries: [1],
    right: [["#1"], ["#1", "unknown", "running"], ["#1"]],
    play: async ({ book, call, later }) => {
      const hold = book.holdNext("entered")
      const first = await standing(hold, call(0))
      later(pause)
      const second = await call(1)
      hold.succeed()
      return [await first(), second, await call(1)]
    }
  },
  {
    name: "stale holder writes",
    story: "The first call stands still before its entry, the second comes, the first goes on, the third comes.",
    entries: [1],
    right: [["#1"], ["#1", "unknown", "running"], ["#1"]],
    play: async ({ book, call, later }) => {
      const hold = book.holdNext("not entered")
      const first = await standing(hold, call(0))
      later(pause)
      const second = await call(1)
      hold.succeed()
      return [await first(), second, await call(1)]
    }
  },
  {
    name: "ten at once",
    story: "Ten identical calls come at once. A step of the store takes 100 ms, and the entry 300 ms.",
    entries: [1],
    right: Array.from({ length: 10 }, () => ["#1", "running"] as const),
    setting: { storeLatency: 100 },
    play: async ({ book, call }) => {
      book.next(slow(300))
      const ten = Array.from({ length: 10 }, (_, index) => call(index % 2 === 0 ? 0 : 1))
      return (await Promise.all(ten)).sort()
    }
  },
  {
    name: "after the retention",
    story: "The entry is made. When its record is over, two identical calls come at once.",
    entries: [2],
    right: [["#1"], ["#2", "running"], ["#2", "running"]],
    play: async ({ call, later }) => {
      const first = await call(0)
      later(25 * 60)
      return [first, ...(await Promise.all([call(0), call(1)])).sort()]
    }
  },
  {
    name: "after a lapse",
    story: "A process dies before its entry. Two identical calls come at once, and then one more.",
    entries: [0, 1],
    right: [
      ["#1", "unknown", "running"],
      ["#1", "unknown", "running"],
      ["#1", "unknown"]
    ],
    play: async ({ book, call, later }) => {
      const hold = book.holdNext("not entered")
      await standing(hold, call(0))
      later(pause)
      const both = await Promise.all([call(1), call(2)])
      later(pause)
      return [...both.sort(), await call(1)]
    }
  },
  {
    name: "another tenant",
    story: "Another tenant has the same key and the same order.",
    entries: [2],
    right: [["#1"], ["#2"], ["#1"]],
    play: async ({ call }) => [await call(0), await call(0, { tenant: "bolt" }), await call(0)]
  },
  {
    name: "reordered JSON",
    story: "The repeat has the same fields in another order.",
    entries: [1],
    right: [["#1"], ["#1"]],
    setting: { byContent: true },
    play: async ({ call }) => [await call(0), await call(0, { order: { cents: 1250, reference: "A-1" } })]
  },
  {
    name: "reordered, case",
    story: "The repeat has the same fields in another order, two of them with names that differ in case only.",
    entries: [1],
    right: [["#1"], ["#1"]],
    setting: { byContent: true },
    play: async ({ call }) => [
      await call(0, { order: { ...order, remark: "x", Remark: "y" } }),
      await call(0, { order: { ...order, Remark: "y", remark: "x" } })
    ]
  },
  {
    name: "other order in flight",
    story: "While the first call is under way, the same key comes with another price.",
    entries: [1],
    right: [["#1"], ["conflict"]],
    setting: { compares: true },
    play: async ({ book, call }) => {
      const hold = book.holdNext("entered")
      const first = await standing(hold, call(0))
      const second = await call(1, { order: { ...order, cents: 9900 } })
      hold.succeed()
      return [await first(), second]
    }
  },
  {
    name: "crash in the middle",
    story: "A process dies after its entry, before anybody hears of it. The client repeats the call twice.",
    entries: [1],
    right: [
      ["#1", "unknown"],
      ["#1", "unknown"]
    ],
    play: async ({ book, call, later }) => {
      const hold = book.holdNext("entered")
      await standing(hold, call(0))
      later(pause)
      const second = await call(1)
      later(pause)
      return [second, await call(1)]
    }
  },
  {
    name: "identical repeat",
    story: "The call is repeated as it was, and the subject compares the two.",
    entries: [1],
    right: [["#1"], ["#1"]],
    setting: { compares: true },
    play: async ({ call }) => [await call(0), await call(1)]
  }
]
