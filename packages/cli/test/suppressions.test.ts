import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Suppression } from "../src/Audit.ts"
import { runAudit } from "../src/internal/runAudit.ts"
import * as Subject from "../src/internal/Subject.ts"
import { Desk } from "./fixtures/desk.ts"

/** A desk whose delete asks nobody. */
const subject = Subject.ofConnector(Desk, {})

const audited = (...suppressions: ReadonlyArray<Suppression>) =>
  Effect.map(runAudit(subject, { target: "desk.ts", bench: undefined, suppressions }), ({ checks }) => ({
    stale: checks.find(({ id }) => id === "A21")!,
    checks
  }))

describe("accepted findings", () => {
  it.effect("stay in the report with their reason, and do not count", () =>
    Effect.gen(function* () {
      const { checks, stale } = yield* audited({
        check: "A15",
        tool: "delete_ticket",
        reason: "Admins are asked anyway."
      })
      const check = checks.find(({ id }) => id === "A15")!
      assert.strictEqual(check.status, "passed")
      assert.deepStrictEqual(
        check.findings.map(({ accepted, subject }) => ({ accepted, subject })),
        [{ accepted: "Admins are asked anyway.", subject: "delete_ticket" }]
      )
      assert.strictEqual(stale.status, "passed")
    })
  )

  it.effect("that fit no check, no tool or nothing that is found are findings themselves", () =>
    Effect.gen(function* () {
      const { stale } = yield* audited(
        { check: "A99", reason: "It is noise." },
        { check: "A15", tool: "close_ticket", reason: "It is renamed." },
        { check: "A05", tool: "read_ticket", reason: "It is short on purpose." },
        { check: "A20", reason: "The pattern is from the upstream." }
      )
      assert.strictEqual(stale.status, "failed")
      assert.deepStrictEqual(
        stale.findings.map(({ message, severity, where }) => ({ message, severity, where })),
        [
          { message: "accepts A99, which is no check", severity: "warn", where: "/suppressions/0" },
          {
            message: "accepts A15 of close_ticket, which is no tool of this connector",
            severity: "warn",
            where: "/suppressions/1"
          },
          {
            message: "accepts A05 for read_ticket, and nothing of it is found",
            severity: "warn",
            where: "/suppressions/2"
          },
          { message: "accepts A20, and nothing of it is found", severity: "warn", where: "/suppressions/3" }
        ]
      )
    })
  )

  it.effect("of a check that was not made are left alone", () =>
    Effect.gen(function* () {
      const { stale } = yield* audited({ check: "A19", reason: "The lock is made in CI." })
      assert.strictEqual(stale.status, "passed")
    })
  )

  it.effect("have a reason, or the audit is refused", () =>
    Effect.gen(function* () {
      for (const reason of ["", "  \n"]) {
        const fault = yield* Effect.flip(audited({ check: "A15", tool: "delete_ticket", reason }))
        assert.strictEqual(
          fault.message,
          "The suppression of A15 for delete_ticket has no reason. Say in its reason why the team lives with the finding, or take it out."
        )
      }
    })
  )

  it.effect("of which there are none leave nothing to judge", () =>
    Effect.gen(function* () {
      const { stale } = yield* audited()
      assert.strictEqual(stale.status, "not applicable")
    })
  )
})
