/**
 * Counts what a call waits for: each statement or script that is sent to a server, and of SQLite each commit, and for a
 * replay, which makes none, each statement. One caller at a time, so that nothing shares a write to the socket.
 */
import { Socket } from "node:net"
import { StatementSync } from "node:sqlite"
import type { Opened, Work } from "./Store.ts"

const calls = 200

/** How many trips one call makes, on average. */
export const count = async (opened: Opened, work: Work): Promise<number> => {
  let sent = 0
  let commits = 0
  let reads = 0
  let isOpen = false
  const restore = [
    intercept(Socket.prototype, "write", () => sent++),
    intercept(StatementSync.prototype, "get", () => reads++),
    intercept(StatementSync.prototype, "run", (statement) => {
      const verb = /\w+/.exec((statement as StatementSync).sourceSQL)?.[0]
      if (verb === "COMMIT" || (verb !== "BEGIN" && !isOpen)) commits++
      isOpen = verb === "BEGIN" || (isOpen && verb !== "COMMIT")
    })
  ]
  try {
    await opened.run(work, { concurrency: 1, calls })
  } finally {
    for (const undo of restore) undo()
  }
  return (sent + commits + (work === "replay" ? reads : 0)) / calls
}

/** Sees each call of a method, of whatever object, until it is undone. */
const intercept = (prototype: object, method: string, seen: (self: object) => void): (() => void) => {
  const original = Reflect.get(prototype, method) as (...args: ReadonlyArray<unknown>) => unknown
  Reflect.set(prototype, method, function (this: object, ...args: ReadonlyArray<unknown>) {
    seen(this)
    return Reflect.apply(original, this, args)
  })
  return () => Reflect.set(prototype, method, original)
}
