import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { join } from "node:path"

const show = (...args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly code: number | null; readonly written: string }>((resume) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
      env: { ...process.env, FORCE_COLOR: undefined },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let written = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk) => (written += chunk))
    }
    child.once("close", (code) => resume(Effect.succeed({ code, written: written.replace(/\n +(?! )/g, " ") })))
    return Effect.sync(() => child.kill("SIGTERM"))
  })

/** The numbers in the sentence that was printed; a # stands for each. */
const numbersIn = (written: string, sentence: string): ReadonlyArray<number> => {
  const pattern = sentence.replace(/[.()]/g, "\\$&").replaceAll("#", "(\\d+)")
  const found = new RegExp(pattern).exec(written)
  assert.isNotNull(found, `"${sentence}" was not printed:\n${written}`)
  return found!.slice(1).map(Number)
}

describe("instances behind a balancer", () => {
  for (const store of ["postgres", "redis"]) {
    it.live(
      `write once, whichever of them are killed, replaced or paused, with their records in ${store}`,
      () =>
        Effect.gen(function* () {
          const { code, written } = yield* show("--store", store)
          assert.strictEqual(code, 0, written)
          const numbers = (sentence: string) => numbersIn(written, sentence)

          numbers("✓ 100 answers, byte for byte the same: 1 executed, 99 replayed, by 4 instances")
          numbers("✓ one ticket, and the desk was asked for one, once")

          numbers("✓ 120 calls for 60 tickets through 6 kills: 60 tickets, and every caller has its own")
          const [resent] = numbers(
            "The balancer sent # requests again, to another instance; the clients repeated # calls"
          )
          assert.isAtLeast(resent, 6)

          numbers("✓ one mail: the messenger was asked # times with one key, and sent it once; one reply on the ticket")
          numbers("✓ three tickets: what was written was found, and what was not was written")
          numbers("✓ asked again for the 61 tickets of before, processes that remember nothing give the 61 answers")

          const [calls] = numbers("✓ # calls while 4 instances were replaced: 0 failed")
          assert.isAtLeast(calls, 100)
          const [opened, kept] = numbers("✓ # tickets were asked for twice each: # tickets")
          assert.strictEqual(kept, opened)

          numbers("✓ one ticket: the desk was asked # times, and knows an operation that it has carried out")
          numbers("✓ 16 more calls get that ticket, to the byte, also from desk-#")
          numbers("✓ 18 processes have served as 4 instances.")
        }),
      240_000
    )
  }
})
