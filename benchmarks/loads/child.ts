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

export interface Child {
  readonly process: ChildProcess
  /** What it said when it was ready. */
  readonly ready: Record<string, unknown>
  readonly ask: (message: object) => Promise<Record<string, number>>
  /** Rejects when the process ends by itself. */
  readonly died: Promise<never>
  readonly stop: () => void
}

const serve = fileURLToPath(new URL("../serve.ts", import.meta.url))

export const startChild = (mode: string, { name, revision, work }: Subject): Promise<Child> =>
  forkChild(serve, [name, mode, revision, work], `${name} (${mode}, ${revision})`)

/** Starts a script and waits for its first message. */
export const forkChild = async (script: string, args: ReadonlyArray<string>, label: string): Promise<Child> => {
  const child = fork(script, args, {
    execArgv: ["--expose-gc"],
    stdio: ["pipe", "pipe", "pipe", "ipc"]
  })
  let said = ""
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-2000)))
  // Whatever else a server prints would fill the pipe and stop it; over stdio the load reads it.
  if (args[1] !== "stdio") child.stdout!.resume()

  const died = new Promise<never>((_, reject) =>
    child.once("exit", (code) => reject(new Error(`${label} ended with code ${code}\n${said}`)))
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
