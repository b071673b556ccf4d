import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const timeout = 60_000

it.live(
  "the demo issues one badge, through two servers and a kill -9",
  () =>
    Effect.gen(function* () {
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, [join(import.meta.dirname, "demo.ts")], { timeout })
      )
      const number = /"badge":(\d{6})/.exec(stdout)?.[1]
      const [title, one, two, ...rest] = stdout.trimEnd().replaceAll(`${number}`, "N").split("\n")
      assert.deepStrictEqual(
        [title, ...[one, two].sort(), ...rest],
        [
          "Two servers are asked for the badge of one visitor, at once:",
          '  {"visitor":"Kim Lee","badge":N}, issued before',
          '  {"visitor":"Kim Lee","badge":N}, issued now',
          "The first one is asked again:",
          '  {"visitor":"Kim Lee","badge":N}, issued before',
          "Both are killed. A new one is asked:",
          '  {"visitor":"Kim Lee","badge":N}, issued before',
          "Badges on the list: 1"
        ]
      )
    }),
  timeout
)

it.live(
  "two servers that are asked for the same forty badges at once issue each of them once",
  () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-badges-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const connect = Effect.acquireRelease(
        Effect.promise(async () => {
          const client = new Client({ name: "test", version: "1.0.0" })
          const args = [join(import.meta.dirname, "main.ts")]
          const env = { BADGES_FOLDER: folder }
          await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: "ignore" }))
          return client
        }),
        (client) => Effect.promise(() => client.close())
      )
      const clients = yield* Effect.all([connect, connect], { concurrency: 2 })
      const visitors = Array.from(
        { length: 40 },
        (_, index) => `Visitor ${"ABCDEFGH"[index % 8]}${"IJKLM"[index >> 3]}`
      )
      const issued = yield* Effect.forEach(
        visitors.flatMap((visitor) => clients.map((client) => ({ client, visitor }))),
        ({ client, visitor }) =>
          Effect.promise(() =>
            client.callTool({ name: "issue_badge", arguments: { visitor, day: "2026-05-01" } })
          ).pipe(Effect.map(({ structuredContent }) => JSON.stringify(structuredContent))),
        { concurrency: "unbounded" }
      )
      const listed = readFileSync(join(folder, "badges.txt"), "utf8").trimEnd().split("\n")
      assert.deepStrictEqual(listed.map((line) => line.split("\t")[1]).sort(), [...visitors].sort())
      for (const [index] of visitors.entries()) assert.strictEqual(issued[2 * index], issued[2 * index + 1])
    }),
  timeout
)
