/** Runs the real command as a child process. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { text } from "node:stream/consumers"

const main = join(import.meta.dirname, "../src/main.ts")

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
}

/** Runs `ferrule` with these arguments to its end. Standard input is empty unless given. */
export const ferrule = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Ran> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env }
    })
    child.stdin.end(options.stdin ?? "")
    const outputs = Promise.all([text(child.stdout), text(child.stderr)])
    child.once("close", (code) => {
      void outputs.then(([stdout, stderr]) => resume(Effect.succeed({ code, stdout, stderr })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
