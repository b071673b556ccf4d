import { assert, describe, it } from "@effect/vitest"
import { Client, type ClientOptions } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { Unauthenticated } from "@ferrule/mcp/Identity"
import { Effect, Layer } from "effect"
import { spawn } from "node:child_process"
import type { Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { vi } from "vitest"
import * as Serve from "../src/internal/serve.ts"
import { envelope, makeHost, tokens } from "./testHost.ts"

// Each test starts processes, which a busy machine takes its time for.
vi.setConfig({ testTimeout: 20_000 })

const file = fileURLToPath(new URL("stdioServer.ts", import.meta.url))

const connect = (options: ClientOptions) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1" }, options)
      await client.connect(new StdioClientTransport({ command: process.execPath, args: [file], stderr: "ignore" }))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the server, writes the input, closes it, and waits for the end of the program. */
const run = (input: string, ...args: ReadonlyArray<string>) => started(args, (stdin) => stdin.end(input))

/** Does the same, and keeps the input open. */
const runOpen = (input: string) => started([], (stdin) => stdin.on("error", () => undefined).write(input))

const started = (args: ReadonlyArray<string>, write: (stdin: Writable) => unknown) =>
  Effect.callback<Outcome>((resume) => {
    const child = spawn(process.execPath, [file, ...args])
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk) => (stdout += String(chunk)))
    child.stderr.on("data", (chunk) => (stderr += String(chunk)))
    child.on("close", (code) => resume(Effect.succeed({ code, stdout, stderr })))
    write(child.stdin)
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const line = (message: object) => JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n"
const call = (id: number, name: string) =>
  line({ id, method: "tools/call", params: { name, arguments: {}, _meta: envelope } })

const messages = (stdout: string) =>
  stdout
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text))

describe("a server on stdio", () => {
  for (const [era, mode] of [
    ["2026", { pin: "2026-07-28" }],
    ["2025", "legacy"],
    ["both", "auto"]
  ] as const) {
    it.effect(`serves a client of ${era}`, () =>
      Effect.gen(function* () {
        const client = yield* connect({ versionNegotiation: { mode } })
        assert.lengthOf((yield* Effect.promise(() => client.listTools())).tools, 9)
        const seen: Array<number> = []
        const steps = yield* Effect.promise(() =>
          client.callTool({ name: "steps" }, { onprogress: ({ progress }) => seen.push(progress) })
        )
        assert.deepStrictEqual(steps.content, [{ type: "text", text: '{"reported":true}' }])
        assert.deepStrictEqual(seen, [10, 50, 100])
        const noisy = yield* Effect.promise(() => client.callTool({ name: "noisy" }))
        assert.deepStrictEqual(noisy.content, [{ type: "text", text: "quiet" }])
      })
    )
  }

  it.effect("writes nothing but the protocol to its output", () =>
    Effect.gen(function* () {
      const { stderr, stdout } = yield* run(call(1, "noisy") + call(2, "broken"))
      assert.deepStrictEqual(
        messages(stdout).map(({ id }) => id),
        [1, 2]
      )
      for (const noise of ["a log", "the console", "the stream"]) assert.include(stderr, `noise from ${noise}`)
      assert.notInclude(stdout, "hunter2")
      assert.include(stderr, "hunter2")
    })
  )

  it.effect("answers what was asked before its input ended, and then ends", () =>
    Effect.gen(function* () {
      for (const way of ["effect", "layer"]) {
        const { code, stdout } = yield* run(call(1, "later") + call(2, "whoami"), way)
        const [whoami, later] = messages(stdout)
        assert.deepStrictEqual(whoami.result.structuredContent, { id: "ada" })
        assert.strictEqual(later.result.content[0].text, "later")
        assert.strictEqual(code, way === "effect" ? 0 : 130)
      }
    })
  )

  it.effect("answers two calls that have the same id, though the first takes longer", () =>
    Effect.gen(function* () {
      const { stdout } = yield* run(call(1, "later") + call(1, "whoami"), "layer")
      assert.deepStrictEqual(
        messages(stdout).map(({ id, result }) => [id, result.content[0].text === "later"]),
        [
          [1, false],
          [1, true]
        ]
      )
    })
  )

  it.effect("does not answer a call that was cancelled", () =>
    Effect.gen(function* () {
      const cancelled = line({ method: "notifications/cancelled", params: { requestId: 1 } })
      const { stdout } = yield* run(call(1, "slow") + cancelled + call(2, "whoami"))
      assert.deepStrictEqual(
        messages(stdout).map(({ id }) => id),
        [2]
      )
    })
  )

  it.effect("answers lines that are no message, and goes on", () =>
    Effect.gen(function* () {
      const { stdout } = yield* run(`nonsense\n\n[]\n{"jsonrpc":"2.0","id":7,"method":5}\n` + call(1, "whoami"))
      assert.deepStrictEqual(
        messages(stdout).map(({ id, error }) => [id, error?.code]),
        [
          [null, -32700],
          [null, -32600],
          [7, -32600],
          [1, undefined]
        ]
      )
    })
  )

  it.effect("takes a line with a mark of the byte order for no JSON, as the HTTP endpoint does", () =>
    Effect.gen(function* () {
      const { stdout } = yield* run(`\ufeff${call(1, "whoami")}${call(2, "whoami")}`)
      assert.deepStrictEqual(
        messages(stdout).map(({ id, error }) => [id, error?.code]),
        [
          [null, -32700],
          [2, undefined]
        ]
      )
    })
  )

  it.effect("says of wrong params that they are wrong, and not that the server failed", () =>
    Effect.gen(function* () {
      const { stdout } = yield* run(line({ id: 1, method: "initialize", params: { protocolVersion: 5 } }))
      assert.deepStrictEqual(
        messages(stdout).map(({ error }) => error),
        [{ code: -32602, message: "The params are not what this method takes" }]
      )
    })
  )

  it.effect("ends after a line that is too long, however long its client keeps the input open", () =>
    Effect.gen(function* () {
      const limit = 4 * 1024 * 1024
      const padded = (size: number) => " ".repeat(size - call(1, "whoami").length + 1) + call(1, "whoami")
      const longest = yield* run(padded(limit) + call(2, "whoami"))
      assert.deepStrictEqual(
        messages(longest.stdout).map(({ id }) => id),
        [1, 2]
      )
      const tooLong = yield* runOpen(padded(limit + 1) + call(2, "whoami"))
      assert.deepStrictEqual([tooLong.code, tooLong.stdout], [0, ""])
    })
  )

  it.effect("does not start with an identity that knows only bearer tokens", () =>
    Effect.gen(function* () {
      const host = Effect.map(makeHost, ({ host }) => host)
      const error = yield* Effect.flip(Layer.build(Serve.layerStdio(host).pipe(Layer.provide(tokens))))
      assert.deepStrictEqual(error, new Unauthenticated({ reason: "missing" }))
    })
  )
})
