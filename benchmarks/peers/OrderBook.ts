/**
 * The system that is written to: it enters an order each time it is asked to, and knows no keys. It can be searched. What
 * becomes of the next requests is up to the case.
 */
import { setTimeout } from "node:timers/promises"

export interface Order {
  readonly reference: string
  readonly cents: number
  readonly [remark: string]: string | number
}

/** An order under the number that it was given: 1 for the first. */
export interface Entry {
  readonly number: number
}

/** What becomes of one request: `enter` makes the entry. */
export type Fate = (enter: () => Entry) => Promise<Entry>

/** The entry is made, and its answer does not get back. */
export const answerLost: Fate = async (enter) => {
  enter()
  throw new Error("The connection was reset")
}

/** The entry takes its time, in milliseconds. */
export const slow =
  (duration: number): Fate =>
  async (enter) => {
    await setTimeout(duration)
    return enter()
  }

export class OrderBook {
  readonly entries: Array<{ readonly tenant: string; readonly reference: string }> = []
  private readonly fates: Array<Fate> = []
  private readonly holds: Array<Hold> = []

  /** The next request meets this fate; those after the last one are entered and answered. */
  next(fate: Fate): void {
    this.fates.push(fate)
  }

  /** The next request stands still, entered or not, until the case goes on with it. */
  holdNext(when: "entered" | "not entered"): Hold {
    const hold = new Hold(when)
    this.holds.push(hold)
    this.next(hold.fate)
    return hold
  }

  async write(tenant: string, { reference }: Order): Promise<Entry> {
    const enter = (): Entry => ({ number: this.entries.push({ tenant, reference }) })
    const fate = this.fates.shift()
    return fate === undefined ? enter() : fate(enter)
  }

  find(tenant: string, { reference }: Order): Entry | undefined {
    const index = this.entries.findIndex((one) => one.tenant === tenant && one.reference === reference)
    return index < 0 ? undefined : { number: index + 1 }
  }

  /** Lets go of requests that a case has left standing, as those of a process that died. */
  close(): void {
    for (const hold of this.holds) hold.fail()
  }
}

/** A request that stands still. */
export class Hold {
  private readonly arrival = Promise.withResolvers<void>()
  private readonly end = Promise.withResolvers<void>()
  private readonly when: "entered" | "not entered"

  constructor(when: "entered" | "not entered") {
    this.when = when
    // It may be let go of before it has come.
    this.end.promise.catch(() => {})
  }

  readonly fate: Fate = async (enter) => {
    const before = this.when === "entered" ? enter() : undefined
    this.arrival.resolve()
    await this.end.promise
    return before ?? enter()
  }

  /** Resolves when the request has come. */
  get reached(): Promise<void> {
    return this.arrival.promise
  }

  succeed(): void {
    this.end.resolve()
  }

  fail(): void {
    this.end.reject(new Error("The connection was reset"))
  }
}
