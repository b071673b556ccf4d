import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const main = join(import.meta.dirname, "main.ts")

const connect = Effect.acquireRelease(
  Effect.promise(async () => {
    const client = new Client(
      { name: "test", version: "1.0.0" },
      { versionNegotiation: { mode: { pin: "2026-07-28" } } }
    )
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [main], stderr: "ignore" }))
    return client
  }),
  (client) => Effect.promise(() => client.close())
)

it.live("a note is added once and read back", () =>
  Effect.gen(function* () {
    const client = yield* connect
    const call = (name: string, args: Record<string, unknown>) =>
      Effect.promise(() => client.callTool({ name, arguments: args }))
    const note = { topic: "deploys", text: "Fridays are frozen." }

    const first = yield* call("add_note", note)
    const again = yield* call("add_note", note)
    const { structuredContent } = yield* call("read_notes", { topic: "deploys" })
    assert.deepStrictEqual(first.structuredContent, { count: 1 })
    assert.deepStrictEqual(again.structuredContent, { count: 1 })
    assert.isDefined(again._meta?.["ferrule/replayed"])
    assert.deepStrictEqual(structuredContent, { notes: ["Fridays are frozen."] })
  })
)

it("the quickstart fits in forty lines", () => {
  assert.isAtMost(readFileSync(main, "utf8").trimEnd().split("\n").length, 40)
})
