import { AccessMatrix, Connector, Policy, Tool } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

const fields = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const tool = <const Name extends string>(name: Name, allow: Policy.Policy) =>
  Tool.read(name, {
    title: name,
    description: "Stands for a tool, in a test of policies.",
    input: fields,
    output: fields,
    allow
  })
const late = Policy.predicate("it is late", () => {
  throw new Error("a matrix runs no test")
})

const Office = Connector.make("office", {
  version: "1.0.0",
  tools: [
    tool("open", Policy.role("clerk", "boss")),
    tool("close", Policy.any(Policy.role("boss"), Policy.all(Policy.role("clerk"), late))),
    tool("pay", Policy.all(Policy.scope("money"), Policy.any(Policy.role("boss"), Policy.not(late)))),
    tool("leave", Policy.not(Policy.role("boss")))
  ]
})

const cells = (row: AccessMatrix.Row | undefined) => row?.cells.map(({ role, access }) => [role, access])

describe("an access matrix", () => {
  it("says of each tool and role whether it may be called: always, with arguments, with scopes or never", () => {
    const matrix = AccessMatrix.make(Office)
    assert.deepStrictEqual(
      matrix.map((row) => [row.tool, cells(row)]),
      [
        [
          "open",
          [
            ["clerk", "always"],
            ["boss", "always"],
            [undefined, "never"]
          ]
        ],
        [
          "close",
          [
            ["clerk", "with-arguments"],
            ["boss", "always"],
            [undefined, "never"]
          ]
        ],
        [
          "pay",
          [
            ["clerk", "with-scopes"],
            ["boss", "with-scopes"],
            [undefined, "with-scopes"]
          ]
        ],
        [
          "leave",
          [
            ["clerk", "always"],
            ["boss", "never"],
            [undefined, "always"]
          ]
        ]
      ]
    )
  })

  it("has each rule in words, with the scopes and predicates that decide", () => {
    const [, close, pay] = AccessMatrix.make(Office, ["clerk", "boss"])
    assert.strictEqual(close?.rule, "the role boss or (the role clerk and that it is late)")
    assert.deepStrictEqual(close.cells[0], {
      role: "clerk",
      access: "with-arguments",
      scopes: [],
      predicates: ["it is late"]
    })
    assert.deepStrictEqual(pay?.cells, [
      { role: "clerk", access: "with-scopes", scopes: ["money"], predicates: ["it is late"] },
      { role: "boss", access: "with-scopes", scopes: ["money"], predicates: [] }
    ])
  })

  it("has the tool that the connector adds", () => {
    const fields = Schema.Struct({
      name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." })
    })
    const Write = Tool.write("write", {
      title: "Write",
      description: "Stands for a tool, in a test of policies.",
      input: fields,
      output: fields,
      allow: Policy.role("clerk"),
      idempotency: { identity: ["name"], recovery: "repeatable" }
    })
    const Books = Connector.make("books", { version: "1.0.0", tools: [Write], operationStatus: Policy.role("auditor") })
    assert.deepStrictEqual(
      AccessMatrix.make(Books).map(({ tool, kind }) => [tool, kind]),
      [
        ["write", "write"],
        ["books_operation_status", "read"]
      ]
    )
    assert.deepStrictEqual(cells(AccessMatrix.make(Books)[1]), [
      ["clerk", "never"],
      ["auditor", "always"],
      [undefined, "never"]
    ])
  })
})
