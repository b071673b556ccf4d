import { assert, describe, it, layer } from "@effect/vitest"
import { IdempotencyStore, Principal } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Effect, Layer, Redacted, References } from "effect"
import { HttpServer } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { handlers } from "../templates/connector/handlers.ts"
import { Notes } from "../templates/connector/Notes.ts"
import { connector } from "../templates/connector/tools.ts"
import { ferrule } from "./ferrule.ts"

const template = join(import.meta.dirname, "../templates/connector")
const module = join(template, "connector.ts")
const command = `"${process.execPath}" "${join(template, "main.ts")}"`
const note = JSON.stringify({ topic: "deploys", text: "Fridays are frozen." })
const timeout = 60_000

/** Where the server that a command starts keeps what it keeps. */
const folder = mkdtempSync(join(tmpdir(), "ferrule-call-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** What differs from run to run: times, and the port. */
const stable = (text: string) =>
  text
    .replace(/\b\d+ ms/g, "N ms")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")

const gives = (
  claim: string,
  args: ReadonlyArray<string>,
  expected: { readonly code: number; readonly stdout?: string; readonly stderr?: string },
  options?: Parameters<typeof ferrule>[1]
) =>
  it.live(claim, () =>
    Effect.map(ferrule(args, options), ({ code, stderr, stdout }) =>
      assert.deepStrictEqual(
        { code, stdout: stable(stdout), stderr: stable(stderr) },
        { stdout: "", stderr: "", ...expected }
      )
    )
  )

const done = `add_note: done in N ms (my-connector 0.1.0, 2026-07-28)
{
  "count": 1
}
`

describe("ferrule call", { concurrent: true, timeout }, () => {
  gives(
    "calls a command's tool over stdio",
    ["call", command, "add_note", note],
    { code: 0, stdout: done },
    { env: { DATA: folder } }
  )
  gives("shows that a repeat was replayed, and when it was done", ["call", module, "add_note", note, "--repeat", "2"], {
    code: 0,
    stdout: `${done}add_note: replayed, done at TIME, in N ms (my-connector 0.1.0, 2026-07-28)\n{\n  "count": 1\n}\n`
  })
  gives(
    "a refusal shows its class and what to do next, and exits with 1",
    ["call", module, "add_note", '{"topic":"deploys"}', "--era", "2025-11-25"],
    {
      code: 1,
      stdout: `add_note: refused in N ms (my-connector 0.1.0, 2025-11-25)
add_note was not executed: an argument is wrong.
Class: ValidationError
Next: fix these arguments, then call again.
- text: is required (expected: a string of 1 to 500 characters)
`
    }
  )
  gives("a tool that the role does not have", ["call", module, "add_note", note, "--role", "reader"], {
    code: 2,
    stderr: "This caller has no tool add_note. It has read_notes.\n"
  })
  gives(
    "reads the arguments from standard input",
    ["call", module, "add_note", "-"],
    { code: 0, stdout: done },
    { stdin: note }
  )
  gives("arguments that are no JSON are not repeated", ["call", module, "add_note", "{secret"], {
    code: 2,
    stderr: `The arguments are no JSON object. Give them in single quotes: '{"topic":"deploys"}'.\n`
  })
  gives("a command that there is not", ["call", "no-such-command --stdio", "add_note"], {
    code: 2,
    stderr: "There is no command no-such-command. Install it, or give its path.\n"
  })
  gives(
    "a command that ends says its last words",
    ["call", `"${process.execPath}" -e 'console.error("no database"); process.exit(3)'`, "add_note"],
    {
      code: 2,
      stderr: `"${process.execPath}" -e 'console.error("no database"); process.exit(3)' ended before it answered over stdio. The last that it wrote on standard error: no database\n`
    }
  )

  it.live("--json prints a line for each call, for programs", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* ferrule(["call", module, "add_note", note, "--repeat", "2", "--json"])
      const lines = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
      assert.deepStrictEqual(
        lines.map(({ era, outcome, structuredContent }) => ({ era, outcome, structuredContent })),
        [
          { era: "2026-07-28", outcome: "done", structuredContent: { count: 1 } },
          { era: "2026-07-28", outcome: "replayed", structuredContent: { count: 1 } }
        ]
      )
      assert.strictEqual(code, 0)
    })
  )
})

describe("ferrule tools", { concurrent: true, timeout }, () => {
  gives("lists hints, required arguments and tokens", ["tools", module], {
    code: 0,
    stdout: `my-connector 0.1.0: 2 tools, about 305 tokens of definitions (2026-07-28)

TOOL        TITLE       HINTS                  REQUIRED     TOKENS
read_notes  Read notes  read-only, idempotent  topic        117
add_note    Add a note  writes, idempotent     topic, text  188
`
  })
  gives("a role that no policy names", ["tools", module, "--role", "boss"], {
    code: 2,
    stderr: `No policy of ${module} names the role boss. Its callers are reader, writer, no role.\n`
  })
  gives("a module without test layers", ["tools", join(template, "tools.ts")], {
    code: 2,
    stderr: `${join(template, "tools.ts")} exports a connector without the layers to start it with. Export Audit.make(connector, { layers }) of @ferrule/cli, or give the command that serves it in quotes.\n`
  })
})

const token = "a-token-that-nobody-else-has"
const server = Mcp.layerHttpServer(connector, { port: 0 }).pipe(
  Layer.provide([
    Layer.succeed(References.MinimumLogLevel, "None"),
    handlers.pipe(Layer.provide(Notes.layerMemory)),
    IdempotencyStore.layerMemory,
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)),
    Identity.layerTokens([{ token: Redacted.make(token), principal: Principal.make({ id: "me", roles: ["writer"] }) }])
  ])
)

layer(server, { excludeTestServices: true })("over HTTP", (it) => {
  const at = Effect.map(HttpServer.HttpServer, ({ address }) =>
    address._tag === "InetAddressV4" ? `http://127.0.0.1:${address.port}` : ""
  )
  const run = (path: string, args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
    Effect.flatMap(at, (url) => ferrule(["call", `${url}${path}`, "add_note", note, ...args], { env }))

  it.effect(
    "the token comes from an environment variable or a file",
    () =>
      Effect.gen(function* () {
        const fromEnv = yield* run("/mcp", ["--token-env", "NOTES_TOKEN"], { NOTES_TOKEN: token })
        assert.deepStrictEqual([fromEnv.code, stable(fromEnv.stdout)], [0, done])
        const file = join(folder, "token")
        writeFileSync(file, `${token}\n`)
        const fromFile = yield* run("/mcp", ["--token-file", file])
        assert.match(fromFile.stdout, /^add_note: replayed/)
      }),
    timeout
  )

  it.effect(
    "without a token, or with another, it says how to give one, and never what was given",
    () =>
      Effect.gen(function* () {
        const without = yield* run("/mcp", [])
        assert.deepStrictEqual(
          [without.code, stable(without.stderr)],
          [
            2,
            "http://127.0.0.1:PORT/mcp wants a token. Put it into an environment variable and name that with --token-env, or into a file for --token-file.\n"
          ]
        )
        const wrong = yield* run("/mcp", ["--token-env", "NOTES_TOKEN", "--debug"], {
          NOTES_TOKEN: "not-the-right-one-at-all"
        })
        assert.match(
          stable(wrong.stderr),
          /^http:\/\/127\.0\.0\.1:PORT\/mcp does not accept the token in the environment variable NOTES_TOKEN: it may have expired, or be for another address\.\n/
        )
        assert.notInclude(wrong.stderr, "not-the-right-one")
        assert.strictEqual(wrong.code, 2)
      }),
    timeout
  )

  it.effect(
    "an address that is no endpoint, and one that nothing listens at",
    () =>
      Effect.gen(function* () {
        const other = yield* run("/", [])
        assert.strictEqual(
          stable(other.stderr),
          "http://127.0.0.1:PORT/ is no MCP endpoint (HTTP 404). Its path is often /mcp.\n"
        )
        const free = yield* unusedPort
        const none = yield* ferrule(["tools", `http://127.0.0.1:${free}/mcp`])
        assert.strictEqual(
          none.stderr,
          `Nothing listens at http://127.0.0.1:${free}/mcp. Start the server, or correct the address.\n`
        )
      }),
    timeout
  )
})

const unusedPort = Effect.callback<number>((resume) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})
