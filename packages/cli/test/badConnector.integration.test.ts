import { findingsOf } from "@ferrule/cli/Report"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Bench from "../src/internal/Bench.ts"
import { runAudit } from "../src/internal/runAudit.ts"
import * as Subject from "../src/internal/Subject.ts"
import * as drift from "../src/lock/drift.ts"
import * as LockFile from "../src/lock/LockFile.ts"
import { badConnector } from "./fixtures/badConnector.ts"

it.live(
  "a connector that does everything wrong shows a finding of every check that a connector can violate",
  () =>
    Effect.gen(function* () {
      const { connector, suppressions } = badConnector
      const subject = Subject.ofConnector(connector, badConnector.arguments)
      const approved = LockFile.ofSubject({ ...subject, tools: subject.tools.slice(1) })
      const lock = {
        path: "ferrule.lock.json",
        tools: subject.tools.length - 1,
        drift: yield* drift.between(approved, LockFile.ofSubject(subject))
      }
      const bench = yield* Bench.make(badConnector)
      const report = yield* runAudit({ ...subject, lock }, { target: "badConnector.ts", bench, suppressions })
      // A probe that was cut off has found nothing out.
      const found = new Set(
        findingsOf(report)
          .filter(({ message }) => !message.includes("cut off") && !message.includes("can't be built"))
          .map(({ check }) => check)
      )
      // The protocol and the pipeline answer these, whatever a connector does.
      const notItsOwn = ["E02", "E04"]
      assert.deepStrictEqual(
        report.checks.map(({ id }) => id).filter((id) => /^[AEFG]/.test(id) && !found.has(id)),
        notItsOwn
      )
      assert.deepStrictEqual(
        report.questions.map(({ answer }) => answer),
        ["no", "no", "no", "no"]
      )
    }).pipe(Effect.scoped),
  300_000
)
