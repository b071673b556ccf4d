/**
 * The callers: many at once in each process, all after the same few operations, some with arguments that differ.
 */
import type { Tool } from "@ferrule/core"
import { Effect, Fiber } from "effect"
import type { Dice } from "./Dice.ts"
import type { Fleet } from "./Fleet.ts"
import { type History, type Key, now } from "./History.ts"

export interface Options {
  readonly fleet: Fleet
  readonly history: History
  readonly dice: Dice
  readonly recovery: Tool.Recovery
  /** Begins the names of accounts, so that no two rounds share one. */
  readonly name: string
  /** How many callers each process has, and how many operations they are after at a time. */
  readonly callers: number
  readonly operations: number
}

/** The share of calls that differ in what is guarded, and of calls to operations that are no longer hot. */
const conflicting = 0.05
const belated = 0.05
/** How old an operation gets that does not end, in milliseconds. */
const longest = 8000

/** Starts the callers. The effect that it returns stops them, and waits for the calls that still run. */
export const start = Effect.fnUntraced(function* (options: Options) {
  const { dice, fleet, history, recovery } = options
  let stopping = false
  let accounts = 0
  let twin: string | undefined

  // Some accounts exist for two tenants, whose operations have nothing to do with each other.
  const add = (): Hot => {
    const account = twin ?? `${options.name}-${++accounts}`
    const tenant = twin === undefined ? "north" : "south"
    twin = twin === undefined && dice.chance(0.25) ? account : undefined
    const amount = 2 * Math.floor(dice.between(1, 5000)) - 1
    return {
      key: history.add({ recovery, tenant, account, amount }),
      until: now() + longest,
      left: dice.between(3, 12)
    }
  }
  const hot = Array.from({ length: options.operations }, add)
  const old: Array<Key> = []

  const one = (slot: number) =>
    Effect.gen(function* () {
      const index = Math.floor(dice.between(0, hot.length))
      const current = hot[index]!
      const again = old.length > 0 && dice.chance(belated)
      const key = again ? dice.pick(old) : current.key
      const answer = yield* history.call(slot, key, dice.chance(conflicting) ? key.other : key.amount)
      if (!again && answer.is !== "transient" && answer.is !== "cut") current.left--
      if (hot[index] === current && (current.left <= 0 || now() > current.until)) {
        hot[index] = add()
        if (old.push(current.key) > 300) old.shift()
      }
      yield* Effect.sleep(dice.between(1, 8))
    })

  const fibers = yield* Effect.forEach(
    fleet.slots.flatMap((slot) => Array.from({ length: options.callers }, () => slot)),
    (slot) => Effect.forkScoped(Effect.whileLoop({ while: () => !stopping, body: () => one(slot), step: () => {} }))
  )
  return Effect.suspend(() => {
    stopping = true
    return Effect.asVoid(Effect.timeoutOption(Fiber.joinAll(fibers), "20 seconds"))
  })
})

interface Hot {
  readonly key: Key
  readonly until: number
  left: number
}

/** How long after the last fault an operation may take to come to an end: its lease, and time to notice. */
const grace = 6000

/** Asks once more for every operation, until it has come to an end. What has not is seen in its last answer. */
export const sweep = ({ callers, fleet, history }: Options): Effect.Effect<void> => {
  const deadline = now() + grace
  const end = Effect.fnUntraced(function* (key: Key, slot: number) {
    let amount = key.amount
    for (;;) {
      const answer = yield* history.call(slot, key, amount)
      if (answer.is === "conflict" && amount === key.amount) amount = key.other
      else if (answer.is !== "transient" || now() > deadline) return
      else yield* Effect.sleep("50 millis")
    }
  })
  return Effect.forEach(history.keys, (key, index) => end(key, index % fleet.slots.length), {
    concurrency: callers * fleet.slots.length,
    discard: true
  })
}
