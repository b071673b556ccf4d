import { assert, describe, it } from "@effect/vitest"
import { terminal } from "../src/reports/terminal.ts"
import { arbitraryReport } from "./fixtures/arbitraryReport.ts"
import { hostileTexts } from "./fixtures/hostileTexts.ts"
import { richReport } from "./fixtures/richReport.ts"

const plain = terminal(richReport, { colors: false })

describe("the summary on the terminal", () => {
  it("starts with the four questions and their answers", () => {
    assert.deepStrictEqual(plain.split("\n").slice(0, 11), [
      "Order desk 2.4.1",
      "connectors/order-desk/connector.ts, 2026-11-23 02:00 UTC, Ferrule 0.1.0, with probes",
      "",
      "  yes   Can the model never see a raw credential?",
      "        A09, D01 found nothing that blocks it.",
      "  NO    Does every tool have a strict schema with descriptions?",
      "        A06 found what blocks it.",
      "  NO    Does every error name the fault and its class?",
      "        E04 found what blocks it.",
      "  open  Is every write idempotent?",
      "        Not everything could be seen: F03."
    ])
  })

  it("lists blockers, then warnings, then what is accepted and why, then what people confirm, then the counts", () => {
    const headings = plain.split("\n").filter((line, index, lines) => lines[index - 1] === "" && /^\S/.test(line))
    assert.deepStrictEqual(headings, [
      "4 blockers",
      "2 warnings",
      "1 finding accepted by the team",
      "5 points for people to confirm",
      "Checks and cost",
      "Blocked by 4 findings; 2 warnings to look at."
    ])
    assert.include(plain, "  E04  A defect tells a reference and nothing else\n       - read_contract: answers with")
    assert.include(plain, "       Accepted: Cowork loads tools as they are searched for;")
    assert.include(plain, "  3 failed, 13 passed, 1 not applicable, 1 not seen, 2 not run.\n")
    assert.include(
      plain,
      "  60 tools take about 17,490 tokens of a model's context; the largest, delete_account, takes 403.\n"
    )
  })

  it("shows what a text hides, and passes on nothing that steers the terminal", () => {
    assert.include(plain, String.raw`\u{001B}[2J`)
    assert.include(plain, String.raw`ig\u{200B}nore`)
    assert.include(plain, String.raw`\u{202E}ruoy ot\u{202C}`)
    assert.notInclude(plain, hostileTexts.bidi)
  })

  it.prop(
    "has no control character and no line of more than 100 columns, whatever is in the report",
    { report: arbitraryReport },
    ({ report }) => {
      const text = terminal(report, { colors: false })
      assert.notMatch(text, /[^\P{C}\n]/u)
      assert.isAtMost(Math.max(...text.split("\n").map((line) => [...line].length)), 100)
    }
  )

  it("says the same with colours as without", () => {
    const painted = terminal(richReport, { colors: true })
    assert.include(painted, "\u001B[1;31mNO  \u001B[0m")
    // eslint-disable-next-line no-control-regex
    assert.strictEqual(painted.replace(/\u001B\[[0-9;]*m/g, ""), plain)
  })
})
