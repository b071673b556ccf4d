import { assert, describe, it } from "@effect/vitest"
import { fieldsOf, isOpen } from "../src/reports/html/parameters.ts"
import { richReport } from "./fixtures/richReport.ts"

const lines = (schema: unknown) =>
  fieldsOf(schema).map(({ bounds, description, path, required, type }) =>
    [path, type, bounds.join("; "), required === undefined ? "each" : required ? "required" : "optional", description]
      .filter((part) => part !== "" && part !== undefined)
      .join(" | ")
  )

describe("the parameters of a tool", () => {
  it("are lines with their types, bounds and descriptions, however deep", () => {
    const create = richReport.tools.find(({ name }) => name === "create_ticket")!
    assert.deepStrictEqual(lines(create.inputSchema), [
      "subject | text | 1 to 120 characters | required | One line, 1 to 120 characters.",
      "address | object | optional | Where it goes.",
      "address.street | text | at most 200 characters | optional | Street and number.",
      "address.country | text | matches ^[A-Z]{2}$ | required | ISO 3166 code, such as DE.",
      "lines | list of object | 1 to 20 items | required | What it is made of.",
      "lines[].sku | text | matches ^[A-Z0-9-]{4,20}$ | required | The article's number.",
      "lines[].quantity | whole number | 1 to 999 | required | How many.",
      "lines[].discount | number or text or null | more than 0; less than 1; matches ^\\d+\\.\\d{2}$ | optional | A share or an amount."
    ])
  })

  it("tell values, defaults and maps", () => {
    assert.deepStrictEqual(
      lines({
        properties: {
          status: { enum: ["open", null] },
          kind: { const: "a" },
          tags: { type: "array", items: { type: "string", maxLength: 9 }, uniqueItems: true },
          counts: { type: "object", additionalProperties: { type: "integer", minimum: 0 } },
          when: { type: ["string", "null"], format: "date-time", default: "now" }
        }
      }),
      [
        'status | one value of | "open", null | optional',
        'kind | one value of | always "a" | optional',
        "tags | list of text | no item twice | optional",
        "tags[] | text | at most 9 characters | each",
        "counts | object | optional",
        "counts.* | whole number | at least 0 | each",
        'when | text or null | format date-time; "now" unless given | optional'
      ]
    )
  })

  it("end where a schema refers to itself or to nothing", () => {
    const tree = {
      $defs: { Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" } } } },
      properties: {
        root: { $ref: "#/$defs/Node" },
        lost: { $ref: "#/$defs/None" },
        loop: { $ref: "#/properties/loop" }
      }
    }
    const paths = fieldsOf(tree).map(({ path }) => path)
    assert.deepStrictEqual(paths.slice(0, 2), ["root", "root.next"])
    assert.includeMembers(paths, ["lost", "loop"])
    assert.isBelow(paths.length, 12)
  })

  it("are none where there is no schema, and open unless they are closed", () => {
    for (const none of [true, null, [], "object", {}]) assert.deepStrictEqual(fieldsOf(none), [])
    assert.isTrue(isOpen({ type: "object" }))
    assert.isFalse(isOpen({ additionalProperties: false }))
  })
})
