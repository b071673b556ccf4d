import { Connector } from "@ferrule/core"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { Effect, FileSystem, Schema } from "effect"
import { join } from "node:path"
import * as Subject from "../src/internal/Subject.ts"
import type { Details } from "../src/plugin/Details.ts"
import * as folder from "../src/plugin/folder.ts"
import * as formats from "../src/plugin/formats.ts"
import { composed, nameFault, tooLong } from "../src/plugin/names.ts"
import * as PluginServer from "../src/plugin/PluginServer.ts"
import { claude, run } from "./claude.ts"
import { ferrule } from "./ferrule.ts"
import { Desk, ReadTicket } from "./fixtures/desk.ts"

const module = join(import.meta.dirname, "fixtures/desk.ts")
const quickstart = join(import.meta.dirname, "../../../examples/quickstart")
const licence = join(import.meta.dirname, "../../../LICENSE")

const details: Details = {
  name: "desk",
  server: "desk",
  displayName: "Desk",
  version: "1.0.0",
  description: "Tickets of the support desk.",
  author: { name: "Acme", email: "desk@acme.example" },
  license: "MIT",
  licenseText: "MIT License",
  privacyPolicyUrl: "https://acme.example/privacy",
  supportUrl: "https://acme.example/help",
  documentationUrl: undefined,
  repository: "https://github.com/acme/desk"
}

const subject = Subject.ofConnector(Desk, {})
const options = { marketplace: "acme-tools", destructive: "ask" as const, icon: undefined }
const http: PluginServer.PluginServer = { type: "http", url: "https://desk.acme.example/mcp", userConfig: {} }

const made = (server: PluginServer.PluginServer = http, chosen: folder.Options = options) =>
  new Map(folder.files(details, subject, server, chosen).map(({ content, path }) => [path, String(content)]))

const decoded = <A>(schema: Schema.Codec<A, unknown>, text: string | undefined): A =>
  Schema.decodeUnknownSync(schema, { onExcessProperty: "error" })(JSON.parse(text!))

describe("a plugin for a server at an address", () => {
  it("is a folder that is a plugin, and a marketplace that lists it", () => {
    assert.deepStrictEqual(
      [...made().keys()],
      [
        ".claude-plugin/plugin.json",
        ".claude-plugin/marketplace.json",
        ".mcp.json",
        "admin/managed-settings.json",
        "skills/desk/SKILL.md",
        "README.md",
        "LICENSE"
      ]
    )
  })

  it("holds the address and no secret", () => {
    assert.deepStrictEqual(decoded(formats.McpConfig, made().get(".mcp.json")), {
      mcpServers: { desk: { type: "http", url: "https://desk.acme.example/mcp" } }
    })
  })

  it("has manifests of keys that Claude Code knows", () => {
    assert.deepStrictEqual(decoded(formats.Manifest, made().get(".claude-plugin/plugin.json")), {
      $schema: "https://json.schemastore.org/claude-code-plugin-manifest.json",
      name: "desk",
      displayName: "Desk",
      version: "1.0.0",
      description: "Tickets of the support desk.",
      author: { name: "Acme", email: "desk@acme.example" },
      license: "MIT",
      privacyPolicyUrl: "https://acme.example/privacy",
      supportUrl: "https://acme.example/help",
      repository: "https://github.com/acme/desk"
    })
    const marketplace = decoded(formats.Marketplace, made().get(".claude-plugin/marketplace.json"))
    assert.deepStrictEqual(marketplace.plugins, [
      { name: "desk", source: "./", description: "Tickets of the support desk.", version: "1.0.0" }
    ])
  })

  it("suggests that reads run and writes ask, and that what destroys is blocked where that is wanted", () => {
    const policyOf = (files: ReadonlyMap<string, string>) =>
      decoded(formats.ManagedSettings, files.get("admin/managed-settings.json")).managedMcpServers[0]?.toolPolicy
    assert.deepStrictEqual(policyOf(made()), { read_ticket: "allow", create_ticket: "ask", delete_ticket: "ask" })
    assert.deepStrictEqual(policyOf(made(http, { ...options, destructive: "blocked" })), {
      read_ticket: "allow",
      create_ticket: "ask",
      delete_ticket: "blocked"
    })
  })

  it("teaches when to use each tool, what each class of refusal asks for, and what a replay is", () => {
    const skill = made().get("skills/desk/SKILL.md")!
    assert.match(
      skill,
      /^---\nname: "desk"\ndescription: "Tickets of the support desk\. Use this skill before [^\n]{1,900}"\n---\n/
    )
    assert.include(skill, "- `read_ticket` (Read a ticket): Returns one ticket with its subject. Use it before you act")
    assert.include(
      skill,
      "Another call with the same queue, subject is the same write, and happens once. If its outcome is unknown, look with `read_ticket`."
    )
    for (const word of [
      "`ValidationError`",
      "`AuthorizationError`",
      "`TransientError`",
      "`OutcomeUnknown`",
      "`ResultUnavailable`",
      "`Internal`",
      "replay"
    ]) {
      assert.include(skill, word)
    }
  })

  it("says nothing of writes where there are none", () => {
    const reads = Subject.ofConnector(Connector.make("desk", { version: "1.0.0", tools: [ReadTicket] }), {})
    const [skill] = folder.files(details, reads, http, options).filter(({ path }) => path.endsWith("SKILL.md"))
    assert.notInclude(String(skill?.content), "OutcomeUnknown")
    assert.notInclude(String(skill?.content), "replay")
  })

  it("has a README that says who may call each tool and how to install it", () => {
    const readme = made().get("README.md")!
    assert.isAbove(readme.split(/\s+/).length, 100)
    assert.include(readme, "| `delete_ticket` | Delete a ticket | changes | the role admin |")
    assert.include(readme, "/plugin install desk --marketplace acme/desk")
    assert.include(readme, "https://acme.example/privacy")
  })

  it("tells people whether they sign in or give a token", () => {
    const userConfig = {
      DESK_TOKEN: { type: "string", title: "Your token", description: "Your token", sensitive: true }
    } as const
    assert.include(made().get("README.md")!, "holds no secret: you sign in at the server.")
    const readme = made({ ...http, userConfig }).get("README.md")!
    assert.include(readme, "holds no secret: you give your own token when you install it.")
    assert.include(readme, "- `DESK_TOKEN`: Your token (kept in the keychain)")
    const manifest = decoded(formats.Manifest, made({ ...http, userConfig }).get(".claude-plugin/plugin.json"))
    assert.deepStrictEqual(manifest.userConfig, userConfig)
  })

  it("keeps a connector's texts from meaning anything in Markdown", () => {
    const odd = { ...subject, title: "x", instructions: "<img src=x>\n# Now `run` | this" }
    const skill = folder.files(details, odd, http, options).find(({ path }) => path.endsWith("SKILL.md"))
    assert.include(String(skill?.content), "\n&#60;img src=x&#62; # Now &#96;run&#96; &#124; this\n")
  })
})

describe("names", () => {
  it("that directories refuse are refused", () => {
    assert.strictEqual(nameFault("Service Desk"), "must be 1 to 64 of a-z and 0-9, with single hyphens between")
    assert.strictEqual(nameFault("desk--2"), "must be 1 to 64 of a-z and 0-9, with single hyphens between")
    for (const name of ["claude-desk", "anthropic", "official-desk"]) {
      assert.strictEqual(nameFault(name), "passes for one of Anthropic's own")
    }
    assert.strictEqual(nameFault("mcp"), "says nothing about what it is for")
    assert.strictEqual(nameFault("acme-mcp"), undefined)
  })

  it("as a model sees them have at most 64 characters", () => {
    const name = composed("service-desk", "service-desk", "page_on_call")
    assert.strictEqual(name, "mcp__plugin_service-desk_service-desk__page_on_call")
    assert.strictEqual(tooLong("service-desk", "service-desk", ["page_on_call"]), undefined)
    const room = 64 - composed("desk", "desk", "").length
    assert.strictEqual(tooLong("desk", "desk", ["a".repeat(room)]), undefined)
    assert.strictEqual(tooLong("desk", "desk", ["b", "a".repeat(room + 1)])?.length, 65)
  })
})

const about = [
  "--author",
  "Acme <desk@acme.example> (https://acme.example)",
  "--license",
  "MIT",
  "--license-file",
  licence,
  "--privacy-url",
  "https://acme.example/privacy"
]

describe("ferrule plugin", () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect("asks in one sentence for what it may not make up", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const out = join(yield* files.makeTempDirectoryScoped(), "desk")
        const { code, stderr } = yield* ferrule(["plugin", module, "--url", "https://desk.example/mcp", "--out", out])
        assert.strictEqual(code, 2)
        assert.match(stderr, /^A plugin has to say, and nothing here does: who makes it \(--author, .*--privacy-url/)
        assert.strictEqual(stderr.trim().split("\n").length, 1)
        assert.isFalse(yield* files.exists(out))
      })
    )

    it.effect("refuses what belongs to the other kind of server", () =>
      Effect.gen(function* () {
        const refusal = (...args: ReadonlyArray<string>) =>
          Effect.map(ferrule(["plugin", module, ...args, ...about]), ({ stderr }) => stderr)
        const refusals = yield* Effect.all(
          [
            refusal("--url", "https://desk.example/mcp", "--env", "DESK_DATA=/tmp"),
            refusal("--stdio", module, "--callback-port", "41999")
          ],
          { concurrency: 2 }
        )
        assert.deepStrictEqual(refusals, [
          "--setting and --env are for a server that the plugin starts: --stdio.\n",
          "--client-id and --callback-port are for a server at an address: --url.\n"
        ])
      })
    )

    it.effect("takes what package.json and the licence next to the module say", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const project = yield* files.makeTempDirectoryScoped({ directory: import.meta.dirname, prefix: ".project-" })
        yield* files.writeFileString(join(project, "desk.ts"), `export { Desk } from "${module}"\n`)
        yield* files.writeFileString(join(project, "LICENSE"), "All rights reserved.\n")
        yield* files.writeFileString(
          join(project, "package.json"),
          JSON.stringify({
            author: "Acme (https://acme.example)",
            license: "UNLICENSED",
            description: "The desk of Acme.",
            bugs: { url: "https://acme.example/bugs" },
            ferrule: { privacyPolicyUrl: "https://acme.example/privacy" }
          })
        )
        const out = join(project, "out")
        const ran = yield* ferrule([
          "plugin",
          join(project, "desk.ts"),
          "--url",
          "https://desk.example/mcp",
          "--out",
          out,
          "--icon",
          yield* icon(files, join(project, "icon.png"), 512)
        ])
        assert.strictEqual(ran.code, 0, ran.stderr)
        const manifest = decoded(formats.Manifest, yield* files.readFileString(join(out, ".claude-plugin/plugin.json")))
        assert.deepStrictEqual(
          [manifest.author, manifest.license, manifest.description, manifest.supportUrl, manifest.icon],
          [
            { name: "Acme", url: "https://acme.example" },
            "UNLICENSED",
            "The desk of Acme.",
            "https://acme.example/bugs",
            "./.claude-plugin/icon.png"
          ]
        )
        assert.strictEqual(yield* files.readFileString(join(out, "LICENSE")), "All rights reserved.\n")
      })
    )

    it.effect("replaces a folder only when it is told to, and then whole", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const parent = yield* files.makeTempDirectoryScoped()
        const out = join(parent, "desk")
        yield* files.makeDirectory(out)
        yield* files.writeFileString(join(out, "mine.txt"), "kept")
        const args = ["plugin", module, "--url", "https://desk.example/mcp", "--out", out, ...about]
        const refused = yield* ferrule(args)
        assert.strictEqual(refused.code, 2)
        assert.include(refused.stderr, "is there already. Give another --out, or --force to replace it.")
        assert.deepStrictEqual(yield* files.readDirectory(out), ["mine.txt"])

        const own = yield* ferrule([...args, "--force"], { cwd: out })
        assert.strictEqual(own.code, 2)
        assert.include(own.stderr, "holds the connector or this folder, which --force would replace.")
        assert.deepStrictEqual(yield* files.readDirectory(out), ["mine.txt"])

        assert.strictEqual((yield* ferrule([...args, "--force"])).code, 0)
        assert.isFalse(yield* files.exists(join(out, "mine.txt")))
        assert.deepStrictEqual(yield* files.readDirectory(parent), ["desk"])
        if (claude !== undefined) {
          const { code, output } = yield* run(claude, ["plugin", "validate", out, "--strict"])
          assert.strictEqual(code, 0, output)
        }
      })
    )

    it.effect("packs a server into one file that needs nothing beside it", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const out = join(yield* files.makeTempDirectoryScoped(), "notes")
        const ran = yield* ferrule([
          "plugin",
          join(quickstart, "connector.ts"),
          "--stdio",
          join(quickstart, "main.ts"),
          "--out",
          out,
          ...about
        ])
        assert.strictEqual(ran.code, 0, ran.stderr)
        assert.deepStrictEqual(yield* toolsOf(join(out, "server/main.mjs")), ["read_notes", "add_note"])
        if (claude !== undefined) {
          const { code, output } = yield* run(claude, ["plugin", "validate", out, "--strict"])
          assert.strictEqual(code, 0, output)
        }
      })
    )

    it.effect("makes an MCP bundle that the official tool validates and packs", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const out = join(yield* files.makeTempDirectoryScoped(), "notes")
        const ran = yield* ferrule([
          "plugin",
          join(quickstart, "connector.ts"),
          "--mcpb",
          "--stdio",
          join(quickstart, "main.ts"),
          "--out",
          out,
          "--secret",
          "NOTES_TOKEN=The token of the notes",
          ...about
        ])
        assert.strictEqual(ran.code, 0, ran.stderr)
        const mcpb = join(import.meta.dirname, "../node_modules/@anthropic-ai/mcpb/dist/cli/cli.js")
        const validated = yield* run(process.execPath, [mcpb, "validate", join(out, "manifest.json")])
        assert.strictEqual(validated.code, 0, validated.output)
        const packed = yield* run(process.execPath, [mcpb, "pack", out, `${out}.mcpb`])
        assert.strictEqual(packed.code, 0, packed.output)
        const manifest = JSON.parse(yield* files.readFileString(join(out, "manifest.json")))
        assert.deepStrictEqual(manifest.server.mcp_config.env, { NOTES_TOKEN: "${user_config.NOTES_TOKEN}" })
        assert.strictEqual(manifest.user_config.NOTES_TOKEN.sensitive, true)
      })
    )
  })
})

/** A PNG of one size, as far as its header goes. */
const icon = (files: FileSystem.FileSystem, path: string, size: number) => {
  const png = Buffer.alloc(64)
  png.writeUInt32BE(0x89504e47, 0)
  png.writeUInt32BE(0x49484452, 12)
  png.writeUInt32BE(size, 16)
  png.writeUInt32BE(size, 20)
  return Effect.as(files.writeFile(path, png), path)
}

const toolsOf = (script: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Client({ name: "test", version: "1.0.0" })),
    (client) =>
      Effect.promise(async () => {
        await client.connect(new StdioClientTransport({ command: process.execPath, args: [script], stderr: "ignore" }))
        return (await client.listTools()).tools.map(({ name }) => name)
      }),
    (client) => Effect.promise(() => client.close())
  )
