import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { concealing } from "../src/internal/conceal.ts"

const secret = 'plain "token" of the rows'

it.effect("a report has no credential that the audit has met, in any form, nor what looks like one", () =>
  Effect.gen(function* () {
    const conceal = yield* concealing([secret, "short"])
    const text = [
      `asked with ${secret}`,
      JSON.stringify({ header: JSON.stringify({ secret }) }),
      `?key=${encodeURIComponent(secret)}`,
      Buffer.from(`user:${secret}`).toString("base64"),
      Buffer.from(secret).toString("hex")
    ]
    assert.deepStrictEqual(text.map(conceal), [
      "asked with <redacted>",
      '{"header":"{\\"secret\\":\\"<redacted>\\"}"}',
      "?key=<redacted>",
      "dXNlcj<redacted>",
      "<redacted>"
    ])
    assert.strictEqual(conceal("authorization: Bearer abcdefgh12345"), "authorization: Bearer <token>")
    assert.strictEqual(conceal("eyJhbGciOi.eyJpc3Mi.c2ln in it"), "<token> in it")
    assert.strictEqual(conceal("postgres://desk:hunter2@db.example/desk"), "postgres://<redacted>@db.example/desk")
    assert.strictEqual(conceal("a short text that is fine"), "a short text that is fine")
  })
)

it.effect("a text that was cut short in the middle of a credential has no part of it", () =>
  Effect.gen(function* () {
    const conceal = yield* concealing([secret])
    const cut = (text: string) => `${text} … (1200 characters)`
    assert.strictEqual(conceal(cut('asked with plain "tok')), cut("asked with <redacted>"))
    assert.strictEqual(conceal(cut('{"secret":"plain \\"tok')), cut('{"secret":"<redacted>'))
    assert.strictEqual(conceal(cut("asked with nothing")), cut("asked with nothing"))
  })
)
