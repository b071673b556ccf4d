import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")

it("each region of the README is the file that it names, as the tests run it", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8")
  const regions = [...readme.matchAll(/<!-- region (\S+) -->\n\n```ts\n([\s\S]*?)\n```\n\n<!-- endregion -->/g)]
  assert.deepStrictEqual(
    regions.map(([, file]) => file),
    ["examples/quickstart/main.ts"]
  )
  for (const [, file, code] of regions) assert.strictEqual(code, readFileSync(join(root, file), "utf8").trimEnd())
})
