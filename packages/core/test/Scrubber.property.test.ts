import { Scrubber } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Formatter, Redacted, Scope } from "effect"
import * as fc from "fast-check"
import { inspect } from "node:util"
import { vi } from "vitest"
import { encodingsOf, findIn } from "./fixtures/encodings.ts"

// A busy machine takes its time for thousands of texts.
vi.setConfig({ testTimeout: 60_000 })

const letters = fc.constantFrom(..."aAbB019", ..."+/-_=~ %\\\"'&?.\n", "é", "漢", "🔑")

// White space at the ends does not count.
const secret = fc
  .string({ unit: letters, minLength: 8, maxLength: 40 })
  .filter((text) => text.trim() === text && text.length >= 8)

const noise = fc.string({ unit: letters, maxLength: 30 })

/** A text around secrets in any encoding, and around parts of them. */
const around = (secrets: ReadonlyArray<string>, pieces: ReadonlyArray<Piece>): string =>
  pieces
    .map(({ before, index, encoding, cut, after }) => {
      const secret = secrets[index % secrets.length]!
      const forms = [
        ...encodingsOf(secret).values(),
        Buffer.from(before + secret + after).toString("base64"),
        Buffer.from(before + secret + after).toString("base64url")
      ]
      const form = forms[encoding % forms.length]!
      return before + (cut === undefined ? form : form.slice(0, cut % form.length)) + after
    })
    .join("")

const piece = fc.record({
  before: noise,
  index: fc.nat(3),
  encoding: fc.nat(30),
  cut: fc.option(fc.nat(60), { nil: undefined }),
  after: noise
})

type Piece = typeof piece extends fc.Arbitrary<infer A> ? A : never

const watching = (secrets: ReadonlyArray<string>): Scrubber.Registry => {
  const registry = Scrubber.make()
  const watch = Effect.forEach(secrets, (secret) => registry.watch(Redacted.make(secret)))
  Effect.runSync(Scope.provide(watch, Scope.makeUnsafe()))
  return registry
}

const cases = fc.record({
  secrets: fc.array(secret, { minLength: 1, maxLength: 4 }),
  pieces: fc.array(piece, { maxLength: 6 })
})

describe("a scrubbed text", () => {
  it("holds no encoding of a watched secret, and is the text itself where there is none", () => {
    let [clean, dirty] = [0, 0]
    fc.assert(
      fc.property(cases, ({ secrets, pieces }) => {
        const text = around(secrets, pieces)
        const scrubbed = watching(secrets).scrub(text)
        if (findIn(text, secrets).length > 0) dirty++
        assert.deepStrictEqual(findIn(scrubbed, secrets), [])
        // An escape may stand for what no encoder writes, so this half is for texts without any.
        if (findIn(text, secrets).length === 0 && !/[%\\+]/.test(text)) {
          clean++
          assert.strictEqual(scrubbed, text)
        }
      }),
      { numRuns: 10000, seed: 1 }
    )
    assert.isAbove(clean, 30)
    assert.isAbove(dirty, 300)
  })

  it("holds none either when it comes in chunks that are cut anywhere", () => {
    const chunked = fc.record({ cases, cuts: fc.array(fc.nat(400), { maxLength: 12 }) })
    fc.assert(
      fc.property(chunked, ({ cases: { secrets, pieces }, cuts }) => {
        const text = around(secrets, pieces)
        const stream = watching(secrets).stream()
        let scrubbed = ""
        let from = 0
        for (const cut of [...cuts, text.length].sort((a, b) => a - b)) {
          scrubbed += stream.push(text.slice(from, cut))
          from = Math.max(from, cut)
        }
        scrubbed += stream.flush()
        assert.deepStrictEqual(findIn(scrubbed, secrets), [])
        if (watching(secrets).scrub(text) === text) assert.strictEqual(scrubbed, text)
      }),
      { numRuns: 10000, seed: 2 }
    )
  })

  it("lets complete lines leave at once", () => {
    const stream = watching(["correct-horse", "first line\nsecond line"]).stream()
    assert.strictEqual(stream.push("one\ntwo correct-"), "one\n")
    assert.strictEqual(stream.push("horse\n"), "two <redacted>\n")
    assert.strictEqual(stream.push("a first line\n"), "")
    assert.strictEqual(stream.push("second line\nthree"), "a <redacted>\n")
    assert.strictEqual(stream.flush(), "three")
  })

  it("does not wait for the end of a line without end", () => {
    const stream = watching(["correct-horse"]).stream()
    const given = "x".repeat(200_000) + "correct-"
    const first = stream.push(given)
    assert.isAbove(first.length, 199_000)
    assert.strictEqual(first + stream.push("horse\n"), "x".repeat(200_000) + "<redacted>\n")
  })
})

class Holder {
  readonly inside: unknown
  constructor(inside: unknown) {
    this.inside = inside
  }
}

const shapes: ReadonlyArray<(text: string) => unknown> = [
  (text) => ["a", { b: text }],
  (text) => ({ [text]: 1 }),
  (text) =>
    new Map([
      [text, "a"],
      ["b", text]
    ]),
  (text) => ({ a: new Set([1, text]) }),
  (text) => new Error("failed", { cause: new TypeError(text) }),
  (text) => Object.assign(new Error(text), { request: new Holder({ headers: [text] }) }),
  (text) => Cause.combine(Cause.die(new Error(text)), Cause.fail({ _tag: "Refused", text })),
  (text) => [new Holder(new Holder(text))],
  (text) => ({ a: Buffer.from(text), b: new Holder(1) }),
  (text) => {
    const circle: Record<string, unknown> = { text }
    circle["circle"] = { circle }
    return circle
  }
]

/** What the usual printers make of a value. */
const printsOf = (value: unknown): string =>
  [
    inspect(value, { depth: Infinity, showHidden: true }),
    Formatter.format(value),
    Formatter.formatJson(value),
    ...(Cause.isCause(value) ? [Cause.pretty(value)] : []),
    ...(value instanceof Error ? [String(value.stack)] : [])
  ].join("\n")

describe("a scrubbed value", () => {
  it("is the value itself where there is no secret, and holds none otherwise", () => {
    const shaped = fc.record({ cases, shape: fc.constantFrom(...shapes) })
    fc.assert(
      fc.property(shaped, ({ cases: { secrets, pieces }, shape }) => {
        const text = around(secrets, pieces)
        const registry = watching(secrets)
        const value = shape(text)
        const scrubbed = registry.scrubValue(value)
        if (registry.scrub(text) === text) assert.strictEqual(scrubbed, value)
        else assert.deepStrictEqual(findIn(printsOf(scrubbed), secrets), [])
      }),
      { numRuns: 1000, seed: 3 }
    )
  })
})
