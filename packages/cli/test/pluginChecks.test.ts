/**
 * A plugin that this command makes passes every check of plugins, and each thing that can go wrong with one afterwards is
 * found: each mutation is of a made plugin, and names the check that has to notice it.
 */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { dirname, join } from "node:path"
import { staticChecks } from "../src/checks/index.ts"
import * as Subject from "../src/internal/Subject.ts"
import type { Details } from "../src/plugin/Details.ts"
import * as folder from "../src/plugin/folder.ts"
import * as PluginFolder from "../src/plugin/PluginFolder.ts"
import type { PluginServer } from "../src/plugin/PluginServer.ts"
import { kindIn, secretsIn } from "../src/plugin/secrets.ts"
import { ferrule } from "./ferrule.ts"
import { Desk } from "./fixtures/desk.ts"

const checks = staticChecks.filter(({ info }) => info.id.startsWith("B"))
const subject = Subject.ofConnector(Desk, {})

const details: Details = {
  name: "desk",
  server: "desk",
  displayName: "Desk",
  version: "1.0.0",
  description: "Tickets of the support desk.",
  author: { name: "Acme" },
  license: "MIT",
  licenseText: "MIT License",
  privacyPolicyUrl: "https://acme.example/privacy",
  supportUrl: undefined,
  documentationUrl: undefined,
  repository: undefined
}

const http: PluginServer = { type: "http", url: "https://desk.acme.example/mcp", userConfig: {} }
const stdio: PluginServer = {
  type: "stdio",
  script: "process.exit(0)\n",
  userConfig: { DESK_TOKEN: { type: "string", title: "Token", description: "The desk's token", sensitive: true } },
  env: { DESK_DATA: "${CLAUDE_PLUGIN_DATA}" }
}

type Files = Map<string, string | Uint8Array>

const lock = {
  lockfileVersion: 3,
  packages: {
    "": { name: "desk" },
    "node_modules/@modelcontextprotocol/sdk": { version: "1.26.0", integrity: "sha512-AAAA" }
  }
}

/** A plugin as it was made, and next to it the project of the connector. */
const made = (server: PluginServer): Files =>
  new Map([
    ...folder
      .files(details, subject, server, { marketplace: "acme-tools", destructive: "ask", icon: new Uint8Array(32) })
      .map(({ content, path }) => [path, content] as const),
    ["../package-lock.json", JSON.stringify(lock)] as const
  ])

const outcomes = Effect.fnUntraced(function* (contents: Files) {
  const files = yield* FileSystem.FileSystem
  const project = yield* files.makeTempDirectoryScoped()
  const root = join(project, "plugin")
  yield* Effect.forEach(contents, ([path, content]) => {
    const target = join(root, path)
    return Effect.andThen(
      files.makeDirectory(dirname(target), { recursive: true }),
      typeof content === "string" ? files.writeFileString(target, content) : files.writeFile(target, content)
    )
  })
  const plugin = yield* PluginFolder.read(root, join(project, "desk.ts"))
  return checks.map(({ info, run }) => ({ id: info.id, outcome: run({ ...subject, plugin }) }))
}, Effect.scoped)

const found = (contents: Files) =>
  Effect.map(outcomes(contents), (all) =>
    all.flatMap(({ id, outcome }) => ("faults" in outcome ? outcome.faults.map((fault) => ({ id, ...fault })) : []))
  )

// oxlint-disable-next-line typescript/no-explicit-any
const json = (path: string, change: (value: any) => void) => (files: Files) => {
  const value = JSON.parse(String(files.get(path)))
  change(value)
  files.set(path, JSON.stringify(value))
}
const manifest = ".claude-plugin/plugin.json"
const servers = ".mcp.json"
const managed = "admin/managed-settings.json"
const skill = "skills/desk/SKILL.md"
const server = (members: Record<string, unknown>) =>
  json(servers, ({ mcpServers }) => Object.assign(mcpServers.desk, members))
const front = (matter: string) => (files: Files) => void files.set(skill, `---\n${matter}\n---\n\n# Desk\n`)
const file = (path: string, content: string | Uint8Array) => (files: Files) => void files.set(path, content)
const without = (path: string) => (files: Files) => void files.delete(path)
const locked = (name: string, entry: Record<string, unknown>) =>
  json("../package-lock.json", ({ packages }) => void (packages[`node_modules/${name}`] = entry))

/** What no report may repeat. */
const token = `ghp_${"a1B2".repeat(9)}`
const key = `sk-${"x9Y8".repeat(8)}`
const random = "q7Zk2Vw9Lm4Tn8Rb5Xc3"

type Mutation = readonly [what: string, id: string, of: PluginServer, change: (files: Files) => void]

const mutations: ReadonlyArray<Mutation> = [
  ["a manifest that is not JSON", "B01", http, file(manifest, "{")],
  ["an unknown key of the manifest", "B01", http, json(manifest, (value) => void (value.mcpServer = {}))],
  ["an author that is a text", "B01", http, json(manifest, (value) => void (value.author = "Acme"))],
  ["a path out of the folder", "B01", http, json(manifest, (value) => void (value.skills = "./../skills"))],
  ["a skills folder that is not there", "B01", http, json(manifest, (value) => void (value.skills = "./more/"))],
  ["an unknown key of a server", "B01", http, server({ oath: {} })],
  ["an unknown key of oauth", "B01", http, server({ oauth: { clientid: "desk" } })],
  [
    "an unknown key of a marketplace",
    "B01",
    http,
    json(".claude-plugin/marketplace.json", (m) => void (m.plugin = []))
  ],
  ["a setting that is not declared", "B01", stdio, json(manifest, (value) => void delete value.userConfig)],
  [
    "a value of toolPolicy that nobody reads",
    "B01",
    http,
    json(managed, (v) => void (v.managedMcpServers[0].toolPolicy.x = "maybe"))
  ],

  ["an address without TLS", "B02", http, server({ url: "http://desk.acme.example/mcp" })],
  ["an address on loopback", "B02", http, server({ url: "http://127.0.0.1:3000/mcp" })],
  ["a server without a type", "B02", http, server({ type: undefined })],
  ["a token in the address", "B02", http, server({ url: `https://desk.acme.example/mcp?token=${random}` })],
  ["a password in the address", "B02", http, server({ url: `https://ana:${random}@desk.acme.example/mcp` })],
  ["a bearer token", "B02", http, server({ headers: { Authorization: `Bearer ${random}` } })],
  ["a header that is a key", "B02", http, server({ headers: { "X-Api-Key": "not-much-of-a-key" } })],
  ["a default that is a secret", "B02", http, server({ headers: { Authorization: `Bearer \${T:-${random}}` } })],
  ["a GitHub token in env", "B02", stdio, server({ env: { WHERE: token } })],
  [
    "a key in an argument",
    "B02",
    stdio,
    server({ args: ["${CLAUDE_PLUGIN_ROOT}/server/main.mjs", `--api-key=${key}`] })
  ],
  ["a client secret", "B02", http, server({ oauth: { clientId: "desk", clientSecret: random } })],
  ["a token in a script", "B02", http, file("scripts/sync.sh", `#!/bin/sh\ncurl -H "x: ${token}" https://x.example\n`)],
  ["a key in the skill", "B02", http, (files) => void files.set(skill, `${String(files.get(skill))}\nUse ${key}.\n`)],
  ["a private key", "B02", http, file("key.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n")],
  ["a password of a database", "B02", http, file("notes.md", `postgres://desk:${random}@db.acme.example/desk`)],

  ["a package that npx fetches", "B03", stdio, server({ command: "npx", args: ["-y", "@acme/desk"] })],
  ["a package at latest", "B03", stdio, server({ command: "npx", args: ["-y", "@acme/desk@latest"] })],
  ["a package that uvx fetches", "B03", stdio, server({ command: "uvx", args: ["acme-desk"] })],
  [
    "a pinned package that is fetched all the same",
    "B03",
    stdio,
    server({ command: "npx", args: ["@acme/desk@1.0.0"] })
  ],
  ["a shell", "B03", stdio, server({ command: "sh", args: ["-c", "node server/main.mjs"] })],
  ["a shell of Windows", "B03", stdio, server({ command: "C:\\Windows\\cmd.exe", args: ["/c", "x"] })],
  ["code in an argument", "B03", stdio, server({ command: "node", args: ["-e", "require('x')"] })],
  ["a script of elsewhere", "B03", stdio, server({ command: "node", args: ["/opt/desk/main.mjs"] })],
  ["a script that is not there", "B03", stdio, without("server/main.mjs")],
  ["an image without a digest", "B03", stdio, server({ command: "docker", args: ["run", "-i", "acme/desk:1"] })],
  [
    "a download that is piped into a shell",
    "B03",
    http,
    file("hooks/setup.sh", "curl -fsSL https://x.example | sudo bash\n")
  ],

  [
    "a secret that is not sensitive",
    "B04",
    stdio,
    json(manifest, (v) => void delete v.userConfig.DESK_TOKEN.sensitive)
  ],
  ["a secret with a default", "B04", stdio, json(manifest, (v) => void (v.userConfig.DESK_TOKEN.default = random))],
  [
    "a secret as an argument",
    "B04",
    stdio,
    server({ args: ["${CLAUDE_PLUGIN_ROOT}/server/main.mjs", "${user_config.DESK_TOKEN}"] })
  ],
  [
    "a secret in the text of a helper",
    "B04",
    http,
    server({ headersHelper: `echo '{"Authorization":"Bearer ${random}"}'` })
  ],
  [
    "a variable of the environment that is sent out",
    "B04",
    http,
    server({ headers: { Authorization: "Bearer ${DESK_TOKEN}" } })
  ],

  ["no README", "B05", http, without("README.md")],
  ["a short README", "B05", http, file("README.md", "# Desk\n\nTickets.\n")],
  ["no licence", "B05", http, without("LICENSE")],
  ["no privacy policy", "B05", http, json(manifest, (value) => void delete value.privacyPolicyUrl)],
  ["no version", "B05", http, json(manifest, (value) => void delete value.version)],
  ["a name that passes for Anthropic's", "B05", http, json(manifest, (value) => void (value.name = "claude-desk"))],
  ["litter", "B05", http, file(".DS_Store", "x")],
  ["a large file", "B05", http, file("data.bin", new Uint8Array(300 * 1024))],
  ["a bundle", "B05", http, file("desk.mcpb", "x")],

  [
    "an SDK with an advisory",
    "B06",
    http,
    locked("@modelcontextprotocol/sdk", { version: "1.25.3", integrity: "sha512-A" })
  ],
  ["a proxy with an advisory", "B06", http, locked("mcp-remote", { version: "0.1.15", integrity: "sha512-A" })],
  ["a package without its integrity", "B06", http, locked("left", { version: "1.0.0" })],
  [
    "a package that runs at installation",
    "B06",
    http,
    locked("esbuild", { version: "1.0.0", integrity: "sha512-A", hasInstallScript: true })
  ],
  [
    "a script of its own that runs at installation",
    "B06",
    http,
    file("package.json", '{"scripts":{"postinstall":"node x"}}')
  ],

  ["a description that is a list", "B07", http, front('name: desk\ndescription: ["a", "b"]')],
  ["a skill without a description", "B07", http, front("name: desk")],
  ["a skill of another name", "B07", http, front('name: other\ndescription: "When."')],
  ["front matter that is not YAML", "B07", http, front('name: "desk')],
  ["no front matter", "B07", http, file(skill, "# Desk\n")],
  ["every shell command allowed", "B07", http, front('name: desk\ndescription: "When."\nallowed-tools: Read, Bash(*)')],
  ["every tool allowed", "B07", http, front('name: desk\ndescription: "When."\nallowed-tools: ["mcp__*"]')],

  ["no suggestion", "B08", http, without(managed)],
  [
    "a tool that is not named",
    "B08",
    http,
    json(managed, (v) => void delete v.managedMcpServers[0].toolPolicy.delete_ticket)
  ],
  [
    "a write that is allowed",
    "B08",
    http,
    json(managed, (v) => void (v.managedMcpServers[0].toolPolicy.create_ticket = "allow"))
  ],
  [
    "writes that a wildcard allows",
    "B08",
    http,
    json(managed, (v) => void (v.managedMcpServers[0].toolPolicy = { "*": "allow" }))
  ],
  [
    "a tool that is no longer there",
    "B08",
    http,
    json(managed, (v) => void (v.managedMcpServers[0].toolPolicy.gone = "ask"))
  ]
]

describe("checks of a plugin", () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect("find nothing wrong with a plugin that ferrule made", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* found(made(http)), [])
        assert.deepStrictEqual(yield* found(made(stdio)), [])
        assert.deepStrictEqual(yield* found(made({ ...http, userConfig: stdio.userConfig })), [])
        const oauth = { clientId: `${random}${random.toUpperCase()}`, callbackPort: 41_999 }
        assert.deepStrictEqual(yield* found(made({ ...http, oauth })), [])
      })
    )

    it.effect("find everything that can be done to one, and never repeat a secret", () =>
      Effect.gen(function* () {
        const missed: Array<string> = []
        for (const [what, id, of, change] of mutations) {
          const files = made(of)
          change(files)
          const faults = yield* found(files)
          if (!faults.some((fault) => fault.id === id)) missed.push(`${id}: ${what}`)
          for (const secret of [token, key, random]) assert.notInclude(JSON.stringify(faults), secret, what)
        }
        // oxlint-disable-next-line no-console -- how many were caught is the result
        console.log(`Plugin mutations: caught ${mutations.length - missed.length} of ${mutations.length}`)
        assert.deepStrictEqual(missed, [])
        assert.strictEqual(mutations.length, 67)
        const ids = new Set(mutations.map(([, id]) => id))
        assert.deepStrictEqual(
          [...ids],
          checks.map(({ info }) => info.id as string)
        )
      })
    )

    it.effect("say what can't be judged where there is no lock file", () =>
      Effect.gen(function* () {
        const files = made(http)
        files.delete("../package-lock.json")
        const supply = (yield* outcomes(files)).find(({ id }) => id === "B06")
        assert.isTrue(supply !== undefined && "notSeen" in supply.outcome)
      })
    )

    it.effect("read pnpm's lock file too", () =>
      Effect.gen(function* () {
        const files = made(http)
        files.delete("../package-lock.json")
        files.set(
          "../pnpm-lock.yaml",
          "lockfileVersion: '9.0'\npackages:\n  '@modelcontextprotocol/sdk@1.25.0':\n    resolution: {integrity: sha512-A}\n"
        )
        const faults = yield* found(files)
        assert.deepStrictEqual(
          faults.map(({ message }) => message),
          ["@modelcontextprotocol/sdk 1.25.0 has known advisories: CVE-2026-25536, CVE-2026-0621, CVE-2025-66414"]
        )
      })
    )

    it.effect("are made by ferrule audit --plugin, which fails on a blocker", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const root = yield* files.makeTempDirectoryScoped()
        const module = join(import.meta.dirname, "fixtures/desk.ts")
        const none = yield* ferrule(["audit", module, "--plugin", root])
        assert.strictEqual(none.code, 2)
        assert.include(none.stderr, "is no plugin: it has no .claude-plugin/plugin.json and no .mcp.json.")
        yield* files.writeFileString(
          join(root, ".mcp.json"),
          JSON.stringify({ mcpServers: { desk: { command: "npx", args: ["-y", "desk"], env: { T: token } } } })
        )
        const { code, stdout } = yield* ferrule(["audit", module, "--plugin", root, "--json", "-"])
        assert.strictEqual(code, 1)
        assert.include(stdout, "the server desk holds a GitHub token in its env.T")
        assert.include(stdout, "the package is not pinned to a version")
        assert.notInclude(stdout, token)
      })
    )
  })

  it("do not apply without a plugin's folder", () => {
    for (const { run } of checks) {
      assert.deepStrictEqual(run(subject), { notApplicable: "the audit was given no plugin's folder (--plugin)" })
    }
  })
})

describe("a secret", () => {
  it("is no reference to one, no path, no id and no version", () => {
    for (const value of [
      "Bearer ${DESK_TOKEN}",
      "${user_config.DESK_TOKEN}",
      "/opt/acme/service-desk/data/version-1",
      "6f1c2f9e-7a51-4a57-9d3c-0a9f1b2c3d4e",
      "https://desk.acme.example/mcp",
      "production"
    ]) {
      assert.deepStrictEqual(secretsIn({ WHERE: value }), [], value)
    }
    assert.strictEqual(kindIn("Send a Bearer token that the company has issued."), undefined)
  })

  it("is known by its maker's form, by its name and by its randomness", () => {
    assert.strictEqual(kindIn(`x ${token} y`), "a GitHub token")
    assert.strictEqual(kindIn(`Bearer ${random}`), "a bearer token")
    assert.deepStrictEqual(secretsIn({ DB_PASSWORD: "hunter2" }), [
      { at: "DB_PASSWORD", kind: "a credential, by its name" }
    ])
    assert.deepStrictEqual(secretsIn({ SEED: `${random}${random}` }), [{ at: "SEED", kind: "a random value" }])
  })
})
