/** Claude Code's own validator: the one that `CLAUDE_CODE` names, or that is on the path. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { text } from "node:stream/consumers"

/** Its path, or undefined on a machine without it. */
export const claude: string | undefined = [
  process.env["CLAUDE_CODE"] ?? "",
  ...(process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "claude"))
].find((path) => path !== "" && existsSync(path))

/** Runs a program to its end, with a home of its own and without the network's extras. */
export const run = (program: string, args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly code: number | null; readonly output: string }>((resume) => {
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env["PATH"],
        HOME: tmpdir(),
        CLAUDE_CONFIG_DIR: join(tmpdir(), "ferrule-claude"),
        TERM: "dumb",
        DISABLE_AUTOUPDATER: "1",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1"
      }
    })
    const output = text(child.stdout)
    child.once("close", (code) => void output.then((output) => resume(Effect.succeed({ code, output }))))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
