/**
 * What every subject of the table does: it takes orders at three instances that share one store in memory, and hands each
 * to the order book. All are set to the same times: an attempt has 30 seconds, and a record is kept for a day.
 */
import { DateTime } from "effect"
import { readFileSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import type { Order, OrderBook } from "./OrderBook.ts"

/** One call of a client, with the key that the client has given it. */
export interface Call {
  readonly tenant: string
  readonly key: string
  readonly order: Order
}

/**
 * What a call was answered with. `#1` is the order book's first entry; `running`: another call is at it, try again;
 * `conflict`: an earlier call had the key and another order; `unknown`: nobody can tell what became of an earlier call;
 * `failed`: any other error.
 */
export type Answer = `#${number}` | "running" | "conflict" | "unknown" | "failed"

/** How a case wants a subject to be set up. */
export interface Setting {
  /** Recognise a repeat by the order, where the subject can, and not by the client's key. */
  readonly byContent: boolean
  /** Compare a repeat with the first call, where the subject has to be told to. */
  readonly compares: boolean
  /** How long each step of the store takes, in milliseconds. */
  readonly storeLatency: number
}

export type Instance = 0 | 1 | 2

/** Three instances that are up. */
export interface Service {
  readonly call: (instance: Instance, call: Call) => Promise<Answer>
  readonly close: () => Promise<void>
}

export interface Peer {
  readonly title: string
  readonly open: (book: OrderBook, setting: Setting) => Promise<Service>
  /** By the name of a case: the notion that it needs and that the subject does not have. */
  readonly lacks?: Readonly<Record<string, string>>
}

export const attemptSeconds = 30
export const retentionSeconds = 24 * 60 * 60

/** By the process's `Date`, as the libraries tell the time. */
export const now = (): number => DateTime.toEpochMillis(DateTime.nowUnsafe())

/** What people call a package, with the version that is installed. */
export const titleOf = (name: string, packageName: string): string => {
  const manifest = new URL(`../node_modules/${packageName}/package.json`, import.meta.url)
  return `${name} ${(JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }).version}`
}

/** The way to a store and back. */
export const travel = async (milliseconds: number): Promise<void> => {
  if (milliseconds > 0) await setTimeout(milliseconds)
}
