/**
 * What the callers saw: each operation, each call of it with its answer, and the faults that can have touched it.
 */
import type { Tool } from "@ferrule/core"
import { Effect } from "effect"
import type { Answer, Fleet } from "./Fleet.ts"
import { operationOf, writes } from "./Tools.ts"

export const faults = ["kill", "pause", "restart", "cut", "drop", "clock"] as const

export type Fault = (typeof faults)[number]

export interface Call {
  readonly slot: number
  readonly amount: number
  readonly at: number
  endedAt: number | undefined
  answer: Answer | undefined
}

/** One operation. A call with `other` instead of `amount` means the same operation and differs in what is guarded. */
export interface Key {
  readonly operation: string
  readonly recovery: Tool.Recovery
  readonly tenant: string
  readonly account: string
  readonly amount: number
  readonly other: number
  readonly calls: Array<Call>
  readonly hits: Set<Fault>
}

export interface History {
  readonly keys: ReadonlyArray<Key>
  /** How many calls a process has answered. */
  readonly answered: () => number
  readonly add: (options: Pick<Key, "recovery" | "tenant" | "account" | "amount">) => Key
  readonly call: (slot: number, key: Key, amount: number) => Effect.Effect<Answer>
  /** Notes a fault that touches what is running in these slots. One that `lasts` touches every later call there too. */
  readonly strike: (fault: Fault, slots: ReadonlyArray<number>, lasts?: boolean) => void
  /** Ends a fault that lasts. */
  readonly heal: (fault: Fault, slots: ReadonlyArray<number>) => void
}

export const now = (): number => performance.timeOrigin + performance.now()

export const make = (fleet: Fleet): History => {
  const keys: Array<Key> = []
  let answered = 0
  const running = new Map<Call, Key>()
  const lasting = fleet.slots.map(() => new Set<Fault>())

  return {
    keys,
    answered: () => answered,
    add: (options) => {
      const operation = operationOf(options.tenant, writes[options.recovery].name, options.account)
      const key = { ...options, operation, other: options.amount + 1, calls: [], hits: new Set<Fault>() }
      keys.push(key)
      return key
    },
    call: (slot, key, amount) =>
      Effect.suspend(() => {
        const call: Call = { slot, amount, at: now(), endedAt: undefined, answer: undefined }
        key.calls.push(call)
        running.set(call, key)
        for (const fault of lasting[slot]!) key.hits.add(fault)
        const { account, recovery, tenant } = key
        return Effect.map(fleet.call(slot, { tool: writes[recovery].name, tenant, account, amount }), (answer) => {
          running.delete(call)
          call.endedAt = now()
          call.answer = answer
          if (answer.is !== "cut") answered++
          return answer
        })
      }),
    strike: (fault, slots, lasts = false) => {
      for (const [call, key] of running) if (slots.includes(call.slot)) key.hits.add(fault)
      if (lasts) for (const slot of slots) lasting[slot]!.add(fault)
    },
    heal: (fault, slots) => {
      for (const slot of slots) lasting[slot]!.delete(fault)
    }
  }
}
