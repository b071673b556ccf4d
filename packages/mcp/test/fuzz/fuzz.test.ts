/**
 * A short run of the fuzzer with each `pnpm test`, and the judge before servers that are broken on purpose. The long run, with
 * seeds that differ, is `pnpm fuzz`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import * as Findings from "./Findings.ts"
import * as HttpRun from "./HttpRun.ts"
import * as StdioRun from "./StdioRun.ts"

// Each run starts a process, which a busy machine takes its time for.
vi.setConfig({ testTimeout: 300_000 })

const kindsOf = (findings: Findings.Findings): ReadonlyArray<string> => [...findings.faults.keys()]

describe("a server that is sent what no client would send", () => {
  it.live("answers all of it as documented, over HTTP", () =>
    Effect.gen(function* () {
      for (const seed of [1, 2]) {
        const findings = yield* HttpRun.run({ cases: 1000, seed, giants: 1, checkpoint: 250 })
        assert.deepStrictEqual(kindsOf(findings), [], Findings.table(`HTTP, seed ${seed}`, findings))
        assert.strictEqual(findings.cases, 1000)
      }
    })
  )

  it.live("answers all of it as documented, on stdio", () =>
    Effect.gen(function* () {
      for (const seed of [1, 2]) {
        const findings = yield* StdioRun.run({ cases: 1000, seed, giants: 1, checkpoint: 200 })
        assert.deepStrictEqual(kindsOf(findings), [], Findings.table(`stdio, seed ${seed}`, findings))
        assert.isAtLeast(findings.cases, 1000)
      }
    })
  )
})

describe("the judge finds a server", () => {
  const short = { seed: 1, giants: 0, patience: "1 second" } as const

  it.live("that is wrong in many ways over HTTP", () =>
    Effect.gen(function* () {
      const findings = yield* HttpRun.run({ ...short, cases: 600, checkpoint: 150, broken: "many" })
      const kinds = kindsOf(findings)
      for (const kind of [
        "a handler ran for no valid call",
        "an id that was not asked",
        "keeps a handle",
        "logs an error",
        "no answer in time",
        "repeats a rejected value",
        "shows a stack",
        "status 500 instead of 415",
        "the heap grows",
        "unclassified: no JSON-RPC"
      ]) {
        assert.include(kinds, kind)
      }
    })
  )

  it.live("that is wrong in many ways on stdio", () =>
    Effect.gen(function* () {
      const findings = yield* StdioRun.run({ ...short, cases: 100, checkpoint: 50, broken: "many" })
      const kinds = kindsOf(findings)
      for (const kind of ["an answer to nothing", "no answer in time", "unclassified: no JSON"]) {
        assert.include(kinds, kind)
      }
    })
  )

  it.live("that ends before it should", () =>
    Effect.gen(function* () {
      for (const run of [HttpRun.run, StdioRun.run]) {
        const findings = yield* run({ ...short, cases: 100, checkpoint: 50, broken: "ends" })
        assert.include(kindsOf(findings), "the process has ended")
      }
    })
  )
})
