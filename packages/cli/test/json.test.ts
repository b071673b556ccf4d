import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Report } from "../src/Report.ts"
import { json } from "../src/reports/json.ts"
import { readJson } from "../../core/test/fixtures/readJson.ts"
import { arbitraryReport } from "./fixtures/arbitraryReport.ts"
import { richReport } from "./fixtures/richReport.ts"

const read = Schema.decodeUnknownSync(Report)

describe("the JSON report", () => {
  it("is the report again when it is decoded", () => {
    assert.deepStrictEqual(read(JSON.parse(json(richReport))), richReport)
  })

  it.prop("is the same report again, whatever is in it", { report: arbitraryReport }, ({ report }) => {
    // A negative zero is a zero in JSON.
    assert.deepStrictEqual(read(readJson(json(report))), readJson(JSON.stringify(report)))
  })
})
