/**
 * A new project as its team gets it: the packages are built and packed as they are published, and the project is installed
 * from them, in a folder outside of this repository.
 */
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import * as workflow from "./workflow.ts"

const root = join(import.meta.dirname, "../../..")
const folder = mkdtempSync(join(tmpdir(), "ferrule-new-"))
const packs = join(folder, "packs")
const project = join(folder, "acme-desk")
afterAll(() => rmSync(folder, { recursive: true }))

/** What has been downloaded before is taken as it is. */
const env = { ...process.env, npm_config_prefer_offline: "true", npm_config_audit: "false" }

const pnpm = (cwd: string, ...args: ReadonlyArray<string>) =>
  execFileSync("npx", ["-y", "pnpm@12", ...args], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

const run = (...[command, ...args]: [string, ...Array<string>]) =>
  spawnSync(join(project, "node_modules/.bin", command), args, { cwd: project, encoding: "utf8" })

/** Node without the types of TypeScript left out, as an older one is. */
const withoutTypes = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, ["--no-experimental-strip-types", "node_modules/@ferrule/cli/dist/main.js", ...args], {
    cwd: project,
    encoding: "utf8"
  })

beforeAll(() => {
  pnpm(root, "build")
  for (const name of ["core", "mcp", "cli"]) pnpm(join(root, "packages", name), "pack", "--pack-destination", packs)
  execFileSync(process.execPath, [join(root, "packages/cli/src/main.ts"), "init", project])
  const packed = readdirSync(packs).map((file) => join(packs, file))
  execFileSync("npm", ["install", ...packed], { cwd: project, env, stdio: "pipe" })
}, 300_000)

describe("a new project, installed from the packages as they are published", () => {
  it("passes every step of its workflow, as a runner runs them", async () => {
    const { commands } = await workflow.read(readFileSync(join(project, ".github/workflows/connector.yml"), "utf8"))
    assert.strictEqual(commands.length, 4)
    for (const command of commands) {
      const { status, stderr, stdout } = spawnSync("bash", ["-e", "-c", command], {
        cwd: project,
        env: { ...env, CI: "true" },
        encoding: "utf8"
      })
      assert.strictEqual(status, 0, `${command}\n${stdout}${stderr}`)
    }
    const { runs } = JSON.parse(readFileSync(join(project, "ferrule.sarif"), "utf8"))
    assert.strictEqual(runs[0].invocations[0].executionSuccessful, true)
    assert.deepStrictEqual(
      runs[0].results.filter(({ level }: { readonly level: string }) => level === "error"),
      []
    )
  }, 300_000)

  it("is served over stdio to a real client, and writes once", async () => {
    const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args: ["main.ts"], cwd: project, stderr: "ignore" })
    )
    const note = { name: "add_note", arguments: { topic: "deploys", text: "Fridays are frozen." } }
    const first = await client.callTool(note)
    const again = await client.callTool(note)
    const read = await client.callTool({ name: "read_notes", arguments: { topic: "deploys" } })
    await client.close()
    assert.deepStrictEqual([first.structuredContent, again.structuredContent], [{ count: 1 }, { count: 1 }])
    assert.deepStrictEqual(read.structuredContent, { notes: ["Fridays are frozen."] })
  })

  it("is packed as a plugin by the command of its README", () => {
    writeFileSync(join(project, "LICENSE"), readFileSync(join(root, "LICENSE")))
    const command = /npx (ferrule plugin [\s\S]+?)\n```/.exec(readFileSync(join(project, "README.md"), "utf8"))![1]!
    const packed = spawnSync("sh", ["-c", `node_modules/.bin/${command}`], { cwd: project, encoding: "utf8" })
    assert.strictEqual(packed.status, 0, packed.stdout + packed.stderr)
    const { mcpServers } = JSON.parse(readFileSync(join(project, "acme-desk-plugin/.mcp.json"), "utf8"))
    assert.deepStrictEqual(mcpServers["acme-desk"].args, ["${CLAUDE_PLUGIN_ROOT}/server/main.mjs"])
  })

  it("says which Node it needs where TypeScript is not run", () => {
    const { status, stderr } = withoutTypes("audit", "connector.ts")
    assert.strictEqual(
      stderr,
      `connector.ts is TypeScript, which Node ${process.versions.node} does not run as it is started. Use Node 22.18 or newer, or give the JavaScript that it compiles to.\n`
    )
    assert.strictEqual(status, 2)
  })

  it("ends a module that loops for ever from the compiled command, too", () => {
    writeFileSync(join(project, "loop.js"), "for (;;) {}")
    const { status, stderr } = run("ferrule", "audit", "loop.js", "--load-timeout", "2 seconds")
    assert.match(stderr, /^loop\.js was still loading after 2s\./)
    assert.strictEqual(status, 2)
  })

  it("asks on a terminal for what was not given", async () => {
    const command = `${process.execPath} ${join(root, "packages/cli/src/main.ts")} init ${join(folder, "asked")}`
    const terminal = spawn("script", ["-qec", command, "/dev/null"], { env: { ...process.env, TERM: "xterm" } })
    const typed = [
      ["What is the connector called?", `${"\x7F".repeat("asked".length)}acme-crm\r`],
      ["And its title, for people?", "\r"]
    ]
    let shown = ""
    terminal.stdout.on("data", (chunk) => {
      shown += chunk
      if (typed.length > 0 && shown.includes(typed[0]![0]!)) terminal.stdin.write(typed.shift()![1]!)
    })
    await once(terminal, "close")
    assert.include(shown, "Acme crm is in")
    const manifest = JSON.parse(readFileSync(join(folder, "asked/package.json"), "utf8"))
    assert.strictEqual(manifest.name, "acme-crm")
  })
})
