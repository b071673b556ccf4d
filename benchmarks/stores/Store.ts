/**
 * What is measured of a store: a first call (claim and settle) and a replay (the claim that finds the result), by Ferrule's
 * store and by the raw client that issues the fewest statements for the same protocol. Each side of a store lives in its
 * own process.
 */
import type { Measured, Window } from "../Load.ts"

export const works = ["first", "replay"] as const

export type Work = (typeof works)[number]

export const sides = ["ferrule", "raw"] as const

export type Side = (typeof sides)[number]

export interface Entry {
  /** What the child process is told. */
  readonly name: "sqlite-power-loss" | "sqlite-process" | "postgres" | "redis"
  readonly title: string
  /** What the raw side does at concurrency 1 and at 64. */
  readonly raw: string
  /** The variable that says where its server is. */
  readonly server?: string
}

const transactions = "a commit per statement; at 64, one per 64 claims or settles"

/** The stores in the order in which they take turns. */
export const entries: ReadonlyArray<Entry> = [
  { name: "sqlite-power-loss", title: "SQLite, power-loss", raw: transactions },
  { name: "sqlite-process", title: "SQLite, process", raw: transactions },
  {
    name: "postgres",
    title: "PostgreSQL",
    raw: "@effect/sql-pg, two prepared statements, a pool of 10",
    server: "FERRULE_TEST_POSTGRES"
  },
  {
    name: "redis",
    title: "Redis",
    raw: "redis, two scripts by EVALSHA, one connection",
    server: "FERRULE_TEST_REDIS"
  }
]

/** One side of a store that is open. */
export interface Opened {
  /** Runs callers, of whom each begins its next call when its last one is done, and checks every answer. */
  readonly run: (work: Work, window: Window) => Promise<Measured>
  readonly close: () => Promise<void>
}

/** The least that a protocol with a claim before and a settle after the write can do with. */
export const floor: Record<Work, number> = { first: 2, replay: 1 }
