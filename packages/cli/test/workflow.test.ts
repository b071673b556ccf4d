import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { read } from "./workflow.ts"

const text = readFileSync(join(import.meta.dirname, "../templates/connector/.github/workflows/connector.yml"), "utf8")

it("the workflow of a new project is one that GitHub takes", async () => {
  assert.deepStrictEqual(await read(text), {
    faults: [],
    commands: [
      "npm ci",
      "npm run check",
      "npm test",
      "npx ferrule audit connector.ts --probe --locked --sarif ferrule.sarif"
    ]
  })
})

it("a workflow that GitHub does not take is seen", async () => {
  for (const [change, instead] of [
    ["runs-on:", "run-on:"],
    ["hashFiles(", "hashFile("],
    ["run: npm ci", "runs: npm ci"],
    ["contents: read", "contents: reads"],
    ["pull_request:", "pull_requests:"]
  ] as const) {
    assert.include(text, change)
    assert.isAbove((await read(text.replace(change, instead))).faults.length, 0, instead)
  }
})
