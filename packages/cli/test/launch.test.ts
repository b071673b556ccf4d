import { assert, describe, it } from "@effect/vitest"
import * as launch from "../src/plugin/launch.ts"

describe("a launcher", () => {
  const has = (path: string) => path === "server/main.mjs"
  const what = (command: string, ...args: ReadonlyArray<string>) =>
    launch.faultsOf(command, args, has).map(({ held, what }) => `${held ? "held: " : ""}${what}`)
  const main = "${CLAUDE_PLUGIN_ROOT}/server/main.mjs"

  it("that runs a file of the folder is as it should be, whatever runs it", () => {
    assert.deepStrictEqual(what("node", main), [])
    assert.deepStrictEqual(what("node", "--no-warnings", main), [])
    assert.deepStrictEqual(what("bash", main), [])
    assert.deepStrictEqual(what("env", "A=1", "node", main), [])
    assert.deepStrictEqual(what(main), [])
  })

  it("is seen through env, sub-commands and options", () => {
    const unpinned = (program: string) => [
      `fetches whatever ${program} finds when it starts: the package is not pinned to a version`
    ]
    assert.deepStrictEqual(what("/usr/bin/env", "A=1", "npx", "desk"), unpinned("npx"))
    assert.deepStrictEqual(what("npm", "exec", "--package=desk", "x"), unpinned("npm"))
    assert.deepStrictEqual(what("pnpm", "dlx", "desk"), unpinned("pnpm"))
    assert.deepStrictEqual(what("uvx", "--from", "desk", "serve"), unpinned("uvx"))
    assert.deepStrictEqual(what("npx.cmd", "-y", "desk@^1.0.0"), unpinned("npx"))
    assert.deepStrictEqual(what("uvx", "desk==1.2.3"), [
      "held: fetches a package with uvx when it starts, though of one version"
    ])
    assert.deepStrictEqual(what("bash", "-lc", "x"), ["starts through a shell that is given a line to run"])
  })

  it("can't leave the folder", () => {
    assert.deepStrictEqual(what("node", "${CLAUDE_PLUGIN_ROOT}/../main.mjs"), [
      "runs a file outside the plugin's folder"
    ])
  })
})
