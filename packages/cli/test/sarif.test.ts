import { assert, describe, it } from "@effect/vitest"
import Ajv from "ajv-draft-04"
import addFormats from "ajv-formats"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import type { Log } from "sarif"
import { sarif } from "../src/reports/sarif.ts"
import { arbitraryReport } from "./fixtures/arbitraryReport.ts"
import { richReport } from "./fixtures/richReport.ts"

const schemaFile = createRequire(import.meta.url).resolve("@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json")
const ajv = new Ajv.default({ strict: false, unicodeRegExp: false, allErrors: true })
addFormats.default(ajv)
const isSarif = ajv.compile(JSON.parse(readFileSync(schemaFile, "utf8")))
const assertIsSarif = (text: string) => {
  isSarif(JSON.parse(text))
  assert.deepStrictEqual(isSarif.errors ?? [], [])
}

const log: Log = JSON.parse(sarif(richReport))
const run = log.runs[0]!

describe("the SARIF report", () => {
  it("is valid against the schema of SARIF 2.1.0", () => assertIsSarif(sarif(richReport)))

  it.prop("is valid, whatever is in the report", { report: arbitraryReport }, ({ report }) =>
    assertIsSarif(sarif(report))
  )

  it("has a rule for each check, and a result for each finding, at the module and the tool", () => {
    assert.strictEqual(run.tool.driver.rules!.length, richReport.checks.length)
    assert.deepStrictEqual(
      run.results!.map(({ level, ruleId }) => `${ruleId} ${level}`),
      ["A05 warning", "A05 warning", "A06 error", "A06 error", "A06 error", "A17 warning", "E04 error"]
    )
    assert.deepStrictEqual(run.results![6]!.locations, [
      {
        physicalLocation: {
          artifactLocation: { uri: "connectors/order-desk/connector.ts" },
          region: { startLine: 1 }
        },
        logicalLocations: [{ name: "read_contract", fullyQualifiedName: "order-desk/read_contract", kind: "function" }]
      }
    ])
    assert.strictEqual(run.tool.driver.rules![run.results![6]!.ruleIndex!]!.id, "E04")
  })

  it("suppresses what is accepted, with its reason, and nothing else", () => {
    assert.deepStrictEqual(
      run.results!.flatMap(({ ruleId, suppressions }) => (suppressions === undefined ? [] : [[ruleId, suppressions]])),
      [
        [
          "A17",
          [
            {
              kind: "inSource",
              status: "accepted",
              justification:
                "Cowork loads tools as they are searched for; the team splits it in the spring, when the areas get their own owners."
            }
          ]
        ]
      ]
    )
  })

  it("takes no text for a placeholder or a link", () => {
    const messages = run.results!.map(({ message }) => message.text)
    const report = {
      ...richReport,
      checks: [
        {
          ...richReport.checks[0]!,
          findings: [
            {
              check: "A01",
              severity: "block" as const,
              subject: "x",
              message: "{0} [a](https://b.example)",
              fix: "none"
            }
          ]
        }
      ]
    }
    const [result] = (JSON.parse(sarif(report)) as Log).runs[0]!.results!
    assert.strictEqual(result!.message.text, "x: {{0}} [a\\](https://b.example)\n\nFix: none")
    assert.strictEqual(messages.length, 7)
  })

  it.each([
    ["https://desk.example/mcp?a=b c", "https://desk.example/mcp?a=b%20c"],
    ["/srv/my desk/connector.ts", "file:///srv/my%20desk/connector.ts"],
    ["desk#1/connector.mjs", "desk%231/connector.mjs"],
    ["npx -y some-server", undefined]
  ])("locates what was audited at %s", (target, uri) => {
    const { runs } = JSON.parse(sarif({ ...richReport, target })) as Log
    assert.strictEqual(runs[0]!.results![0]!.locations![0]!.physicalLocation?.artifactLocation?.uri, uri)
  })
})
