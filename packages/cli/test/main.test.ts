import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { ferrule } from "./ferrule.ts"

describe("a command that is given wrongly says what is wrong and exits with 2", { concurrent: true }, () => {
  const says = (args: ReadonlyArray<string>, stderr: string) =>
    it.live(["ferrule", ...args].join(" "), () =>
      Effect.map(ferrule(args), (ran) => assert.deepStrictEqual(ran, { code: 2, stdout: "", stderr }))
    )
  says(
    ["audit", "tools.ts", "--jsn", "-"],
    "Unrecognized flag: --jsn in command ferrule audit. Did you mean --json\nferrule audit --help says what it takes.\n"
  )
  says(["audit"], "Missing required argument: target\nferrule audit --help says what it takes.\n")
  says(["adit"], 'Unknown subcommand "adit" for "ferrule". Did you mean audit\nferrule --help says what it takes.\n')
})

describe("what only tells exits with 0", { concurrent: true }, () => {
  for (const args of [[], ["--help"], ["audit", "--help"], ["--version"], ["--completions", "bash"]]) {
    it.live(["ferrule", ...args].join(" "), () =>
      Effect.gen(function* () {
        const { code, stderr, stdout } = yield* ferrule(args)
        assert.deepStrictEqual([code, stderr], [0, ""])
        assert.isNotEmpty(stdout)
      })
    )
  }
})

it("an older Node gets a sentence, before anything that it lacks is imported", () => {
  const older = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })`
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", `data:text/javascript,${older}`, join(import.meta.dirname, "../src/main.ts"), "--version"],
    { encoding: "utf8" }
  )
  assert.strictEqual(
    stderr,
    "ferrule runs on Node 22.18 or newer, which also runs the TypeScript of a connector as it is. This is Node 20.20.2.\n"
  )
  assert.strictEqual(status, 2)
})
