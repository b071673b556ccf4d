/** The proof of access over stdio: each caller of each era is served by a process of its own, which says what it ran. */
import { assert, describe } from "@effect/vitest"
import type { ClientOptions } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { desk, gatehouse, type Subject } from "./fixtures/access.ts"
import { type Caller, connect, play, proves } from "./fixtures/accessProof.ts"

const file = fileURLToPath(new URL("accessServer.ts", import.meta.url))

const overStdio = (subject: Subject, options: ClientOptions) =>
  Effect.map(
    Effect.forEach(subject.callers, (caller) => oneProcess(subject, caller, options), { concurrency: 2 }),
    (counts) => counts.reduce((sum, count) => sum + count, 0)
  )

const oneProcess = Effect.fnUntraced(function* (subject: Subject, caller: Caller, options: ClientOptions) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [file, subject.connector.name, caller.id],
    stderr: "pipe"
  })
  let written = ""
  const ended = new Promise((resolve) => {
    transport.stderr?.on("data", (chunk) => (written += String(chunk))).on("end", resolve)
  })
  const due = yield* Effect.scoped(
    Effect.flatMap(connect(transport, options), (client) => play(client, subject, caller))
  )
  yield* Effect.promise(() => ended)
  assert.deepStrictEqual(
    written.split("\n").filter((line) => line.startsWith("ran ")),
    due.map((tool) => `ran ${tool}`)
  )
  return due.length
})

for (const [subject, allowed] of [
  [desk as Subject, 25],
  [gatehouse as Subject, 173]
] as const) {
  describe(`access to ${subject.connector.name}`, () => {
    proves("stdio", subject, allowed, (options) => overStdio(subject, options))
  })
}
