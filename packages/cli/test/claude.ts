/**
 * Claude Code: the one that `CLAUDE_CODE` names, or that is on the path. It runs with a home of its own, without a login and
 * without what it would ask its maker for.
 */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { text } from "node:stream/consumers"

/** Its path, or undefined on a machine without it. */
export const claude: string | undefined = [
  process.env["CLAUDE_CODE"] ?? "",
  ...(process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "claude"))
].find((path) => path !== "" && existsSync(path))

export type Environment = Readonly<Record<string, string>>

/** The environment of somebody who uses Claude Code, whose home this is. The Node that runs the tests is the first on the path. */
export const environmentAt = (home: string): Environment => ({
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
  HOME: home,
  CLAUDE_CONFIG_DIR: join(home, ".claude"),
  TERM: "dumb",
  DISABLE_AUTOUPDATER: "1",
  DISABLE_TELEMETRY: "1",
  DISABLE_ERROR_REPORTING: "1",
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1"
})

export interface Ran {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Runs a program to its end, with nothing of the environment but what is given. */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  env: Environment = environmentAt(join(tmpdir(), "ferrule-claude")),
  stdin = ""
) =>
  Effect.callback<Ran>((resume) => {
    const child = spawn(program, args, { env })
    child.stdin.end(stdin)
    const outputs = Promise.all([text(child.stdout), text(child.stderr)])
    child.once("close", (code) => {
      void outputs.then(([output, errors]) => resume(Effect.succeed({ code, output, errors })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
