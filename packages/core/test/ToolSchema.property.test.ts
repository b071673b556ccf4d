/**
 * Holds the two sides of a tool schema together: for schemas made of every supported construct, and for values that are
 * valid, at the edge, or broken in one place, a third-party validator must say of the JSON Schema what the decoder does.
 */
import { assert, describe, it } from "@effect/vitest"
import { Ajv2020 } from "ajv/dist/2020.js"
import addFormats from "ajv-formats"
import { DateTime, Effect, Result, Schema, SchemaTransformation } from "effect"
import * as fc from "fast-check"
import * as ToolSchema from "../src/ToolSchema.ts"

/** A schema under test, JSON values near it, and whether a rule beyond JSON Schema is somewhere in it. */
interface Sample {
  readonly schema: Schema.Top & { readonly DecodingServices: never; readonly EncodingServices: never }
  readonly near: fc.Arbitrary<unknown>
  readonly ruled: boolean
  readonly plain: boolean
}

const sample = (
  schema: Sample["schema"],
  near: fc.Arbitrary<unknown>,
  rest?: { readonly ruled?: boolean; readonly plain?: boolean }
): Sample => ({
  schema,
  near,
  ruled: false,
  plain: true,
  ...rest
})

const described = { description: "Some field." }

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.tuple(fc.constantFrom("a", "é", "😀", "\ud800", "\u{10ffff}", " ", "0"), fc.nat(9)).map(([s, n]) => s.repeat(n))
)

const sizes = fc.tuple(fc.nat(4), fc.nat(4)).map(([min, more]) => ({ min, max: min + more }))

const lengths = sizes.chain(({ min, max }) =>
  fc
    .constantFrom(
      Schema.String.check(Schema.isMinLength(min), Schema.isMaxLength(max)),
      Schema.String.check(Schema.isBetweenLength(min, max)),
      Schema.String.check(Schema.isMinCodePoints(min), Schema.isMaxCodePoints(max)),
      Schema.String.check(Schema.isBetweenCodePoints(min, max)).pipe(Schema.brand("Branded"))
    )
    .map((schema) => sample(schema, text))
)

const patterns = fc.constantFrom(
  sample(Schema.String.check(Schema.isPattern(/^[a-z]{1,5}$/)), text),
  sample(Schema.String.check(Schema.isPattern(/^.{1,3}$/)), text),
  sample(Schema.String.check(Schema.isPattern(/^.{1,3}$/gu)), text),
  sample(Schema.String.check(Schema.isPattern(/^[^a]*$/), Schema.isMaxLength(4)), text),
  sample(
    Schema.String.check(Schema.isPattern(/a/), Schema.isPattern(/0/), Schema.isMaxLength(6)),
    fc.oneof(text, fc.constant("a0"))
  ),
  sample(Schema.String.check(Schema.isPattern(/^\u{1F600}|\p{L}$/u), Schema.isMaxLength(6)), text),
  sample(
    Schema.String.check(Schema.isStartingWith("a."), Schema.isMaxLength(6)),
    text.map((s) => `a.${s}`)
  ),
  sample(
    Schema.String.check(Schema.isEndingWith("😀"), Schema.isMaxLength(6)),
    text.map((s) => `${s}😀`)
  ),
  sample(
    Schema.String.check(Schema.isIncluding("/"), Schema.isMaxLength(6)),
    text.map((s) => `${s}/`)
  ),
  sample(
    Schema.String.check(Schema.isTrimmed(), Schema.isMaxLength(6)),
    fc.oneof(
      text,
      text.map((s) => `\u00a0${s}`)
    )
  ),
  sample(Schema.String.check(Schema.isAscii(), Schema.isMaxLength(6)), text),
  sample(
    Schema.String.check(Schema.isUUID()),
    fc.oneof(
      fc.uuid(),
      fc.uuid().map((id) => `urn:uuid:${id}`)
    )
  ),
  sample(Schema.String.check(Schema.isUUID(4)), fc.uuid()),
  sample(Schema.String.check(Schema.isGUID()), fc.uuid()),
  sample(Schema.String.check(Schema.isULID()), fc.ulid()),
  sample(Schema.String.check(Schema.isBase64(), Schema.isMaxLength(12)), fc.base64String({ maxLength: 12 })),
  sample(Schema.String.check(Schema.isBase64Url(), Schema.isMaxLength(12)), fc.base64String({ maxLength: 12 })),
  // Only words can say these exactly.
  sample(Schema.String.check(Schema.isUppercased(), Schema.isMaxLength(6)), text, { ruled: true, plain: false }),
  sample(Schema.String.check(Schema.isCapitalized(), Schema.isMaxLength(6)), text, { ruled: true, plain: false })
)

const edges = fc.constantFrom(
  0,
  -0,
  1,
  -1,
  2,
  3,
  5,
  6,
  10,
  0.1,
  0.3,
  0.5,
  1.5,
  -1.5,
  1e21,
  -1e21,
  5e-324,
  1.7976931348623157e308,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  2 ** 53 - 1,
  -(2 ** 53),
  8.64e15,
  8.64e15 + 2
)
const figures = fc.oneof(edges, fc.integer({ min: -12, max: 12 }), fc.double({ noNaN: true, noDefaultInfinity: true }))

const numbers = fc.tuple(fc.integer({ min: -6, max: 6 }), fc.nat(9)).chain(([minimum, more]) => {
  const maximum = minimum + more
  return fc
    .constantFrom(
      Schema.Finite.check(Schema.isBetween({ minimum, maximum })),
      Schema.Finite.check(Schema.isGreaterThan(minimum), Schema.isLessThan(maximum + 1)),
      Schema.Finite.check(
        Schema.isBetween({ minimum, maximum: maximum + 0.5, exclusiveMinimum: true, exclusiveMaximum: true })
      ),
      Schema.Int.check(Schema.isBetween({ minimum, maximum })),
      Schema.Int.check(Schema.isGreaterThanOrEqualTo(minimum), Schema.isLessThanOrEqualTo(maximum)),
      Schema.Int.check(
        Schema.isBetween({ minimum, maximum: maximum + 6 }),
        Schema.isMultipleOf(2),
        Schema.isMultipleOf(3)
      ),
      Schema.Finite.check(Schema.isMultipleOf(5)).annotate({ unbounded: "whatever fits" }),
      Schema.Finite.annotate({ unbounded: "whatever fits" }),
      Schema.Int.annotate({ unbounded: "whatever fits" }),
      Schema.Natural.check(Schema.isLessThan(maximum + 10)),
      Schema.Number.check(Schema.isInt32()),
      Schema.Number.check(Schema.isUint32())
    )
    .map((schema) => sample(schema, figures))
})

const literals = fc.constantFrom(
  sample(Schema.Literal("a"), fc.constantFrom("a", "b")),
  sample(Schema.Literals(["a", "😀", ""]), fc.constantFrom("a", "😀", "", "b")),
  sample(Schema.Literals([0, 1.5, 1e21]), edges),
  sample(Schema.Literal(-0), edges),
  sample(Schema.Literals([true, 1, "1"]), fc.constantFrom(true, false, 1, "1")),
  sample(Schema.Enum({ A: "a", B: 2 }), fc.constantFrom("a", 2, "A", "B", "2")),
  sample(Schema.Boolean, fc.boolean()),
  sample(Schema.Null, fc.constant(null))
)

const dates = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.constantFrom(
    "2026-01-31T09:30:00Z",
    "2024-02-29T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0000-02-29T00:00:00Z",
    "9999-12-31T23:59:59.999999999+23:59",
    "2016-12-31T23:59:60Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T09:30:00",
    "2026-01-31T09:30Z",
    "2026-01-31",
    "2026-04-31T00:00:00Z",
    "2026-01-31t09:30:00z",
    "2026-01-31T09:30:00+02:00",
    "2026-01-31T09:30:00-00:00",
    "2026-01-31T09:30:00+0200",
    "2026-01-31T09:30:00.Z",
    "2026-01-31T09:30:00.1234567890Z",
    "-000001-01-01T00:00:00Z",
    "+010000-01-01T00:00:00Z",
    "0",
    "now"
  )
)
const urls = fc.oneof(
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc.constantFrom(
    "https://example.com",
    "http://localhost:65535/a?b?c#d",
    "http://localhost:65536",
    "https://a.b-c.d/%2F%zz",
    "https://1.2.3.4",
    "https://999.1.1.1",
    "https://a.0x1",
    "https://xn--.com",
    "https://xn--a.com",
    "https://a--b.com",
    "https://u:p@example.com",
    "javascript:alert(1)",
    "ftp://example.com",
    "https://",
    "https:///a",
    "https://exa mple.com",
    "https://example.com/😀",
    "https://-a.com",
    "https://a-.com",
    "https://a..com",
    "https://example.com.",
    "HTTPS://EXAMPLE.COM",
    "https://example.com/[a]",
    "https://example.com/a|b",
    "https://example.com//a",
    "https://example.com?a",
    "https://example.com#a#b",
    "https://a_b.com"
  )
)
const decimals = fc.oneof(
  fc.bigInt().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom(
    "0",
    "-0",
    "00",
    "01",
    "1.",
    ".5",
    "1.50",
    "-1.50",
    "1e5",
    "+1",
    "",
    "-",
    "1".repeat(40),
    `0.${"1".repeat(40)}`,
    "0x1"
  )
)

const converted = fc.constantFrom(
  ...[
    Schema.Date,
    Schema.DateFromString,
    Schema.DateTimeUtc,
    Schema.DateTimeUtcFromString,
    Schema.DateTimeUtcFromDate
  ].map((schema) => sample(schema, dates, { plain: false })),
  ...[Schema.URL, Schema.URLFromString].map((schema) => sample(schema, urls, { plain: false })),
  ...[Schema.BigDecimal, Schema.BigDecimalFromString, Schema.BigInt, Schema.BigIntFromString].map((schema) =>
    sample(schema, decimals, { plain: false })
  ),
  ...[Schema.DateFromMillis, Schema.DateTimeUtcFromMillis].map((schema) => sample(schema, figures, { plain: false })),
  ...[Schema.Uint8Array, Schema.Uint8ArrayFromBase64].map((schema) =>
    sample(
      schema.annotate({ unbounded: "files" }),
      fc.oneof(fc.base64String({ maxLength: 12 }), fc.constantFrom("QR==", "Q===", "QQ=", "QQ==\n", "Q Q=")),
      {
        plain: false
      }
    )
  ),
  sample(
    Schema.String.check(Schema.isMaxLength(5)).pipe(Schema.decodeTo(Schema.Trimmed, SchemaTransformation.trim())),
    text,
    { plain: false }
  ),
  sample(Schema.BooleanFromBit, edges, { plain: false }),
  sample(
    Schema.Date.check(
      Schema.isGreaterThanDate(DateTime.toDateUtc(DateTime.makeUnsafe("2000-01-01T00:00:00Z")), {
        expected: "a date in this century"
      })
    ),
    dates,
    { plain: false, ruled: true }
  )
)

const ruled = fc.constantFrom(
  sample(
    Schema.Int.check(
      Schema.isBetween({ minimum: -5, maximum: 5 }),
      Schema.makeFilter((n: number) => n % 2 === 0, { expected: "an even number" })
    ),
    figures,
    { ruled: true, plain: false }
  ),
  sample(
    Schema.String.check(
      Schema.makeFilter((s: string) => (s.includes("a") ? `no a in ${s}` : true), { expected: "a text without a" }),
      Schema.isMaxLength(5)
    ),
    text,
    { ruled: true, plain: false }
  )
)

const leaf: fc.Arbitrary<Sample> = fc.oneof(lengths, patterns, numbers, literals, converted, ruled)

type AnyKey = Sample["schema"]

/** Makes a property of a schema, and says how the value is left out or in. */
const property = (field: Sample): fc.Arbitrary<Sample & { readonly optional: boolean }> => {
  const schema = field.schema
  const kinds = [
    { ...field, optional: false },
    { ...field, schema: Schema.optionalKey(schema), optional: true },
    { ...field, schema: Schema.optional(schema), plain: false, optional: true, near: orNull(field.near) },
    { ...field, schema: Schema.OptionFromOptionalKey(schema), plain: false, optional: true },
    { ...field, schema: Schema.OptionFromNullOr(schema), plain: false, optional: false, near: orNull(field.near) }
  ] as ReadonlyArray<Sample & { readonly optional: boolean }>
  return fc.constantFrom(...kinds)
}

const orNull = (near: fc.Arbitrary<unknown>) => fc.oneof({ weight: 5, arbitrary: near }, fc.constant(null))

const defaulted: fc.Arbitrary<Sample & { readonly optional: boolean }> = fc
  .constantFrom(
    Schema.withDecodingDefaultKey(Effect.succeed("ab")),
    Schema.withDecodingDefault(Effect.succeed("ab")),
    Schema.withDecodingDefaultTypeKey(Effect.succeed("ab")),
    Schema.withDecodingDefaultType(Effect.succeed("ab"), { encodingStrategy: "omit" })
  )
  .map((add) => ({
    ...sample(Schema.String.check(Schema.isMaxLength(3)).pipe(add as never), orNull(text), { plain: false }),
    optional: true
  }))

const names = fc.uniqueArray(fc.constantFrom("a", "b_1", "fooBar", "x-y", "_z", "kind"), { minLength: 1, maxLength: 4 })

const record = (fields: ReadonlyArray<readonly [string, Sample & { readonly optional: boolean }]>) =>
  fc.record(Object.fromEntries(fields.map(([name, field]) => [name, field.near])), {
    requiredKeys: fields.flatMap(([name, field]) => (field.optional ? [] : [name]))
  })

let classes = 0

const struct = (inner: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc.tuple(names, fc.constantFrom("struct", "class", "counted")).chain(([names, kind]) =>
    fc.tuple(...names.map(() => fc.oneof({ weight: 6, arbitrary: inner.chain(property) }, defaulted))).map((parts) => {
      const fields = names.map((name, i) => [name, parts[i]] as const)
      const schemas = Object.fromEntries(
        fields.map(([name, { schema }]) => [name, schema.annotateKey(described)])
      ) as Record<string, AnyKey>
      const ruled = parts.some((part) => part.ruled)
      const plain = parts.every((part) => part.plain)
      switch (kind) {
        case "class":
          return sample(Schema.Class(`Class${classes++}`)(schemas) as never, record(fields), { ruled, plain: false })
        case "counted":
          return sample(
            plain ? Schema.Struct(schemas).check(Schema.isMinProperties(1)) : Schema.Struct(schemas),
            record(fields),
            { ruled, plain }
          )
        default:
          return sample(Schema.Struct(schemas), record(fields), { ruled, plain })
      }
    })
  )

const array = (inner: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc
    .tuple(inner, sizes, fc.boolean())
    .map(([{ schema, near, ruled, plain }, { min, max }, unique]) =>
      sample(
        unique && plain
          ? Schema.Array(schema).check(Schema.isBetweenLength(min, max), Schema.isUnique())
          : min === 1
            ? Schema.NonEmptyArray(schema).check(Schema.isMaxLength(max))
            : Schema.Array(schema).check(Schema.isMinLength(min), Schema.isMaxLength(max)),
        fc.array(near, { maxLength: max + 1 }),
        { ruled, plain }
      )
    )

const tuple = (inner: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc.tuple(inner, inner).map(([a, b]) =>
    sample(Schema.Tuple([a.schema, b.schema]), fc.oneof(fc.tuple(a.near, b.near), fc.tuple(a.near)), {
      ruled: a.ruled || b.ruled,
      plain: a.plain && b.plain
    })
  )

const union = (inner: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc.tuple(inner, inner, fc.constantFrom("any", "null", "undefined", "option", "tagged")).map(([a, b, kind]) => {
    const ruled = a.ruled || b.ruled
    const plain = a.plain && b.plain
    switch (kind) {
      case "null":
        return sample(Schema.NullOr(a.schema), orNull(a.near), { ruled: a.ruled, plain: a.plain })
      case "undefined":
        return sample(Schema.UndefinedOr(a.schema), orNull(a.near), { ruled: a.ruled, plain: false })
      case "option":
        return sample(Schema.OptionFromNullOr(a.schema), orNull(a.near), { ruled: a.ruled, plain: false })
      case "tagged":
        return sample(
          Schema.Union([
            Schema.TaggedStruct("A", { value: a.schema.annotateKey(described) as AnyKey }),
            Schema.TaggedStruct("B", { value: b.schema.annotateKey(described) as AnyKey })
          ]),
          fc.oneof(
            fc.record({ _tag: fc.constant("A"), value: a.near }),
            fc.record({ _tag: fc.constantFrom("B", "C"), value: b.near })
          ),
          { ruled, plain }
        )
      default:
        return sample(Schema.Union([a.schema, b.schema]), fc.oneof(a.near, b.near), { ruled, plain })
    }
  })

const value: fc.Arbitrary<Sample> = (() => {
  const grow = (inner: fc.Arbitrary<Sample>) =>
    fc.oneof({ weight: 4, arbitrary: leaf }, struct(inner), array(inner), tuple(inner), union(inner))
  return grow(grow(leaf))
})()

const junk = fc.oneof(
  edges,
  text,
  dates,
  fc.constantFrom(
    null,
    true,
    false,
    "Infinity",
    "NaN",
    "1",
    [],
    {},
    [null],
    ["a", "a"],
    { a: 1 },
    JSON.parse('{"__proto__":{"a":1}}')
  ),
  fc.jsonValue({ maxDepth: 2 })
)

type Place = { readonly set: (value: unknown) => void; readonly holder: Record<string, unknown> | Array<unknown> }

const placesOf = (holder: Record<string, unknown> | Array<unknown>): ReadonlyArray<Place> =>
  Object.entries(holder).flatMap(([key, child]) => [
    {
      holder,
      set: (value: unknown) =>
        void Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
    },
    ...(typeof child === "object" && child !== null ? placesOf(child as Record<string, unknown>) : [])
  ])

/** Breaks a value in one place: another value, a missing or an unknown field, one item more or fewer. */
const broken = (near: fc.Arbitrary<unknown>) =>
  fc.tuple(near, fc.nat(), fc.constantFrom("set", "drop", "add"), junk).map(([value, at, how, other]) => {
    const root = structuredClone({ value })
    const places = placesOf(root)
    const { holder, set } = places[at % places.length]
    if (how === "set" || holder === root) set(structuredClone(other))
    else if (Array.isArray(holder))
      holder.splice(0, how === "drop" ? 1 : 0, ...(how === "drop" ? [] : [holder[0] ?? other]))
    else if (how === "drop") delete holder[Object.keys(holder)[at % Object.keys(holder).length]]
    else Object.assign(holder, { [["extra", "constructor", "toString", "bad key"][at % 4]]: other })
    return root.value
  })

// RUNS and SEED in the environment widen the search.
const runs = Number(process.env["RUNS"] ?? 250)
const seed = Number(process.env["SEED"] ?? 20260131)

// `addFormats` comes from a CommonJS module.
const ajv = addFormats.default(new Ajv2020({ strict: true }))

const rules = [
  "an even number",
  "a text without a",
  "a date in this century",
  "a string with all characters in uppercase",
  "a string with the first character in uppercase"
]
const isRule = (message: string) => rules.some((rule) => message === `breaks the rule: ${rule}`)

/** One field, so that whole values are valid often enough. */
const single = leaf.chain(property).map((field) =>
  sample(Schema.Struct({ a: field.schema.annotateKey(described) as AnyKey }), record([["a", field]]), {
    ruled: field.ruled,
    plain: field.plain
  })
)

const cases = fc
  .oneof(single, struct(value))
  .chain((root) =>
    fc.tuple(
      fc.constant(root),
      fc.array(
        fc.oneof(
          { weight: 10, arbitrary: root.near },
          { weight: 8, arbitrary: broken(root.near) },
          { weight: 1, arbitrary: junk }
        ),
        { minLength: 20, maxLength: 20 }
      )
    )
  )

describe("ToolSchema", () => {
  for (const [direction, compile] of [
    ["input", ToolSchema.input],
    ["output", ToolSchema.output]
  ] as const) {
    it(`the ${direction} decoder accepts what a third-party validator of its JSON Schema accepts, and nothing else`, () => {
      const tally = { accepted: 0, refused: 0 }
      const run = fc.check(
        fc.property(cases, ([root, values]) => {
          const compiled = Result.getOrThrowWith(
            compile(root.schema as Schema.ConstraintCodec<unknown, unknown>),
            (faults) => new Error(faults.join("\n"))
          )
          const judge = ajv.compile(compiled.jsonSchema)
          // The judge throws when it compares objects that have a field named valueOf or toString; none can be declared.
          const validate = (value: unknown): boolean => {
            try {
              return judge(value)
            } catch {
              return false
            }
          }
          const show = (what: string, ...values: ReadonlyArray<unknown>) =>
            `${what}: ${JSON.stringify(values)} by ${JSON.stringify(compiled.jsonSchema)}`
          // Generated objects may lack a prototype; those of JSON.parse have one.
          for (const value of values.map((value) => structuredClone(value))) {
            const accepted = validate(value)
            const decoded = compiled.decode(value)
            tally[accepted ? "accepted" : "refused"]++
            if (Result.isFailure(decoded)) {
              const rulesOnly = decoded.failure.every(({ message }) => isRule(message))
              if (accepted) assert.isTrue(root.ruled && rulesOnly, show("refused", value, decoded.failure))
              else assert.isFalse(rulesOnly, show("refused by a rule only", value, decoded.failure))
              continue
            }
            assert.isTrue(accepted, show("accepted", value, judge.errors))
            if (root.plain) assert.deepStrictEqual(decoded.success, value)
            // A decoded value travels back and decodes again.
            const encoded = compiled.encode(decoded.success)
            if (Result.isFailure(encoded)) return assert.fail(show("not encoded", value, encoded.failure))
            assert.isTrue(validate(encoded.success), show("not encoded to its schema", value, encoded.success))
            const again = compiled.decode(JSON.parse(JSON.stringify(encoded.success)))
            assert.isTrue(Result.isSuccess(again), show("not decoded again", encoded.success))
          }
        }),
        { numRuns: runs, seed, endOnFailure: true }
      )
      // Printed arbitraries fill pages, so only what went wrong is shown.
      assert.isFalse(run.failed, `seed ${run.seed}, path ${run.counterexamplePath}: ${String(run.errorInstance)}`)
      assert.isAbove(tally.accepted, 1000)
      assert.isAbove(tally.refused, 1000)
    })
  }
})
