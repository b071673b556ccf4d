import { CanonicalJson } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as fc from "fast-check"
import { readJson } from "./fixtures/readJson.ts"

const text = (value: unknown) => Result.getOrThrow(CanonicalJson.stringify(value))
const fault = (value: unknown) => Result.getOrThrow(Result.flip(CanonicalJson.stringify(value)))

describe("CanonicalJson", () => {
  it("writes the example of RFC 8785, section 3.2.2", () => {
    const example = {
      numbers: [333333333.3333333, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false]
    }
    assert.strictEqual(
      text(example),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
  })

  it("sorts names by UTF-16 code units, as section 3.2.3 shows", () => {
    const names = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 }
    assert.strictEqual(text(names), '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
  })

  it("means one thing by two spellings of the same text", () => {
    assert.strictEqual(text("caf\u00e9"), text("cafe\u0301"))
  })

  it("writes minus zero as zero, and leaves out what is undefined", () => {
    assert.strictEqual(text({ a: -0, b: undefined }), '{"a":0}')
  })

  it("refuses what has no exact form", () => {
    assert.strictEqual(fault(Number.NaN), "is not a finite number")
    assert.strictEqual(fault([Infinity]), "is not a finite number")
    assert.strictEqual(fault({ a: 2 ** 53 }), "is an integer beyond 2^53")
    assert.strictEqual(fault("\ud800"), "has an unpaired surrogate")
    assert.strictEqual(fault({ "\ud800": 1 }), "has an unpaired surrogate")
    assert.strictEqual(fault(1n), "is not JSON")
  })

  it("has no two texts for one value, whatever the order of its keys", () => {
    const reversed = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(reversed)
        : value !== null && typeof value === "object"
          ? Object.fromEntries(
              Object.entries(value)
                .reverse()
                .map(([key, member]) => [key, reversed(member)])
            )
          : value
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const written = CanonicalJson.stringify(value)
        assert.deepStrictEqual(CanonicalJson.stringify(reversed(value)), written)
      })
    )
  })

  it("is stable when it is read and written again", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const written = CanonicalJson.stringify(value)
        if (Result.isFailure(written)) return
        assert.strictEqual(text(readJson(written.success)), written.success)
      })
    )
  })
})
