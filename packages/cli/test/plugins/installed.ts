/** A plugin as its users have it: made by the command, and installed in Claude Code from the marketplace that its folder is. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { claude, type Environment, run } from "../claude.ts"
import { ferrule } from "../ferrule.ts"

const licence = join(import.meta.dirname, "../../../../LICENSE")

/** A folder until the scope closes. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-plugin-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Makes a plugin of this name with `ferrule plugin` and these flags, some of them several times, and gives its folder. */
export const packed = Effect.fnUntraced(function* (
  name: string,
  module: string,
  flags: Readonly<Record<string, string | ReadonlyArray<string>>>
) {
  const folder = join(yield* temporary, name)
  const all = {
    ...flags,
    name,
    out: folder,
    author: "Acme <desk@acme.example>",
    license: "MIT",
    "license-file": licence,
    "privacy-url": "https://acme.example/privacy"
  }
  const args = Object.entries(all).flatMap(([flag, values]) => [values].flat().flatMap((value) => [`--${flag}`, value]))
  const { code, stderr } = yield* ferrule(["plugin", module, ...args])
  assert.strictEqual(code, 0, stderr)
  return folder
})

/** What whoever installs a plugin answers, by the names of its `userConfig`. */
export type Answers = Readonly<Record<string, string>>

/** Runs Claude Code, which has to be there, and fails with what it said when it can't do what it was asked. */
export const claudeCode = Effect.fnUntraced(function* (env: Environment, args: ReadonlyArray<string>, stdin?: string) {
  assert.isDefined(claude, "Claude Code is needed: CLAUDE_CODE=$(.ci/claude-code) installs it and says where it is")
  const { code, errors, output } = yield* run(claude!, args, env, stdin)
  assert.strictEqual(code, 0, output + errors)
  return output
})

/** Installs a plugin for the user whose environment it is. */
export const install = Effect.fnUntraced(function* (env: Environment, folder: string, answers: Answers = {}) {
  yield* claudeCode(env, ["plugin", "validate", folder, "--strict"])
  yield* claudeCode(env, ["plugin", "marketplace", "add", folder])
  const config = Object.entries(answers).flatMap(([key, value]) => ["--config", `${key}=${value}`])
  yield* claudeCode(env, ["plugin", "install", idOf(folder), ...config])
})

/** Answers again, as a user does who gave a wrong answer. */
export const answerAgain = (env: Environment, folder: string, answers: Answers) =>
  claudeCode(env, ["plugin", "configure", idOf(folder), "--values-stdin"], JSON.stringify(answers))

const idOf = (folder: string): string => {
  const { name, plugins } = JSON.parse(readFileSync(join(folder, ".claude-plugin/marketplace.json"), "utf8"))
  return `${plugins[0].name}@${name}`
}

/** What `claude mcp list` says of the plugin's server, the only one that there is. */
export const stateOf = Effect.fnUntraced(function* (env: Environment, folder: string) {
  const listed = yield* claudeCode(env, ["mcp", "list"])
  const states = [...listed.matchAll(/^plugin:(?<plugin>[\w-]+):\S+: .+ - (?<state>\S .+)$/gm)].map(
    ({ groups }) => groups
  )
  assert.deepStrictEqual(
    states.map((found) => found?.["plugin"]),
    [basename(folder)],
    listed
  )
  return states[0]!["state"]!
})

/**
 * Signs in to the plugin's server in a terminal, where Claude Code prints the address to open; `browse` does what the user's
 * browser does with it. Gives what was shown.
 */
export const signIn = (
  env: Environment,
  folder: string,
  server: string,
  browse: (address: URL) => Promise<unknown>
): Effect.Effect<string, unknown> =>
  Effect.callback((resume) => {
    const login = `${claude} mcp login --no-browser plugin:${basename(folder)}:${server}`
    const terminal = spawn("script", ["--quiet", "--return", "--command", login, "/dev/null"], { env })
    let shown = ""
    let opened = false
    terminal.stdout.setEncoding("utf8").on("data", (text: string) => {
      shown += text
      if (opened || !shown.includes("Waiting for authorization")) return
      opened = true
      const address = /https?:\/\/[\w.:-]+\/auth\?[\w=&%.~+-]+/.exec(shown)?.[0] ?? ""
      browse(new URL(address)).catch((cause) => resume(Effect.fail(cause)))
    })
    terminal.once("close", () => resume(Effect.succeed(shown)))
    return Effect.sync(() => terminal.kill("SIGKILL"))
  })
