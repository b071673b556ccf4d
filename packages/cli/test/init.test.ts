import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { ferrule } from "./ferrule.ts"

const packages = join(import.meta.dirname, "../..")
const template = join(packages, "cli/templates/connector")

const folder = mkdtempSync(join(tmpdir(), "ferrule-init-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("ferrule init", { concurrent: true }, () => {
  it.live("writes the template under the name and the title that are given, with a lock that is in step", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* ferrule(["init", "desk", "--name", "acme-desk", "--title", "Acme desk (EU)"], {
        cwd: folder
      })
      assert.strictEqual(code, 0)
      assert.strictEqual(
        stdout,
        `Acme desk (EU) is in desk: 12 files. Next:

  cd desk
  npm install
  npm test
  npm run audit

README.md says what is in each file.
`
      )
      const written = readdirSync(join(folder, "desk"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name, parentPath }) => ({ name, text: readFileSync(join(parentPath, name), "utf8") }))
      assert.deepStrictEqual(written.map(({ name }) => name).sort(), [
        ".gitignore",
        "Notes.ts",
        "README.md",
        "connector.ts",
        "connector.yml",
        "ferrule.lock.json",
        "handlers.ts",
        "main.ts",
        "package.json",
        "tools.test.ts",
        "tools.ts",
        "tsconfig.json"
      ])
      for (const { name, text } of written) assert.notMatch(text, /my-connector|My connector/, name)
    })
  )

  it.live("takes the name of the folder, and makes the title of it", () =>
    Effect.gen(function* () {
      mkdirSync(join(folder, "acme-ledger/.git"), { recursive: true })
      const { code, stdout } = yield* ferrule(["init"], { cwd: join(folder, "acme-ledger") })
      assert.strictEqual(code, 0)
      assert.match(stdout, /^Acme ledger is in this folder: 12 files\./)
    })
  )

  const refuses = (claim: string, args: ReadonlyArray<string>, stderr: string) =>
    it.live(claim, () =>
      Effect.map(ferrule(["init", ...args], { cwd: template }), (ran) =>
        assert.deepStrictEqual(ran, { code: 2, stdout: "", stderr })
      )
    )
  refuses(
    "refuses a folder that is not empty",
    ["."],
    ". is not empty: it has .github. Give a folder that is new or empty.\n"
  )
  refuses("refuses a file", ["tools.ts"], "tools.ts is no folder that can be read. Give another.\n")
  refuses(
    "refuses a name that no connector may have",
    [join(folder, "new"), "--name", "Acme Desk"],
    '"Acme Desk" can\'t be used: the name must be 1 to 64 of a-z, 0-9 and -, and begin with a letter. Give another with --name.\n'
  )
  refuses(
    "refuses a title that would end the text that it stands in",
    [join(folder, "new"), "--name", "acme-desk", "--title", 'Acme", tools: []'],
    '"Acme\\", tools: []" can\'t be used: the title must be 1 to 100 letters, digits, spaces and .,:&\'()/+-, and begin with a letter or a digit. Give another with --title.\n'
  )

  it.live("the template's lock is in step with its tools", () =>
    Effect.map(ferrule(["lock", "connector.ts", "--check"], { cwd: template }), ({ code, stderr }) =>
      assert.deepStrictEqual([code, stderr], [0, ""])
    )
  )
})

it("the template asks for the versions that this repository is tested with", () => {
  const catalog = readFileSync(join(packages, "../pnpm-workspace.yaml"), "utf8")
  const ofCatalog = (name: string) =>
    new RegExp(`^ {2}"?${name.replaceAll("/", "\\/")}"?: (.+)$`, "m").exec(catalog)?.[1]
  const ofPackage = (name: string): string =>
    JSON.parse(readFileSync(join(packages, name.replace("@ferrule/", ""), "package.json"), "utf8")).version
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(template, "package.json"), "utf8"))
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    assert.strictEqual(version, name.startsWith("@ferrule/") ? ofPackage(name) : ofCatalog(name), name)
  }
})

it("the README shows the template's audit module", () => {
  const readme = readFileSync(join(packages, "cli/README.md"), "utf8")
  const shown = /```ts\n(import \{ Audit \}[\s\S]*?)\n```/.exec(readme)?.[1]
  const module = readFileSync(join(template, "connector.ts"), "utf8")
  assert.strictEqual(shown, module.slice(module.indexOf("import ")).trimEnd())
})
