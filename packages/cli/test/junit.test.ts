import { assert, describe, it } from "@effect/vitest"
import { XmlDocument, XsdValidator } from "libxml2-wasm"
import { readFileSync } from "node:fs"
import { junit } from "../src/reports/junit.ts"
import { arbitraryReport } from "./fixtures/arbitraryReport.ts"
import { richReport } from "./fixtures/richReport.ts"

const validator = XsdValidator.fromDoc(
  XmlDocument.fromString(readFileSync(new URL("fixtures/junit.xsd", import.meta.url), "utf8"))
)

/** Reads the document, which is an error unless it is valid, and hands on the texts that were asked for. */
const read = (text: string, xpath = "/testsuites") => {
  using document = XmlDocument.fromString(text)
  validator.validate(document)
  return document.find(xpath).map((node) => node.content)
}

describe("the JUnit report", () => {
  it("is valid against the schema that Jenkins reads it by", () => {
    assert.strictEqual(read(junit(richReport)).length, 1)
  })

  it.prop("is valid, whatever is in the report", { report: arbitraryReport }, ({ report }) => {
    assert.strictEqual(read(junit(report)).length, 1)
  })

  it("has a failure for each check that failed, with its findings", () => {
    const text = junit(richReport)
    assert.deepStrictEqual(read(text, "//testcase[failure]/failure/@message"), [
      "2 findings",
      "3 findings",
      "read_contract: answers with the upstream's stack trace"
    ])
    const [failure] = read(text, "//testcase[starts-with(@name, 'E04')]/failure")
    assert.include(
      failure!,
      "Evidence: TypeError: Cannot read properties of undefined (reading 'rows')\n    at Contracts"
    )
    assert.include(failure!, "at <script>alert(1)</script>")
  })

  it("skips what was not run, not seen or not applicable, with the reason", () => {
    assert.deepStrictEqual(read(junit(richReport), "//skipped"), [
      "there is no plugin folder beside the module",
      "no handler called an upstream",
      "the module gives no store that outlives the process",
      "not run"
    ])
  })

  it("passes a check whose findings are all accepted, and keeps them with their reasons", () => {
    const [accepted] = read(junit(richReport), "//testcase[starts-with(@name, 'A17') and not(failure)]/system-out")
    assert.include(accepted!, "Accepted: Cowork loads tools as they are searched for")
  })

  it("counts as many tests and failures as there are", () => {
    assert.deepStrictEqual(read(junit(richReport), "/testsuites/@tests | /testsuites/@failures"), ["20", "3"])
  })
})
