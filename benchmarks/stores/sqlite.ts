/**
 * SQLite in a file of its own, on the disk that temporary files are on. Raw: `node:sqlite` with the settings and the table
 * of Ferrule's store, and no `SELECT` before the claim.
 */
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { type Measured, Progress, type Window } from "../Load.ts"
import { around, settled } from "./Callers.ts"
import * as Ferrule from "./ferrule.ts"
import { guards, leaseMillis, newKey, newOwner, result, retentionMillis, wrong } from "./Sample.ts"
import type { Opened, Side, Work } from "./Store.ts"

export const open = async (side: Side, durability: "power-loss" | "process"): Promise<Opened> => {
  const folder = mkdtempSync(join(tmpdir(), "ferrule-bench-"))
  const filename = join(folder, "records.db")
  const opened = await (side === "raw"
    ? openRaw(filename, durability)
    : Ferrule.open(SqliteIdempotencyStore.layer({ filename, durability })))
  return {
    run: opened.run,
    close: async () => {
      await opened.close()
      rmSync(folder, { recursive: true })
    }
  }
}

const openRaw = async (filename: string, durability: "power-loss" | "process"): Promise<Opened> => {
  const db = new DatabaseSync(filename)
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === "process" ? "NORMAL" : "FULL"}; ${schema}`)
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const insert = db.prepare(`
    INSERT INTO records (key, state, owner, epoch, guards, lease_until, created_at, expires_at)
    VALUES (?1, 'claimed', ?2, 1, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO NOTHING`)
  const update = db.prepare(`
    UPDATE records SET state = 'settled', result = ?3, settled_at = ?4, lease_until = NULL, expires_at = ?5
    WHERE key = ?1 AND owner = ?2 AND state IN ('claimed', 'unknown')`)
  const select = db.prepare(`
    SELECT state, owner, epoch, guards, created_at, result, settled_at,
      state = 'claimed' AND lease_until <= ?2 AS lapsed
    FROM records WHERE key = ?1 AND expires_at > ?2`)
  // Rows with the names of their columns take longer.
  select.setReturnArrays(true)

  const claim = (key: string, owner: string): void => {
    const time = now()
    const { changes } = insert.run(key, owner, guards, time + leaseMillis, time, time + retentionMillis)
    if (changes !== 1) wrong("not claimed")
  }
  const settle = (key: string, owner: string): void => {
    const time = now()
    if (update.run(key, owner, result, time, time + retentionMillis).changes !== 1) wrong("not settled")
  }
  const first = (key: string): void => {
    const owner = newOwner()
    claim(key, owner)
    settle(key, owner)
  }
  /** As a batch that has come in one turn of the event loop: all claims in one commit, and then all settles. */
  const firsts = (size: number): void => {
    const calls = Array.from({ length: size }, () => ({ key: newKey(), owner: newOwner() }))
    for (const step of [claim, settle]) {
      begin.run()
      for (const { key, owner } of calls) step(key, owner)
      commit.run()
    }
  }
  const replay = (key: string): void => {
    const row: unknown = select.get(key, now())
    if (!Array.isArray(row) || row[5] !== result) wrong("not replayed")
  }

  const keys = await settled(async (key) => first(key))
  return {
    run: async (work, window) => run({ first, firsts, replay, next: around(keys) }, work, window),
    close: async () => db.close()
  }
}

interface Calls {
  readonly first: (key: string) => void
  readonly firsts: (size: number) => void
  readonly replay: (key: string) => void
  readonly next: () => string
}

/** Without a client that waits, callers take turns in a loop. */
const run = ({ first, firsts, next, replay }: Calls, work: Work, window: Window): Measured => {
  const progress = new Progress(window)
  while (progress.mayStart()) {
    if (work === "replay") replay(next())
    else if (window.concurrency === 1) first(newKey())
    else {
      let size = 1
      while (size < window.concurrency && progress.mayStart()) size++
      firsts(size)
      progress.calls += size - 1
    }
    progress.calls++
  }
  return progress.measured()
}

const origin = performance.timeOrigin

const now = (): number => Math.floor(origin + performance.now())

const schema = `
CREATE TABLE records (
  key TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  guards TEXT NOT NULL,
  lease_until INTEGER,
  created_at INTEGER NOT NULL,
  result TEXT,
  settled_at INTEGER,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX records_expires_at ON records (expires_at);
`
