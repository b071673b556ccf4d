/**
 * Starts the process of a contender and talks to it over the channel that Node gives a parent and its child.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { Load } from "../Load.ts"
import type { Revision, Work } from "../Workload.ts"

/** One contender, at one revision, at one work: what takes a turn in each round. */
export interface Subject {
  readonly name: string
  readonly revision: Revision
  readonly work: Work
}

/** A contender that is up and can be measured. */
export interface Running extends Load {
  /** What the server's process holds, in bytes, once everything that can be collected has been; only over HTTP. */
  readonly memory?: () => Promise<Memory>
  readonly stop: () => void
}

export interface Memory {
  readonly rss: number
  readonly heap: number
}

interface Child {
  readonly process: ChildProcess
  /** What it said when it was ready. */
  readonly ready: Record<string, unknown>
  readonly ask: (message: object) => Promise<Record<string, number>>
  /** Rejects when the process ends by itself. */
  readonly died: Promise<never>
  readonly stop: () => void
}

const serve = fileURLToPath(new URL("../serve.ts", import.meta.url))

export const startChild = async (mode: string, { name, revision, work }: Subject): Promise<Child> => {
  const child = fork(serve, [name, mode, revision, work], {
    execArgv: ["--expose-gc"],
    stdio: ["pipe", "pipe", "pipe", "ipc"]
  })
  let said = ""
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-2000)))
  // Whatever else a server prints would fill the pipe and stop it; over stdio the load reads it.
  if (mode !== "stdio") child.stdout!.resume()

  const died = new Promise<never>((_, reject) =>
    child.once("exit", (code) => reject(new Error(`${name} (${mode}, ${revision}) ended with code ${code}\n${said}`)))
  )
  died.catch(() => {})
  const message = (): Promise<Record<string, number>> =>
    Promise.race([new Promise<Record<string, number>>((received) => child.once("message", received)), died])

  return {
    process: child,
    ready: await message(),
    ask: (question) => {
      const answer = message()
      child.send(question)
      return answer
    },
    died,
    stop: () => void child.kill("SIGKILL")
  }
}
