import { assert, describe, it } from "@effect/vitest"
import { Connector, Policy, Tool } from "@ferrule/core"
import { Schema } from "effect"
import { staticChecks } from "../src/checks/index.ts"
import type { Fault } from "../src/internal/Check.ts"
import * as Subject from "../src/internal/Subject.ts"
import { faultySchemas } from "./fixtures/faultySchemas.ts"
import { faultyTexts } from "./fixtures/faultyTexts.ts"
import { fine } from "./fixtures/fine.ts"
import { desk, wire } from "./fixtures/serviceDesk.ts"

const faulty = [...faultyTexts, ...faultySchemas]

const outcomeOf = (id: string, subject: Subject.Subject) =>
  staticChecks.find(({ info }) => info.id === id)!.run(subject)
const faultsOf = (id: string, subject: Subject.Subject): ReadonlyArray<Fault> => {
  const outcome = outcomeOf(id, subject)
  assert("faults" in outcome, `${id} makes no judgement: ${JSON.stringify(outcome)}`)
  return outcome.faults
}

describe("each static check", () => {
  for (const [id, what, subject, where, message, evidence] of faulty) {
    it(`${id} finds ${what}`, () => {
      const found = faultsOf(id, subject).filter((fault) => fault.where === where && message.test(fault.message))
      assert.isAtLeast(found.length, 1, JSON.stringify(faultsOf(id, subject), null, 1))
      if (evidence !== undefined) assert.match(found[0]!.evidence ?? "", evidence)
    })
  }

  for (const [id, what, subject] of fine) {
    it(`${id} lets pass ${what}`, () => assert.deepStrictEqual(faultsOf(id, subject), []))
  }

  it("finds nothing in a clean connector, whether declared or listed", () => {
    for (const { info } of staticChecks) {
      for (const subject of [desk, wire]) {
        const outcome = outcomeOf(info.id, subject)
        assert.deepStrictEqual("faults" in outcome ? outcome.faults : [], [], info.id)
      }
    }
  })

  it("has a failing row, and says what goes wrong and what to do in sentences", () => {
    const failing = new Set(faulty.map(([id]) => id))
    for (const { info } of staticChecks.filter(({ info }) => info.id.startsWith("A") && info.id !== "A19")) {
      assert.isTrue(failing.has(info.id), info.id)
      for (const words of [info.why, info.fix]) assert.match(words, /^[A-Z].*\.$|^[A-Z].*"$/, info.id)
    }
  })

  it("says what a listing alone does not show", () => {
    assert.deepStrictEqual(outcomeOf("A13", wire), { notSeen: "Policies can't be seen from outside." })
    assert.deepStrictEqual(outcomeOf("A14", wire), {
      notSeen: "How repeats are recognised can't be seen from outside."
    })
  })

  it("warns of a value without bounds that has a reason, and shows it", () => {
    const Anything = Schema.String.annotate({
      description: "Any text.",
      unbounded: "Novels are searched by whole pages."
    })
    const Search = Tool.read("search_pages", {
      title: "Search pages",
      description: "Finds pages that hold a text. Use it to find one. It can't read it.",
      input: Schema.Struct({
        texts: Schema.Array(Anything).check(Schema.isMaxLength(3)).annotate({ description: "Up to 3." })
      }),
      output: Schema.Struct({ count: Schema.Int.annotate({ description: "How many." }) }),
      allow: Policy.role("reader")
    })
    const subject = Subject.ofConnector(Connector.make("pages", { version: "1.0.0", tools: [Search] }), {})
    assert.deepStrictEqual(faultsOf("A08", subject), [
      {
        subject: "search_pages",
        where: "/inputSchema/properties/texts/items",
        message: "is text without a greatest length, on purpose",
        evidence: "Reason given: Novels are searched by whole pages.",
        severity: "warn"
      }
    ])
  })
})
