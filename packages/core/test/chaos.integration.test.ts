/**
 * A short run of the chaos benchmark, which starts a PostgreSQL and a Redis of its own: `benchmarks/chaos/main.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { text } from "node:stream/consumers"

interface Row {
  readonly store: string
  readonly recovery: string
  readonly faults: { readonly kill: number }
  readonly answers: { readonly done: number }
  readonly operations: number
  readonly broken: Readonly<Record<string, number>>
  readonly stories: ReadonlyArray<ReadonlyArray<string>>
}

const chaos = async (...args: ReadonlyArray<string>) => {
  const main = join(import.meta.dirname, "../../../benchmarks/chaos/main.ts")
  const child = spawn(process.execPath, [main, "--json", ...args], { stdio: ["ignore", "pipe", "inherit"] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")])
  assert.isNotEmpty(output, `chaos ended with code ${code}`)
  return { code, rows: (JSON.parse(output) as { readonly rows: ReadonlyArray<Row> }).rows }
}

// A machine that is busy takes its time to start a process, and this starts hundreds.
const timeout = 240_000

describe("processes that are killed in the middle of writes", () => {
  it(
    "write once, lose no result and give every caller the same one, on each store and with each recovery",
    async () => {
      const { code, rows } = await chaos("--faults", "kill+drop", "--for", "1500ms")
      assert.deepStrictEqual(
        rows.map(({ recovery, store }) => `${store} ${recovery}`),
        [
          "sqlite repeatable",
          "sqlite downstream-key",
          "sqlite reconcile",
          "sqlite unknown",
          "postgres repeatable",
          "postgres downstream-key",
          "postgres reconcile",
          "postgres unknown",
          "postgres transactional",
          "redis repeatable",
          "redis downstream-key",
          "redis reconcile",
          "redis unknown"
        ]
      )
      for (const { answers, broken, faults, operations, recovery, stories, store } of rows) {
        const row = `${store} ${recovery}`
        assert.isAbove(faults.kill, 0, row)
        assert.isAbove(answers.done, 0, row)
        assert.isAbove(operations, 0, row)
        assert.deepStrictEqual(
          broken,
          { duplicate: 0, lost: 0, diverging: 0, ghost: 0, conflict: 0, unexplained: 0, open: 0, failed: 0 },
          `${row}: ${stories.flat().join("\n")}`
        )
      }
      assert.strictEqual(code, 0)
    },
    timeout
  )

  it(
    "write twice where a lapsed lease is taken for a write that has not happened",
    async () => {
      const { code, rows } = await chaos("--control", "--stores", "sqlite", "--faults", "kill", "--for", "5s")
      assert.strictEqual(rows.length, 1)
      assert.isAbove(rows[0].broken["duplicate"], 0)
      assert.strictEqual(code, 0)
    },
    timeout
  )
})
