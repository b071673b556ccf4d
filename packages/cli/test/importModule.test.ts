import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { ferrule } from "./ferrule.ts"

const folder = mkdtempSync(join(tmpdir(), "ferrule-modules-"))
afterAll(() => rmSync(folder, { recursive: true }))

const core = import.meta.resolve("@ferrule/core")
const effect = import.meta.resolve("effect")

const audit = (name: string, code: string, ...flags: ReadonlyArray<string>) => {
  writeFileSync(join(folder, name), code)
  return ferrule(["audit", name, "--json", "-", ...flags], { cwd: folder })
}

const says = (what: string, name: string, code: string, sentence: string, ...flags: ReadonlyArray<string>) =>
  it.live(what, () =>
    Effect.map(audit(name, code, ...flags), (ran) =>
      assert.deepStrictEqual(ran, { code: 2, stdout: "", stderr: `${sentence}\n` })
    )
  )

const nothing = "A module that is given to ferrule declares a connector and starts nothing"
const soon = ["--load-timeout", "2 seconds"]
const late = `was still loading after 2s. ${nothing}: move what it waits for into a layer, or give it longer with --load-timeout.`

describe("a module that misbehaves gets one sentence and exit 2", { concurrent: true }, () => {
  says(
    "TypeScript that does not parse",
    "syntax.ts",
    "const =",
    `syntax.ts does not parse: Unexpected token \`=\`. Expected yield, an identifier, [ or { (${join(folder, "syntax.ts")}:1). Correct it and try again.`
  )
  says(
    "JavaScript that does not parse",
    "syntax.mjs",
    "const =",
    "syntax.mjs does not parse: Unexpected token '='. node --check shows the place."
  )
  says(
    "TypeScript that can't be stripped",
    "enum.ts",
    "export enum Role { Agent }",
    `enum.ts can't be run without compiling it: TypeScript enum is not supported in strip-only mode (${join(folder, "enum.ts")}:1). Turn on erasableSyntaxOnly in tsconfig.json, which finds every such place, or give the JavaScript that it compiles to.`
  )
  says(
    "an import that is not installed",
    "missing.ts",
    'import "no-such-package"',
    `missing.ts imports what is not there: Cannot find package 'no-such-package' imported from ${join(folder, "missing.ts")}. Install it (npm install), or correct the import.`
  )
  says(
    "exports nothing usable",
    "nothing.ts",
    "export const tools = []",
    "nothing.ts exports no connector. Export what Connector.make returns, or Audit.make of it."
  )
  says(
    "throws on import",
    "throws.ts",
    'throw new Error("no connection to postgres://me:secret@db/desk")',
    `throws.ts threw while it was loaded: no connection to postgres://…@db/desk. ${nothing}: move what fails into a layer.`
  )
  says(
    "throws what is no Error",
    "throwsNoError.ts",
    "throw Object.create(null)",
    `throwsNoError.ts threw while it was loaded: what it threw is no Error (object). ${nothing}: move what fails into a layer.`
  )
  says(
    "fails in the background",
    "background.ts",
    'Promise.reject(new Error("lost")); await new Promise(() => {})',
    "What runs in the background failed: lost. Await it or catch it where it is started."
  )
  says("waits for ever", "waits.ts", "await new Promise(() => {})", `waits.ts ${late}`, ...soon)
  says("loops for ever", "loops.ts", "for (;;) {}", `loops.ts ${late}`, ...soon)
  says(
    "calls process.exit",
    "exits.ts",
    "process.exit(0)",
    `exits.ts ended the process (process.exit, or a server of its own that stopped). ${nothing}: leave that to the file that serves it.`
  )
  says(
    "prints on standard output",
    "prints.ts",
    'console.log("hello"); export const connector = {}',
    "prints.ts prints on standard output while it is loaded, where over stdio the protocol goes. Print on standard error (console.error), or log with Effect.log in a layer."
  )
  says(
    "declares what can't be built: its faults, one per line",
    "definition.ts",
    `import { Policy, Tool } from "${core}"
import { Schema } from "${effect}"
Tool.read("Search", { title: "Search", description: "Finds what there is to find in here.", allow: Policy.role("agent"),
  input: Schema.Struct({ text: Schema.String }), output: Schema.Struct({}) })`,
    `definition.ts declares what can't be built. Tool Search:
  - the name must be 1 to 64 of a-z, 0-9 and _, and begin with a letter
  - input: text: a string needs a greatest length, Schema.isMaxLength(n), or say why there is none: .annotate({ unbounded: "reason" })
  - input: text: needs a description: .annotate({ description: "..." })`
  )
  says(
    "is no module",
    "tools.yaml",
    "tools:",
    "tools.yaml is no module of JavaScript or TypeScript. Give the .ts or .js file that exports the connector."
  )

  it.live("a path that leads nowhere, or to a folder", () =>
    Effect.gen(function* () {
      const none = yield* ferrule(["audit", "none.ts"], { cwd: folder })
      assert.strictEqual(none.stderr, "There is no file none.ts. Give the module that exports the connector.\n")
      assert.strictEqual(none.code, 2)
      const dir = yield* ferrule(["audit", "."], { cwd: folder })
      assert.strictEqual(dir.stderr, ". is no file. Give the module that exports the connector.\n")
      assert.strictEqual(dir.code, 2)
    })
  )
})

it.live("a module that keeps a timer and a server open does not keep the audit", () =>
  Effect.gen(function* () {
    const { code, stderr } = yield* audit(
      "open.ts",
      `import { Connector, Policy, Tool } from "${core}"
import { Schema } from "${effect}"
import { createServer } from "node:http"
createServer().listen(0)
setInterval(() => {}, 1000)
export const Desk = Connector.make("desk", { version: "1.0.0", tools: [Tool.read("count", { title: "Count",
  description: "Counts the open tickets. Use it for totals. It does not say what they are about.",
  input: Schema.Struct({}), output: Schema.Struct({ count: Schema.Int.annotate({ description: "How many." }) }),
  allow: Policy.role("agent") })] })`
    )
    assert.match(stderr, /Nothing was found that blocks it\.\n$/)
    assert.strictEqual(code, 0)
  })
)

it.live("--debug adds what was thrown, with its stack, and nothing else does", () =>
  Effect.gen(function* () {
    const { code, stderr } = yield* audit("debugged.ts", 'throw new Error("no")', "--debug")
    assert.match(stderr, /^debugged\.ts threw while it was loaded: no\. .+\n\nError: no\n\s+at .+debugged\.ts:1/)
    assert.strictEqual(code, 2)
  })
)
