import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { conformanceHost, everybody } from "./conformanceHost.ts"
import { serve } from "./testHost.ts"

const suite = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"))

/** The scenarios that a server of tools can pass; the rest is about resources, prompts and questions to the user. */
const applicable = {
  "2026-07-28": [
    "server-stateless",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "tools-call-with-progress",
    "json-schema-2020-12",
    "server-sse-multiple-streams",
    "sep-2164-resource-not-found",
    "dns-rebinding-protection",
    "caching",
    "http-header-validation",
    "http-custom-header-server-validation",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input"
  ],
  "2025-11-25": [
    "server-initialize",
    "ping",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "tools-call-with-progress",
    "json-schema-2020-12",
    "dns-rebinding-protection"
  ]
}

/** Checks inside these scenarios that a server of tools cannot pass. */
const expectedFailures: Record<string, string> = {
  // The suite looks for tools that ask the user, or log to the client; neither exists here.
  "server-stateless:sep-2575-server-rejects-undeclared-capability": "needs the tool test_missing_capability",
  "server-stateless:sep-2575-missing-capability-http-400": "needs the tool test_missing_capability",
  "server-stateless:sep-2575-http-server-no-independent-requests-on-stream":
    "needs the tool test_streaming_elicitation",
  "server-stateless:sep-2575-server-no-log-without-loglevel": "needs the tool test_logging_tool",
  "caching:sep-2549-prompts-list-caching-hints": "there are no prompts",
  "caching:sep-2549-resources-list-caching-hints": "there are no resources",
  "caching:sep-2549-resources-templates-list-caching-hints": "there are no resources"
}

interface Check {
  readonly id: string
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO"
  readonly errorMessage?: string
}

const runSuite = (url: string, revision: string, folder: string) =>
  Effect.callback<void>((resume) => {
    const args = [suite, "server", "--url", url, "--suite", "all", "--spec-version", revision, "-o", folder]
    // Its exit code counts the scenarios that do not apply, so only the recorded checks are read.
    const child = execFile(process.execPath, args, () => resume(Effect.void))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const checksOf = (folder: string, scenario: string): ReadonlyArray<Check> => {
  const runs = readdirSync(folder).filter((name) => name.replace(/-\d{4}-\d\d-\d\dT.*$/, "") === `server-${scenario}`)
  assert.lengthOf(runs, 1, `one run of ${scenario}`)
  return JSON.parse(readFileSync(join(folder, runs[0]!, "checks.json"), "utf8"))
}

describe("the official conformance suite", () => {
  for (const [revision, scenarios] of Object.entries(applicable)) {
    // Live, because a tool of the suite waits between its reports.
    it.live(`passes for revision ${revision}`, () =>
      Effect.gen(function* () {
        const folder = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-conformance-"))),
          (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
        )
        const url = yield* serve(conformanceHost, {}, everybody)
        yield* runSuite(String(url).replace("127.0.0.1", "localhost"), revision, folder)
        const failed: Array<string> = []
        for (const scenario of scenarios) {
          const checks = checksOf(folder, scenario)
          for (const { errorMessage, id, status } of checks) {
            const name = `${scenario}:${id}`
            if (status === "FAILURE" && !(name in expectedFailures)) failed.push(`${name}: ${errorMessage}`)
            if (status === "SUCCESS" && name in expectedFailures) failed.push(`${name}: passes unexpectedly`)
          }
        }
        assert.deepStrictEqual(failed, [])
      })
    )
  }
})
