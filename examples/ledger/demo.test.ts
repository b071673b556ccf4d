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

it.live("the demo plays its ten scenes, proves each of them, and exits with 0", () =>
  Effect.gen(function* () {
    const { code, written } = yield* play
    assert.strictEqual(code, 0, written)
    // As the lines would be without the width of a terminal.
    const text = written.replace(/\s+/g, " ")
    for (const sentence of [
      "✓ the challenge leads to the metadata (RFC 9728), and that to the identity provider",
      "✓ each token names its person and is for this connector alone",
      "✓ olga is an auditor and is shown list_entries, read_balance",
      "✓ 9,000.00 is more than a clerk posts; requests that the ledger has got: 1 before, 1 now",
      "✓ an accountant posts it, as himself",
      "✓ the first result comes from the connector's record; the ledger was not asked, and still has one such entry",
      "✓ the connector asked twice with one Idempotency-Key, which the ledger recognised: one entry",
      "✓ it is a good token of the same person by the same issuer, and is refused: it is for another audience",
      "✓ and an agent that asks for a token for the ledger itself is given none",
      "✓ the role would do, the scope does not",
      "✓ the ledger refuses it, and its log has the audience that it saw: the connector's",
      '"memo":"trace: │ Bearer <redacted>"',
      "✓ the fourth is refused before the ledger hears of it, and says how long to wait",
      "none failed; 67 documents posted are 67 entries",
      "✓ exchanges went on when the old secret was no longer taken",
      "one for each token and its life: cleo",
      "✓ nor can she sign in anew",
      "✓ none of the"
    ]) {
      assert.include(text, sentence)
    }
    for (const row of [
      "tool           clerk            accountant   auditor      no role",
      "list_entries   ledger:read      ledger:read  ledger:read  -",
      "read_balance   ledger:read      ledger:read  ledger:read  -",
      "post_entry     ledger:post (1)  ledger:post  -            -",
      "reverse_entry  -                ledger:post  -            -",
      "(1) provided that the amount is at most 500.00"
    ]) {
      assert.include(written, `   ${row}\n`)
    }
    assert.notInclude(written, "\u001b[")
  })
)
