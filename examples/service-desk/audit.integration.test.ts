import { Report } from "@ferrule/cli"
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"

const ferrule = join(import.meta.dirname, "../../packages/cli/src/main.ts")
const timeout = 300_000

it.effect(
  "the audit of the desk answers the four questions with yes, and finds nothing that blocks it",
  () =>
    Effect.gen(function* () {
      const { status, stdout } = spawnSync(
        process.execPath,
        [ferrule, "audit", join(import.meta.dirname, "connector.ts"), "--probe", "--locked", "--json", "-"],
        { encoding: "utf8", maxBuffer: 64 * 1024 * 1024, timeout }
      )
      const report = yield* Schema.decodeEffect(Schema.fromJsonString(Report.Report))(stdout)
      const blockers = Report.findingsOf(report).filter(({ severity }) => severity === "block")
      assert.deepStrictEqual(blockers, [])
      assert.deepStrictEqual(
        report.questions.map(({ answer, id }) => [id, answer]),
        [
          ["credentials", "yes"],
          ["schemas", "yes"],
          ["errors", "yes"],
          ["writes", "yes"]
        ]
      )
      assert.strictEqual(status, 0)
    }),
  timeout
)
