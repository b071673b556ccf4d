/**
 * The child process of one side of a store: `node serve.ts <store> <side>`. It says whether it could open the store, then
 * measures or counts what it is asked for, and leaves nothing behind when its parent is done with it or is gone.
 */
import type { Window } from "../Load.ts"
import type { Entry, Opened, Side, Work } from "./Store.ts"
import { count } from "./Trips.ts"

/** What the parent asks for: a window, or how many trips a call makes. */
export type Question = (Window & { readonly work: Work }) | { readonly trips: Work } | { readonly close: true }

const [name, side] = process.argv.slice(2) as [Entry["name"], Side]

const open = async (): Promise<Opened> => {
  switch (name) {
    case "sqlite-power-loss":
      return (await import("./sqlite.ts")).open(side, "power-loss")
    case "sqlite-process":
      return (await import("./sqlite.ts")).open(side, "process")
    case "postgres":
      return (await import("./postgres.ts")).open(side)
    case "redis":
      return (await import("./redis.ts")).open(side)
  }
}

/** What a client says, and what lies behind it. */
const reasonOf = (error: unknown): string => {
  const messages = new Set<string>()
  let at = error
  for (; at instanceof Error; at = at.cause) messages.add(at.message)
  if (at !== undefined) messages.add(String(at))
  return [...messages].join(": ")
}

const reply = (message: object): void => void (process.connected && process.send!(message))

const opened = await open().catch((error: unknown) => {
  reply({ failed: reasonOf(error) })
})
const end = async (): Promise<never> => {
  await opened?.close()
  return process.exit()
}
// The parent may have gone while the store was being opened.
if (!process.connected) await end()
process.on("disconnect", end)
// The terminal sends it to the parent too, and the end of the parent is what counts.
process.on("SIGINT", () => {})
process.on("message", async (question: Question) => {
  if ("close" in question) await end()
  else if ("trips" in question) reply({ trips: await count(opened!, question.trips) })
  else reply(await opened!.run(question.work, question))
})
if (opened !== undefined) reply({ ready: true })
