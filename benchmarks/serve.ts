/**
 * The child process of one contender: `node serve.ts <contender> <mode> <revision> <work>`. It serves over stdio or
 * HTTP, or, in memory, runs the load itself, because a client in another process would need a wire.
 */
import { setImmediate } from "node:timers/promises"
import type { Contender } from "./Contender.ts"
import { type Lines, type Load, openLines, type Window } from "./Load.ts"
import type { Revision, Work } from "./Workload.ts"

const [name, mode, revision, work] = process.argv.slice(2) as [string, string, Revision, Work]
const { contender } = (await import(`./contenders/${name}.ts`)) as { readonly contender: Contender }

const connect = async (): Promise<Load> => {
  const lines: Lines = { send: (text) => send(text), receive: () => {} }
  const send = await contender.connect((text) => lines.receive(text))
  return openLines(lines, revision, work)
}

/** What the process holds once everything that can be collected has been. */
const memory = async (): Promise<{ readonly rss: number; readonly heap: number }> => {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { rss, heap: heapUsed }
}

// A parent that was killed leaves no server behind.
process.on("disconnect", () => process.exit())

const reply = (message: object): void => void process.send!(message)

if (mode === "stdio") {
  await contender.serveStdio()
  reply({ ready: true })
} else if (mode === "http") {
  reply({ ready: true, ...(await contender.serveHttp()) })
  process.on("message", async () => reply(await memory()))
} else {
  const load = await connect()
  reply({ ready: true })
  process.on("message", async (window: Window) => reply(await load.measure(window)))
}
