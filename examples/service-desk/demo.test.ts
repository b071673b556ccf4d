import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"

const play = Effect.callback<{ readonly code: number | null; readonly written: string }>((resume) => {
  const child = spawn(process.execPath, [join(import.meta.dirname, "demo.ts")], {
    env: { ...process.env, FORCE_COLOR: undefined },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let written = ""
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk) => (written += chunk))
  child.once("close", (code) => resume(Effect.succeed({ code, written })))
  return Effect.sync(() => child.kill("SIGTERM"))
})

it.live("the demo plays its seven scenes, proves each of them, and prints no escape codes into a pipe", () =>
  Effect.gen(function* () {
    const { code, written } = yield* play
    assert.strictEqual(code, 0, written)
    for (const sentence of [
      "✓ five faults in one answer, and the desk is untouched",
      "│ - requester: is required",
      "✓ one row in the desk",
      "│ JSON-RPC error -32602: Unknown tool",
      "│ Class: AuthorizationError",
      "✓ 429, 503, 200: 3 attempts in",
      "✓ 2 attempts with one key",
      "│ Class: OutcomeUnknown",
      "✓ five answers, one execution, one row in the desk",
      "✓ the interrupted write, once more",
      "✓ 3 tickets, created by 9 calls and through a SIGKILL, are 3 rows."
    ]) {
      assert.include(written, sentence)
    }
    assert.notInclude(written, "\u001b[")
  })
)
