import { assert, describe, it } from "@effect/vitest"
import { Context, DateTime, Effect, Option, Redacted, Result, Schema, SchemaGetter } from "effect"
import { isCredentialName } from "../src/internal/credentialName.ts"
import * as ToolSchema from "../src/ToolSchema.ts"

const text = (max: number) => Schema.String.check(Schema.isMaxLength(max))

/** A schema without services, whatever it holds. */
type Any = Schema.Codec<unknown, unknown>

const field = <S extends Schema.Top>(schema: S): S["Rebuild"] => schema.annotateKey({ description: "Some field." })

const built = <A>(result: Result.Result<ToolSchema.ToolSchema<A>, ReadonlyArray<string>>): ToolSchema.ToolSchema<A> =>
  Result.getOrThrowWith(result, (faults) => new Error(faults.join("\n")))

const input = <A>(schema: ToolSchema.Source<A>) => built(ToolSchema.input(schema))

const output = <A>(schema: ToolSchema.Source<A>) => built(ToolSchema.output(schema))

const refusals = <A>(result: Result.Result<A, ToolSchema.Issues>): ToolSchema.Issues =>
  Result.match(result, {
    onSuccess: (value) => assert.fail(`accepted ${JSON.stringify(value)}`),
    onFailure: (issues) => issues
  })

const lines = <A>(result: Result.Result<A, ToolSchema.Issues>): ReadonlyArray<string> =>
  refusals(result).map(({ path, message }) => `${path} ${message}`.trim())

const faults = (schema: ToolSchema.Source<unknown>): ReadonlyArray<string> =>
  Result.match(ToolSchema.input(schema), { onSuccess: () => [], onFailure: (faults) => faults })

const outputFaults = (schema: ToolSchema.Source<unknown>): ReadonlyArray<string> =>
  Result.match(ToolSchema.output(schema), { onSuccess: () => [], onFailure: (faults) => faults })

const fieldFaults = (schema: Any): ReadonlyArray<string> => faults(Schema.Struct({ a: field(schema) }))

const Ticket = Schema.Struct({
  queue: Schema.Literals(["billing", "support"]).annotate({ description: "Queue that owns the ticket." }),
  subject: Schema.String.check(Schema.isBetweenLength(1, 12)).annotate({ description: "One line." }),
  lines: Schema.Array(
    Schema.Struct({
      amount: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 })).annotate({ description: "Cents." }),
      note: Schema.optionalKey(text(5)).annotateKey({ description: "A remark." })
    })
  )
    .check(Schema.isMaxLength(3))
    .annotate({ description: "What is refunded." })
})

const ticket = { queue: "billing", subject: "Refund", lines: [{ amount: 5 }] }

describe("ToolSchema, what the model is shown", () => {
  it("a schema is a closed JSON Schema with every bound and description", () => {
    const { jsonSchema, fields, unbounded } = input(Ticket)
    assert.deepStrictEqual(jsonSchema, {
      type: "object",
      properties: {
        queue: { description: "Queue that owns the ticket.", type: "string", enum: ["billing", "support"] },
        subject: { description: "One line.", type: "string", minLength: 1, maxLength: 12 },
        lines: {
          description: "What is refunded.",
          type: "array",
          items: {
            type: "object",
            properties: {
              amount: { description: "Cents.", type: "integer", minimum: 1, maximum: 500 },
              note: { description: "A remark.", type: "string", maxLength: 5 }
            },
            required: ["amount"],
            additionalProperties: false
          },
          maxItems: 3
        }
      },
      required: ["queue", "subject", "lines"],
      additionalProperties: false
    })
    assert.deepStrictEqual(fields, ["queue", "subject", "lines"])
    assert.deepStrictEqual(unbounded, [])
  })

  it("the JSON Schema cannot be changed afterwards", () => {
    const properties = input(Ticket).jsonSchema["properties"] as Record<string, object>
    assert.isTrue(Object.isFrozen(properties))
    assert.isTrue(Object.isFrozen(properties["queue"]))
  })

  it("a tool without arguments takes an empty object", () => {
    const { jsonSchema, decode } = input(Schema.Struct({}))
    assert.deepStrictEqual(jsonSchema, { type: "object", properties: {}, additionalProperties: false })
    assert.deepStrictEqual(decode({}), Result.succeed({}))
    assert.deepStrictEqual(lines(decode({ a: 1 })), ["a is not a known field; there are no fields"])
    assert.deepStrictEqual(lines(decode([])), ["must be an object of arguments"])
  })

  it("a rule that only words can say is in the description, and is enforced", () => {
    const { jsonSchema, decode } = input(
      Schema.Struct({
        from: Schema.Int.check(
          Schema.isBetween({ minimum: 0, maximum: 10 }),
          Schema.makeFilter((n: number) => n % 2 === 0, { expected: "an even number" })
        ).annotate({ description: "First page" }),
        to: field(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 })))
      }).check(
        Schema.makeFilter(({ from, to }) => (from <= to ? undefined : { path: ["to"], issue: `${to} is too small` }), {
          expected: "to is not before from"
        })
      )
    )
    assert.deepStrictEqual(jsonSchema["description"], "Rule: to is not before from.")
    assert.deepStrictEqual((jsonSchema["properties"] as Record<string, unknown>)["from"], {
      description: "First page. Rule: an even number.",
      type: "integer",
      minimum: 0,
      maximum: 10
    })
    assert.deepStrictEqual(decode({ from: 2, to: 4 }), Result.succeed({ from: 2, to: 4 }))
    assert.deepStrictEqual(refusals(decode({ from: 3, to: 4 })), [
      { path: "from", message: "breaks the rule: an even number", expected: "an even number" }
    ])
    assert.deepStrictEqual(refusals(decode({ from: 4, to: 2 })), [
      { path: "to", message: "breaks the rule: to is not before from", expected: "to is not before from" }
    ])
  })

  it("titles, examples and defaults travel in their JSON form", () => {
    const { jsonSchema, decode } = input(
      Schema.Struct({
        since: Schema.DateTimeUtc.annotate({
          title: "Since",
          description: "The first moment.",
          examples: [DateTime.makeUnsafe("2026-01-31T09:30:00Z")]
        }),
        limit: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 })).pipe(
          Schema.withDecodingDefaultKey(Effect.succeed(10)),
          Schema.annotate({ description: "How many." })
        )
      })
    )
    const { since, limit } = jsonSchema["properties"] as Record<string, Record<string, unknown>>
    assert.strictEqual(since?.["title"], "Since")
    assert.strictEqual(since?.["format"], "date-time")
    assert.deepStrictEqual(since?.["examples"], ["2026-01-31T09:30:00.000Z"])
    assert.deepStrictEqual(limit, { description: "How many.", default: 10, type: "integer", minimum: 1, maximum: 50 })
    assert.deepStrictEqual(jsonSchema["required"], ["since"])
    assert.deepStrictEqual(
      decode({ since: "2026-01-31T09:30:00Z" }),
      Result.succeed({ since: DateTime.makeUnsafe("2026-01-31T09:30:00Z"), limit: 10 })
    )
  })

  it("literals side by side are one enum, and a union of structs is told apart by its literal field", () => {
    const Target = Schema.Union([
      Schema.Struct({ kind: Schema.Literal("order"), id: field(text(9)) }),
      Schema.Struct({ kind: Schema.Literal("person"), email: field(text(50)) })
    ])
    const { jsonSchema, decode } = input(
      Schema.Struct({ state: field(Schema.NullOr(Schema.Literals(["open", "shut"]))), target: field(Target) })
    )
    const { state } = jsonSchema["properties"] as Record<string, Record<string, unknown>>
    assert.deepStrictEqual(state, { description: "Some field.", enum: ["open", "shut", null] })
    assert.deepStrictEqual(lines(decode({ state: null, target: { kind: "person", email: 5 } })), [
      "target.email must be a string"
    ])
    assert.deepStrictEqual(lines(decode({ state: null, target: { kind: "firm" } })), [
      'target.kind must be one of "order", "person"'
    ])
    assert.deepStrictEqual(lines(decode({ state: null, target: {} })), ["target.kind is required"])
    assert.deepStrictEqual(lines(decode({ state: 1, target: null })), [
      'state must be one of "open", "shut", null',
      "target must be an object with kind, id, or an object with kind, email"
    ])
  })
})

describe("ToolSchema, what a refused call is told", () => {
  it("one answer names every fault, with what would be accepted", () => {
    const { decode } = input(Ticket)
    assert.deepStrictEqual(
      refusals(
        decode({ queue: "sales", lines: [{ amount: 0 }, { amount: 1.5, note: "too long" }, {}], colour: "red" })
      ),
      [
        { path: "queue", message: 'must be one of "billing", "support"', expected: 'one of "billing", "support"' },
        { path: "subject", message: "is required", expected: "a string of 1 to 12 characters" },
        { path: "lines[0].amount", message: "must be at least 1", expected: "an integer from 1 to 500" },
        { path: "lines[1].amount", message: "must be an integer", expected: "an integer from 1 to 500" },
        {
          path: "lines[1].note",
          message: "must be a string of at most 5 characters",
          expected: "a string of at most 5 characters"
        },
        { path: "lines[2].amount", message: "is required", expected: "an integer from 1 to 500" },
        {
          path: "colour",
          message: "is not a known field; known fields: queue, subject, lines",
          expected: "leave it out"
        }
      ]
    )
  })

  it("arguments that are no object are one fault", () => {
    for (const value of [undefined, null, 1, "{}", [], true, () => 1]) {
      assert.deepStrictEqual(refusals(input(Ticket).decode(value)), [
        { path: "", message: "must be an object of arguments", expected: "an object with queue, subject, lines" }
      ])
    }
  })

  it("rules are checked beside the contract, but never on a value that departs from it", () => {
    const seen: Array<number> = []
    const even = Schema.Int.check(
      Schema.isBetween({ minimum: 0, maximum: 10 }),
      Schema.makeFilter((n: number) => (seen.push(n), n % 2 === 0), { expected: "an even number" })
    )
    const { decode } = input(
      Schema.Struct({ all: field(Schema.Array(Schema.Struct({ n: field(even) })).check(Schema.isMaxLength(5))) })
    )
    seen.length = 0
    assert.deepStrictEqual(lines(decode({ all: [{ n: 99 }, { n: 3 }, { n: 4 }] })), [
      "all[0].n must be at most 10",
      "all[1].n breaks the rule: an even number"
    ])
    assert.deepStrictEqual(seen, [3, 4])
  })

  it("a rule that throws refuses the call without a word of what it threw", () => {
    const { decode } = input(
      Schema.Struct({
        a: field(
          text(9).check(
            Schema.makeFilter(
              (s: string): boolean => {
                throw new Error(s)
              },
              { expected: "a name" }
            )
          )
        )
      })
    )
    assert.deepStrictEqual(lines(decode({ a: "canary" })), ["could not be checked: a rule of this connector failed"])
  })

  it("more than fifty faults are counted, not listed", () => {
    const { decode } = input(Schema.Struct({ all: field(Schema.Array(Schema.Boolean).check(Schema.isMaxLength(100))) }))
    const issues = refusals(decode({ all: Array.from({ length: 100 }, () => 1) }))
    assert.strictEqual(issues.length, 51)
    assert.strictEqual(issues[49]?.path, "all[49]")
    assert.deepStrictEqual(issues[50], {
      path: "",
      message: "has 50 more faults",
      expected: "the faults above fixed first"
    })
  })

  it("faults that take much to say are counted sooner, and the first is always said", () => {
    const names = Array.from({ length: 40 }, (_, index) => `a_field_of_the_schema_${index}`)
    const { decode } = input(
      Schema.Struct(Object.fromEntries(names.map((name) => [name, Schema.optionalKey(field(text(9)))])))
    )
    const unknown = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`another_${index}`, 1]))
    const issues = refusals(decode(unknown))
    assert.isBelow(JSON.stringify(issues).length, 5000)
    assert.isAbove(issues.length, 2)
    assert.strictEqual(issues[0]?.path, "another_0")
    assert.strictEqual(issues.at(-1)?.message, `has ${60 - issues.length + 1} more faults`)

    const long = input(Schema.Struct({ a: field(Schema.Literals(names.map((name) => name.repeat(5)))) }))
    assert.deepStrictEqual(
      refusals(long.decode({ a: "x", b: 1 })).map(({ path }) => path),
      ["a", ""]
    )
  })

  it("items beyond the greatest length are not looked at", () => {
    const { decode } = input(Schema.Struct({ all: field(Schema.Array(Schema.Boolean).check(Schema.isMaxLength(2))) }))
    assert.deepStrictEqual(lines(decode({ all: Array.from({ length: 100_000 }, () => 1) })), [
      "all must be an array of at most 2 items",
      "all[0] must be true or false",
      "all[1] must be true or false"
    ])
  })

  it("no issue holds a rejected value, whatever the fault", () => {
    const canary = "sk-live canary 7319"
    const kinds: ReadonlyArray<Any> = [
      text(3),
      Schema.String.check(Schema.isMinLength(90), Schema.isMaxLength(99)),
      Schema.String.check(Schema.isPattern(/^x{1,3}$/)),
      Schema.String.check(Schema.isUUID()),
      Schema.String.check(Schema.isStartingWith("x"), Schema.isMaxLength(50)),
      Schema.Literal("a"),
      Schema.Literals(["a", "b"]),
      Schema.Enum({ A: "a", B: 2 }),
      Schema.Boolean,
      Schema.Null,
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      Schema.Array(text(3)).check(Schema.isMaxLength(3)),
      Schema.Tuple([text(3)]),
      Schema.Struct({ b: field(text(3)) }),
      Schema.NullOr(text(3)),
      Schema.Union([text(3), Schema.Boolean]),
      Schema.Union([Schema.TaggedStruct("A", {}), Schema.TaggedStruct("B", {})]),
      Schema.DateTimeUtc,
      Schema.Date,
      Schema.URL,
      Schema.BigDecimal,
      Schema.BigInt,
      text(50).check(Schema.makeFilter((s: string) => `no ${s}`, { expected: "something else" })),
      Schema.Union([
        text(50).check(Schema.makeFilter((s: string) => ({ path: [s], issue: s }), { expected: "something else" })),
        Schema.Boolean
      ])
    ]
    for (const kind of kinds) {
      const { decode } = input(Schema.Struct({ a: field(kind) }))
      const shapes = [
        canary,
        [canary],
        [canary, canary],
        { b: canary },
        { [canary]: canary },
        { _tag: canary },
        { _tag: "A", [canary]: 1 }
      ]
      for (const value of shapes) {
        for (const call of [{ a: value }, { a: value, [canary]: canary }, { [canary]: value }, value]) {
          const decoded = decode(call)
          assert.isTrue(Result.isFailure(decoded))
          assert.notInclude(JSON.stringify(decoded), "canary")
        }
      }
    }
  })

  it("a key that no field can have is not repeated", () => {
    assert.deepStrictEqual(lines(input(Schema.Struct({})).decode({ "ignore the above\nand": 1 })), [
      "(unnamed field) is not a known field; there are no fields"
    ])
  })
})

describe("ToolSchema, hostile and odd values", () => {
  it("keys of the prototype are unknown fields, and nothing is polluted", () => {
    const { decode } = input(Schema.Struct({ a: field(Schema.optionalKey(text(5))) }))
    for (const json of ['{"__proto__":{"a":"x"}}', '{"constructor":{"prototype":{"a":"x"}}}', '{"toString":1}']) {
      assert.strictEqual(refusals(decode(JSON.parse(json))).length, 1)
    }
    assert.strictEqual(Reflect.get({}, "a"), undefined)
  })

  it("inherited fields are not read", () => {
    const { decode } = input(Schema.Struct({ a: field(text(5)), b: Schema.optionalKey(field(Schema.DateTimeUtc)) }))
    assert.deepStrictEqual(lines(decode(Object.create({ a: "x" }))), ["a is required"])
    assert.deepStrictEqual(decode(Object.assign(Object.create({ b: 5 }), { a: "x" })), Result.succeed({ a: "x" }))
  })

  it("a field set to undefined is a field left out", () => {
    const { decode } = input(Schema.Struct({ a: field(text(5)), b: Schema.optionalKey(field(text(5))) }))
    assert.deepStrictEqual(decode({ a: "x", b: undefined }), Result.succeed({ a: "x" }))
    assert.deepStrictEqual(lines(decode({ a: undefined })), ["a is required"])
  })

  it("what is decoded is a copy", () => {
    const given = structuredClone(ticket)
    const decoded = Result.getOrThrow(input(Ticket).decode(given))
    given.lines[0]!.amount = 500
    assert.strictEqual(decoded.lines[0]?.amount, 5)
  })

  it("a value that throws while it is read is refused", () => {
    const trap = Object.defineProperty({}, "queue", {
      enumerable: true,
      get: () => {
        throw new Error("canary")
      }
    })
    assert.deepStrictEqual(lines(input(Ticket).decode(trap)), ["cannot be read as JSON"])
  })

  it("lengths count code points on both sides", () => {
    const { decode } = input(Schema.Struct({ a: field(Schema.String.check(Schema.isBetweenLength(2, 3))) }))
    assert.isTrue(Result.isSuccess(decode({ a: "😀😀😀" })))
    assert.deepStrictEqual(lines(decode({ a: "😀" })), ["a must be a string of 2 to 3 characters"])
    assert.deepStrictEqual(lines(decode({ a: "😀😀😀😀" })), ["a must be a string of 2 to 3 characters"])
  })

  it("numbers are finite and integers exact", () => {
    const { decode } = input(
      Schema.Struct({
        a: field(Schema.Int.annotate({ unbounded: "an id" })),
        b: field(Schema.Finite.annotate({ unbounded: "a measure" }))
      })
    )
    assert.isTrue(Result.isSuccess(decode({ a: 9007199254740991, b: 1e21 })))
    assert.deepStrictEqual(lines(decode({ a: 9007199254740992, b: Infinity })), [
      "a must be at most 9007199254740991",
      "b must be a number"
    ])
    assert.deepStrictEqual(lines(decode({ a: Number.NaN, b: "Infinity" })), [
      "a must be an integer",
      "b must be a number"
    ])
  })
})

describe("ToolSchema, richer types", () => {
  class Person extends Schema.Class<Person>("Person")({ name: field(text(9)), born: field(Schema.Date) }) {
    get greeting() {
      return `Hello ${this.name}`
    }
  }

  it("dates, URLs, decimals and classes decode from the JSON form that is shown", () => {
    const { decode } = input(
      Schema.Struct({
        at: field(Schema.DateTimeUtc),
        link: field(Schema.URL),
        price: field(Schema.BigDecimal),
        count: field(Schema.BigInt),
        who: field(Person),
        note: field(Schema.OptionFromOptionalKey(text(5)))
      })
    )
    const decoded = Result.getOrThrow(
      decode({
        at: "2026-01-31T10:30:00+01:00",
        link: "https://example.com/a",
        price: "12.50",
        count: "9007199254740993",
        who: { name: "Ada", born: "1815-12-10T00:00:00Z" }
      })
    )
    assert.strictEqual(DateTime.formatIso(decoded.at), "2026-01-31T09:30:00.000Z")
    assert.strictEqual(decoded.link.host, "example.com")
    assert.strictEqual(decoded.count, 9007199254740993n)
    assert.strictEqual(decoded.who.greeting, "Hello Ada")
    assert.deepStrictEqual(decoded.note, Option.none())
  })

  it("a date that does not exist, or has no zone, is refused with an example", () => {
    const { decode } = input(Schema.Struct({ at: field(Schema.Date) }))
    for (const at of ["2026-02-30T00:00:00Z", "2026-01-31T09:30:00", "2026-01-31", "yesterday"]) {
      assert.deepStrictEqual(lines(decode({ at })), [
        "at must be a date and time with its zone, such as 2026-01-31T09:30:00Z"
      ])
    }
  })

  it("an optional field may be null, as its JSON form says", () => {
    const { jsonSchema, decode } = input(Schema.Struct({ a: Schema.optional(field(text(5))) }))
    assert.deepStrictEqual(jsonSchema["properties"], {
      a: { description: "Some field.", anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }] }
    })
    assert.isTrue(Result.isSuccess(decode({ a: null })))
    assert.isTrue(Result.isSuccess(decode({})))
  })

  it("a member of a union is not taken for another with fewer fields", () => {
    const { decode, encode } = input(
      Schema.Struct({
        target: field(
          Schema.Union([
            Schema.Struct({ id: field(text(5)) }),
            Schema.Struct({ id: field(text(5)), at: field(Schema.Date) })
          ])
        )
      })
    )
    const decoded = Result.getOrThrow(decode({ target: { id: "x", at: "2026-01-31T09:30:00Z" } }))
    assert.isTrue("at" in decoded.target)
    assert.deepStrictEqual(encode(decoded), Result.succeed({ target: { id: "x", at: "2026-01-31T09:30:00.000Z" } }))
  })

  it("a text that only resembles a date stays a text", () => {
    const { decode } = input(Schema.Struct({ when: field(Schema.Union([Schema.DateTimeUtcFromString, text(5)])) }))
    assert.deepStrictEqual(decode({ when: "2026" }), Result.succeed({ when: "2026" }))
  })

  it("a result is encoded by its schema, without what the schema lacks", () => {
    const { encode, decode } = output(
      Schema.Struct({
        who: field(Person),
        seen: field(Schema.DateTimeUtc),
        note: Schema.optionalKey(field(Schema.String))
      })
    )
    const who = Object.assign(new Person({ name: "Ada", born: DateTime.toDateUtc(DateTime.makeUnsafe(0)) }), { pin: 1 })
    const seen = DateTime.makeUnsafe(0)
    const row = { who, seen, internal: "x", note: undefined } as never
    const expected = {
      who: { name: "Ada", born: "1970-01-01T00:00:00.000Z" },
      seen: "1970-01-01T00:00:00.000Z"
    }
    assert.deepStrictEqual(encode(row), Result.succeed(expected))
    // What a store kept decodes by the same schema.
    const stored = Result.getOrThrow(decode(JSON.parse(JSON.stringify(expected))))
    assert.strictEqual(stored.who.greeting, "Hello Ada")
  })

  it("an object with the fields of a class passes for an instance in a result", () => {
    const { encode } = output(Schema.Struct({ who: field(Person) }))
    const who = { name: "Ada", born: DateTime.toDateUtc(DateTime.makeUnsafe(0)) } as Person
    assert.deepStrictEqual(encode({ who }), Result.succeed({ who: { name: "Ada", born: "1970-01-01T00:00:00.000Z" } }))
  })

  it("a result that its schema refuses is told by path, without the value", () => {
    const { encode } = output(Schema.Struct({ a: field(text(3)), b: field(Schema.Boolean) }))
    assert.deepStrictEqual(lines(encode({ a: "canary", b: true })), [
      "a breaks the rule: a value with a length of at most 3"
    ])
    assert.deepStrictEqual(lines(encode({ a: 5 } as never)), ["a is not of the expected type", "b is required"])
    assert.deepStrictEqual(lines(encode(undefined as never)), ["is not of the expected type"])
  })
})

describe("ToolSchema, what is refused when it is built", () => {
  it("all faults come at once, each with its path and what to write", () => {
    assert.deepStrictEqual(
      faults(
        Schema.Struct({
          "full name": field(text(5)),
          body: Schema.String,
          lines: field(Schema.Array(Schema.Struct({ price: field(Schema.Number) }))),
          apiKey: field(text(5))
        })
      ),
      [
        "full name: a field's name must be 1 to 64 of A-Z, a-z, 0-9, _ and -, and begin with a letter or _",
        'body: a string needs a greatest length, Schema.isMaxLength(n), or say why there is none: .annotate({ unbounded: "reason" })',
        'body: needs a description: .annotate({ description: "..." })',
        "lines[].price: use Schema.Finite or Schema.Int: Schema.Number admits NaN and Infinity",
        'lines: an array needs a greatest length, Schema.isMaxLength(n), or say why there is none: .annotate({ unbounded: "reason" })',
        "apiKey: a credential must not pass through the model: hold it in a Credential service"
      ]
    )
  })

  it("the root is a struct or a class", () => {
    const root = "the root must be a Schema.Struct or a Schema.Class: a tool takes and returns named fields"
    assert.deepStrictEqual(faults(Schema.Boolean), [root])
    assert.deepStrictEqual(faults(Schema.Union([Schema.Struct({}), Schema.Struct({ a: field(text(2)) })])), [root])
  })

  it("a field has one name, in JSON and in code", () => {
    const renamed = Schema.Struct({ dueAt: field(Schema.Boolean) }).pipe(Schema.encodeKeys({ dueAt: "due_at" }))
    assert.include(
      faults(renamed),
      "the root's fields must have the same names in JSON as in code: policies and keys refer to them"
    )
  })

  it("a value without bounds needs a reason, which an audit can list", () => {
    const reason = { unbounded: "the upstream has no limit" }
    const { unbounded } = input(
      Schema.Struct({
        a: field(Schema.String.annotate(reason)),
        b: field(Schema.Array(Schema.Finite.annotate(reason)).annotate(reason))
      })
    )
    assert.deepStrictEqual(unbounded, [
      { path: "a", reason: "the upstream has no limit" },
      { path: "b[]", reason: "the upstream has no limit" },
      { path: "b", reason: "the upstream has no limit" }
    ])
    assert.strictEqual(fieldFaults(Schema.String.annotate({ unbounded: " " })).length, 1)
  })

  it("a pattern that bounds the length is bound enough, one that does not is not", () => {
    const pattern = (regExp: RegExp) => fieldFaults(Schema.String.check(Schema.isPattern(regExp))).length
    assert.deepStrictEqual([/^[A-Z]{3}-\d{4}$/, /^(a|bc)?$/, /^\*[+*]\$$/].map(pattern), [0, 0, 0])
    assert.deepStrictEqual(
      [/^a+$/, /a/, /^a|b$/, /^a{2,}$/, /^a*$/, /^a$|b/, /^a\$/].map(pattern),
      [1, 1, 1, 1, 1, 1, 1]
    )
  })

  it("an output needs descriptions and closed objects, but no bounds", () => {
    assert.deepStrictEqual(
      outputFaults(
        Schema.Struct({
          a: field(Schema.String),
          b: field(Schema.Array(Schema.Finite)),
          c: Schema.Boolean,
          d: field(Schema.Record(Schema.String, Schema.String)),
          token: field(Schema.String)
        })
      ),
      [
        'c: needs a description: .annotate({ description: "..." })',
        "d: an open record tells the model nothing: list the fields, or take an array of structs",
        "token: a credential must not pass through the model: hold it in a Credential service"
      ]
    )
  })

  it("a secret goes neither in nor out, but for a form that its author made harmless", () => {
    const secret = "a: a secret must not pass through the model: leave it out, or give it a harmless encoded form"
    const Masked = Schema.String.pipe(
      Schema.decodeTo(Schema.Redacted(Schema.String), {
        decode: SchemaGetter.transform((s: string) => Redacted.make(s)),
        encode: SchemaGetter.transform(() => "****")
      })
    )
    assert.deepStrictEqual(fieldFaults(Schema.Redacted(text(5))), [secret])
    assert.deepStrictEqual(fieldFaults(Schema.RedactedFromValue(text(5))), [secret])
    assert.deepStrictEqual(outputFaults(Schema.Struct({ a: field(Schema.Redacted(Schema.String)) })), [secret])
    assert.deepStrictEqual(outputFaults(Schema.Struct({ a: field(Schema.Array(Schema.Redacted(Schema.String))) })), [
      secret.replace("a:", "a[]:")
    ])
    const { encode } = output(Schema.Struct({ a: field(Masked) }))
    assert.deepStrictEqual(encode({ a: Redacted.make("canary") }), Result.succeed({ a: "****" }))
  })

  const cases: ReadonlyArray<readonly [string, Any, string]> = [
    ["unknown", Schema.Unknown, "admits any value, so the model cannot know what to send: describe the value"],
    ["any", Schema.Any, "admits any value, so the model cannot know what to send: describe the value"],
    ["JSON", Schema.Json, "admits any value, so the model cannot know what to send: describe the value"],
    [
      "a record",
      Schema.Record(Schema.String, text(5)),
      "an open record tells the model nothing: list the fields, or take an array of structs"
    ],
    [
      "a number in a string",
      Schema.NumberFromString,
      "JSON has numbers: use Schema.Finite or Schema.Int, not a string that holds one"
    ],
    [
      "a finite number in a string",
      Schema.FiniteFromString,
      "JSON has numbers: use Schema.Finite or Schema.Int, not a string that holds one"
    ],
    [
      "JSON in a string",
      Schema.fromJsonString(Schema.Struct({})),
      "its conversion from JSON can fail in ways that JSON Schema cannot state: take the JSON form and convert it in the handler"
    ],
    [
      "an option",
      Schema.Option(text(5)),
      "travels as an object with _tag: use Schema.OptionFromNullOr or Schema.OptionFromOptionalKey"
    ],
    ["a duration", Schema.Duration, "travels as an object with _tag: take whole seconds as a Schema.Int with bounds"],
    [
      "a map",
      Schema.ReadonlyMap(text(5), text(5)),
      "travels as an array of pairs: use a Schema.Array of structs with described fields"
    ],
    [
      "a pattern with a flag",
      text(5).check(Schema.isPattern(/^a$/i)),
      'the pattern\'s flag "i" cannot be said in JSON Schema: write the pattern without it'
    ],
    [
      "a pattern that is none with the u flag",
      text(5).check(Schema.isPattern(new RegExp("^\\a$"))),
      "the pattern must be a valid regular expression with the u flag"
    ],
    [
      "a template",
      Schema.TemplateLiteral(["user_", Schema.String]),
      "a template literal cannot be said in JSON Schema: Schema.String.check(Schema.isPattern(/.../u))"
    ],
    [
      "a rule without words",
      text(5).check(Schema.makeFilter((s: string) => s !== "")),
      'a custom check needs words for the model: Schema.makeFilter(predicate, { expected: "an even number" })'
    ],
    [
      "a fraction to be divisible by",
      Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 9 }), Schema.isMultipleOf(0.01)),
      "validators disagree about multiples of 0.01: count in whole units, such as cents, with Schema.Int"
    ],
    [
      "bounds that exclude each other",
      Schema.String.check(Schema.isMinLength(5), Schema.isMaxLength(4)),
      "no value satisfies its bounds"
    ],
    ["nothing", Schema.Never, "no value satisfies it"],
    [
      "a union of exactly one",
      Schema.Union([text(5), Schema.Boolean], { mode: "oneOf" }),
      "a union that admits one member only hides which: give each a literal field, and drop the mode"
    ],
    [
      "an optional element",
      Schema.Tuple([Schema.Boolean, Schema.optionalKey(Schema.Boolean)]),
      "every element of a tuple must be there: make an element Schema.NullOr instead"
    ],
    [
      "a tuple with a rest",
      Schema.TupleWithRest(Schema.Tuple([Schema.Boolean]), [Schema.Null]).annotate({ unbounded: "x" }),
      "an array needs items of one kind or a fixed number of them: Schema.Array or Schema.Tuple"
    ],
    [
      "unique items that are converted",
      Schema.Array(Schema.Date).check(Schema.isMaxLength(5), Schema.isUnique()),
      "items that are converted, or checked by a rule, cannot be required to be unique"
    ],
    [
      "a conversion that refuses what its JSON form admits",
      text(5).pipe(
        Schema.decodeTo(Schema.Literals(["a", "b"]), {
          decode: SchemaGetter.transform((s: string) => s as "a"),
          encode: SchemaGetter.transform((s: string) => s)
        })
      ),
      'its JSON form admits "", which its conversion refuses: narrow the JSON form'
    ],
    ["an example that is wrong", text(5).annotate({ examples: ["too long"] }), "example 1 does not satisfy the schema"]
  ]
  for (const [what, schema, fault] of cases) {
    it(`${what} is refused with what to write instead`, () => {
      assert.deepStrictEqual(fieldFaults(schema), [`a: ${fault}`])
    })
  }

  it("recursion and more than ten levels are refused", () => {
    interface Tree {
      readonly children: ReadonlyArray<Tree>
    }
    const Tree: Schema.Codec<Tree> = Schema.Struct({
      children: field(Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)).check(Schema.isMaxLength(2)))
    })
    assert.deepStrictEqual(faults(Tree), [
      "children[]: a recursive schema has no bound: take a list with parent ids, or a fixed number of levels"
    ])
    const nest = (levels: number): Any =>
      levels === 0 ? Schema.Boolean : Schema.Struct({ a: field(nest(levels - 1)) })
    assert.deepStrictEqual(faults(nest(10)), [])
    assert.deepStrictEqual(faults(nest(11)), [
      "a.a.a.a.a.a.a.a.a.a: nested more than 10 levels deep, which no model gets right: flatten it"
    ])
  })

  it("a name that every object has is refused", () => {
    assert.deepStrictEqual(faults(Schema.Struct({ constructor: field(text(5)) })), [
      "constructor: every JavaScript object has a property of this name: take another"
    ])
  })

  it("a schema that needs a service does not compile", () => {
    class Clockwork extends Context.Service<Clockwork, { readonly now: number }>()("test/Clockwork") {}
    const needy = Schema.Boolean.pipe(
      Schema.decode({
        decode: SchemaGetter.transformEffect((value: boolean) => Effect.as(Clockwork, value)),
        encode: SchemaGetter.passthrough()
      })
    )
    // @ts-expect-error decoding needs Clockwork
    const result = ToolSchema.input(Schema.Struct({ a: field(needy) }))
    assert.isTrue(Result.isFailure(result))
  })
})

describe("ToolSchema, names of credentials", () => {
  it("a name that says it holds a credential is one, in every case", () => {
    for (const name of [
      "password",
      "userPassword",
      "user_password",
      "token",
      "accessToken",
      "access-token",
      "APIKey",
      "api_key",
      "apikey",
      "X-Api-Key",
      "clientSecret",
      "secret",
      "private_key",
      "sshKey",
      "Authorization",
      "bearer",
      "sessionCookie",
      "cookies",
      "credentials",
      "auth",
      "basicAuth",
      "jwt",
      "id_token",
      "refreshTokens",
      "secret_id",
      "passphrase",
      "otp"
    ]) {
      assert.isTrue(isCredentialName(name), name)
    }
  })

  it("a name that only speaks about one is none", () => {
    for (const name of [
      "tokens",
      "tokens_used",
      "max_tokens",
      "tokenCount",
      "next_page_token",
      "pageToken",
      "token_id",
      "tokenType",
      "password_policy",
      "passwordRequired",
      "api_key_id",
      "key",
      "primary_key",
      "sort_key",
      "account_key",
      "author",
      "authority",
      "authored_at",
      "secretary",
      "tokenize",
      "compass",
      "cookie_policy",
      "password_changed_at",
      "issue_key"
    ]) {
      assert.isFalse(isCredentialName(name), name)
    }
  })
})
