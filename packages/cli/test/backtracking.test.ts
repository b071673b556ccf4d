import { assert, describe, it } from "@effect/vitest"
import { backtracking } from "../src/internal/backtracking.ts"

/** Each takes a time that grows with a power of the text's length at least. */
const slow = String.raw`
  (a+)+$  ^(a|a)*$  ^(\w+\s?)*$  ^([a-zA-Z0-9]+)*@x$  (x+x+)+y  ^(([a-z])+.)+[A-Z]([a-z])+$  ^(.*a){20}$  ^(?:a?){30}a{30}$
  \s+$  ^[^\s@]+@[^\s@]+\.[^\s@]+$  a*a*a*b  ^.*=.*$  ^(\d+|\d+x)*$  ^(?=(a+))\1*b(c+)+$  ^((ab)*|[abc]*)*d$  ^(a+){10}$
  ^([a-z0-9]+[-_.]?)+$  (.*)*\1x  (\w|\d)*$  ^(\w|\d)*$  ^(a|ab|b)*$  ^(a|aa)+$  ^([a-z]+\.?)+@x$  ^(.+\.)+com$
  ^(?:[a-z]|[a-c0-9])*!$  ^\s*(\S+\s*)+;$  (?:(?:\+|-)?\d+)*z  ^(?:\w+-?)*$  ^(([a-z0-9])+-?)+$  ^(a*)*b$  ^(?:(?:a|b)+)+$
  ^(x*y*)*$  ^(?:.|\s)*x$  ^(\/?[\w-]+)*\/$  ^((https?|ftp):\/\/)?([a-z0-9-]+\.?)+$  ^(\d+(,\d+)?)+$
  ^(([01]?\d\d?|2[0-4]\d|25[0-5])\.?)*$  ^[a-z]*[a-z0-9]*[a-z]*$  ^(?:a{1,50}){1,50}$
`

/** Each is quick on every text, however odd it looks. */
const quick = String.raw`
  ^T-[1-9][0-9]{3,8}$  ^[A-Z]{2,6}-[0-9]{1,8}$  ^[a-z][a-z.-]{1,39}$  ^[A-Za-z0-9_-]{43}$  ^-?(?:0|[1-9]\d{0,15})(?:\.\d{1,15})?$
  ^(?:[0-9a-zA-Z+/]{4})*(?:[0-9a-zA-Z+/]{2}==|[0-9a-zA-Z+/]{3}=)?$  ^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}$  ^(GET|POST|PUT)$
  ^\p{L}[\p{L}\p{M}'-]{0,79}$  ^[a-z0-9]+(?:-[a-z0-9]+)*$  ^(?!.*\.\.)[a-z.]{1,50}$  ^(\d{1,3})(,\d{3})*(\.\d+)?$  ^#[0-9a-f]{6}$
  ^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*\.[a-zA-Z]{2,}$  ^[\p{L}0-9]{1,40}$  ^[A-Z]{3}$  ^\+[1-9]\d{1,14}$
  ^\d{4}-\d{2}-\d{2}$  ^(?:[a-z0-9]+/)*[a-z0-9]+$  ^[^\n]{1,200}$  ^arn:aws:[a-z0-9]+:[a-z0-9-]*:\d{12}:[^\s]{1,200}$
  ^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$  ^[\w.-]{1,255}$  ^(?:[A-Z]{2}\d{2})[A-Z0-9]{11,30}$
  ^v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$  ^[^/\\]+$  ^(.|\n)*\*/$  ^([^,]*,?)*$
`

const each = (patterns: string) => patterns.trim().split(/\s+/)

describe("backtracking", () => {
  it("finds every pattern that can be made to run for ages, and no other", () => {
    const missed = each(slow).filter((source) => backtracking(source) === undefined)
    const wronged = each(quick).filter((source) => backtracking(source) !== undefined)
    assert.deepStrictEqual({ missed, wronged }, { missed: [], wronged: [] })
  })

  it("says how the time grows, and on which text", () => {
    assert.strictEqual(backtracking(String.raw`^(\w+\s?)*$`)?.degree, Infinity)
    assert.strictEqual(backtracking("^.*=.*$")?.degree, 2)
    assert.match(backtracking("^(a|aa)+$")?.attack ?? "", /repeat/)
  })

  it("takes what is no regular expression for none that is slow", () => {
    assert.isUndefined(backtracking("["))
  })
})
