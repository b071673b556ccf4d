/**
 * Asks for one badge in every way that makes a second one elsewhere: again, from two servers at once, and after a
 * `kill -9`. It prints the answers, and exits with 1 unless the list of badges has one line.
 */
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-badges-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** A server of its own process, with the folder that all of them share. */
const start = (folder: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "demo", version: "1.0.0" })
      const transport = new StdioClientTransport({
        command: process.execPath,
        args: [join(import.meta.dirname, "main.ts")],
        env: { BADGES_FOLDER: folder },
        stderr: "ignore"
      })
      await client.connect(transport)
      return { client, pid: transport.pid! }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

const issue = ({ client }: Effect.Success<ReturnType<typeof start>>) =>
  Effect.gen(function* () {
    const visitor = { visitor: "Kim Lee", day: "2026-05-01" }
    const answer = yield* Effect.promise(() => client.callTool({ name: "issue_badge", arguments: visitor }))
    const issued = answer._meta?.["ferrule/replayed"] === undefined ? "now" : "before"
    yield* Console.log(`  ${JSON.stringify(answer.structuredContent)}, issued ${issued}`)
  })

const demo = Effect.gen(function* () {
  const path = yield* folder
  const [one, two] = yield* Effect.all([start(path), start(path)], { concurrency: 2 })
  yield* Console.log("Two servers are asked for the badge of one visitor, at once:")
  yield* Effect.all([issue(one), issue(two)], { concurrency: 2 })
  yield* Console.log("The first one is asked again:")
  yield* issue(one)
  process.kill(one.pid, "SIGKILL")
  process.kill(two.pid, "SIGKILL")
  yield* Console.log("Both are killed. A new one is asked:")
  yield* issue(yield* start(path))
  const badges = readFileSync(join(path, "badges.txt"), "utf8").trimEnd().split("\n").length
  yield* Console.log(`Badges on the list: ${badges}`)
  if (badges !== 1) process.exitCode = 1
})

runMain(Effect.scoped(demo))
