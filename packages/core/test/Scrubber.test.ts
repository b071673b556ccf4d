import { Scrubber } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"

const secret = 'sk-live/9f"a+é~ 77?'
const bytes = Buffer.from(secret)

describe("Scrubber", () => {
  it.effect("replaces a watched secret in each of its forms", () =>
    Effect.gen(function* () {
      yield* Scrubber.watch(Redacted.make(secret))
      const forms: Readonly<Record<string, string>> = {
        plain: secret,
        base64: bytes.toString("base64"),
        "base64, one byte in": Buffer.from(`u${secret}!`).toString("base64").slice(1, 28),
        "base64, two bytes in": Buffer.from(`us${secret}!!`).toString("base64").slice(2, 30),
        base64url: bytes.toString("base64url"),
        hex: bytes.toString("hex"),
        HEX: bytes.toString("hex").toUpperCase(),
        percent: encodeURIComponent(secret),
        "percent, in lower case": encodeURIComponent(secret).toLowerCase(),
        "percent, each byte": [...bytes].map((byte) => `%${byte.toString(16)}`).join(""),
        form: new URLSearchParams({ s: secret }).toString().slice(2),
        json: JSON.stringify(secret).slice(1, -1),
        "json, in ASCII": JSON.stringify(secret).slice(1, -1).replace("é", "\\u00E9"),
        "json in json": JSON.stringify(JSON.stringify(secret)).slice(3, -3),
        "a URL in json in json": JSON.stringify(JSON.stringify(`x${encodeURIComponent(secret)}`)).slice(4, -3),
        "base64 in a URL": encodeURIComponent(bytes.toString("base64")),
        "a printed buffer": inspect(bytes).slice(8, -1),
        "a buffer in json": JSON.stringify(bytes).slice(25, -2)
      }
      for (const [name, form] of Object.entries(forms)) {
        assert.strictEqual(
          (yield* Scrubber.scrub(`a: ${form} :b`)).replace(/(=|%3D)+(?= )/, ""),
          "a: <redacted> :b",
          name
        )
      }
    }).pipe(Effect.scoped, Effect.provide(Scrubber.layer))
  )

  it.effect("forgets a secret a minute after the last scope that watched it has closed", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* Scope.make(), yield* Scope.make()]
      const watch = Scrubber.watch(Redacted.make("correct-horse"))
      yield* Scope.provide(watch, one)
      yield* Scope.provide(watch, other)
      yield* Scope.close(one, Exit.void)
      yield* TestClock.adjust("2 minutes")
      yield* Effect.scoped(Scrubber.watch(Redacted.make("unrelated-1")))
      assert.strictEqual(yield* Scrubber.scrub("correct-horse"), "<redacted>")
      yield* Scope.close(other, Exit.void)
      yield* TestClock.adjust("59 seconds")
      yield* Effect.scoped(Scrubber.watch(Redacted.make("unrelated-2")))
      assert.strictEqual(yield* Scrubber.scrub("correct-horse"), "<redacted>")
      yield* TestClock.adjust("1 second")
      yield* Effect.scoped(Scrubber.watch(Redacted.make("unrelated-3")))
      assert.strictEqual(yield* Scrubber.scrub("correct-horse"), "correct-horse")
    }).pipe(Effect.provide(Scrubber.layer))
  )
})
