/**
 * Programs that run beside this one and end with it, whatever ends it: by their scope, by this process's exit, and on
 * Linux also where this process is killed.
 */
import { Deferred, Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"

export interface Program {
  readonly signal: (name: "SIGTERM" | "SIGKILL" | "SIGSTOP" | "SIGCONT") => void
  /** Returns how the program ended, such as "code 0" or "SIGKILL", once it has. */
  readonly ended: Effect.Effect<string>
  /** The last that it wrote to its standard error. */
  readonly lastWords: () => string
}

export interface Options {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** Gets each line that the program writes to its standard error. */
  readonly onLine?: (line: string) => void
}

export const start = ({ command, args, env, onLine }: Options) =>
  Effect.acquireRelease(
    Effect.sync((): Program => {
      const [file, ...rest] = [...bound, command, ...args]
      const child = spawn(file, rest, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] })
      running.add(child)
      const ended = Deferred.makeUnsafe<string>()
      const said: Array<string> = []
      const end = (how: string) => {
        running.delete(child)
        Deferred.doneUnsafe(ended, Effect.succeed(how))
      }
      child.once("error", (error) => end(error.message))
      child.once("close", (code, signal) => end(signal ?? `code ${code}`))
      createInterface({ input: child.stderr }).on("line", (line) => {
        said.push(line)
        if (said.length > 5) said.shift()
        onLine?.(line)
      })
      return {
        signal: (name) => void child.kill(name),
        ended: Deferred.await(ended),
        lastWords: () => said.join("\n")
      }
    }),
    (program) => {
      program.signal("SIGKILL")
      return program.ended
    }
  )

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

// The kernel kills the program when this process is gone. Elsewhere a SIGKILL of this process would leave it behind.
const bound = process.platform === "linux" ? ["setpriv", "--pdeathsig", "KILL", "--"] : []
