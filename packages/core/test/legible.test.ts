import { AuditTrail, Connector, Operation, Policy, Principal, Tool } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as fc from "fast-check"
import { legible } from "../src/internal/legible.ts"
import { readJson } from "./fixtures/readJson.ts"

describe("what a text hides", () => {
  it.each([
    ["spaces of no width", "ig\u200bnore\u2060 it\ufeff", String.raw`ig\u200bnore\u2060 it\ufeff`],
    ["a soft hyphen", "pass\u00adword", String.raw`pass\u00adword`],
    ["words that run backwards", "\u202eevil\u202c \u2066x\u2069", String.raw`\u202eevil\u202c \u2066x\u2069`],
    ["a sentence in tags", "\u{e0067}\u{e006f}\u{e007f}", String.raw`\udb40\udc67\udb40\udc6f\udb40\udc7f`],
    ["bytes in variation selectors", "😀\ufe00\u{e0100}", String.raw`😀\ufe00\udb40\udd00`],
    ["letters that are drawn as nothing", "\u3164\u115f\uffa0", String.raw`\u3164\u115f\uffa0`],
    ["controls of a terminal", "\u001b[8m\u009b\u007f", String.raw`\u001b[8m\u009b\u007f`],
    ["lines of another kind", "a\u2028b\u2029c\u0085", String.raw`a\u2028b\u2029c\u0085`],
    ["a joiner between other letters", "pay\u200dable", String.raw`pay\u200dable`],
    ["joiners in a row", "\u0644\u200c\u200c\u0645", String.raw`ل\u200c\u200cم`]
  ])("%s are escaped", (_, text, expected) => assert.strictEqual(legible(text), expected))

  it.each([
    ["emoji that are one drawing of several", "👩‍💻 ❤️ 🏳️‍🌈 👩🏽‍🚒 ❤️‍🔥 👨‍👩‍👧‍👦 🧑‍🦰 🏃🏾‍♀️‍➡️ 1️⃣ 🇩🇪"],
    ["Persian", "می‌خواهم"],
    ["Hindi and Sinhala", "क्‍ष ශ්‍රී ලංකාව"],
    ["other scripts and their marks", "Grüße, 支援チケット, Ω≈ç√, עִבְרִית, العربية, ไทย, e\u0301"]
  ])("%s stay as they are", (_, text) => assert.strictEqual(legible(text), text))

  it("a JSON text stays the text of the same value", () => {
    const unseen = fc.constantFrom(
      "\u200b",
      "\u202e",
      "\u{e0041}",
      "\u2028",
      "\u00ad",
      "\\",
      '"',
      "\ufe0f",
      "😀",
      "\ud800"
    )
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(unseen).map((parts) => parts.join(""))
    )
    fc.assert(
      fc.property(fc.dictionary(text, text), (value) => {
        const json = JSON.stringify(value)
        assert.strictEqual(JSON.stringify(readJson(legible(json))), json)
        assert.strictEqual(legible(legible(json)), legible(json))
      }),
      { numRuns: 1000 }
    )
  })
})

it.effect("the words of progress are legible, too", () =>
  Effect.gen(function* () {
    const Walk = Tool.read("walk", {
      title: "Walk",
      description: "Stands for a tool, in a test of progress.",
      input: Schema.Struct({}),
      output: Schema.Struct({}),
      allow: Policy.role("walker")
    })
    const Walks = Connector.make("walks", { version: "1.0.0", tools: [Walk] })
    const handlers = Walks.toLayer({
      walk: () => Effect.flatMap(Operation, ({ progress }) => Effect.as(progress(1, 2, "past \u202ekrap\u202c"), {}))
    })
    const said: Array<unknown> = []
    yield* Effect.gen(function* () {
      const client = (yield* TestClient.make(Walks)).as(Principal.make({ id: "ada", roles: ["walker"] }))
      yield* client.call("walk", {}, { progress: (...report) => Effect.sync(() => void said.push(report)) })
    }).pipe(Effect.provide([handlers, AuditTrail.layerNone]))
    assert.deepStrictEqual(said, [[1, 2, String.raw`past \u202ekrap\u202c`]])
  })
)
