import { assert, it } from "@effect/vitest"
import { IdempotencyStore, Principal } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { handlers } from "./handlers.ts"
import { Notes } from "./Notes.ts"
import { connector } from "./tools.ts"

const layers = Layer.mergeAll(
  handlers.pipe(Layer.provide(Notes.layerMemory)),
  IdempotencyStore.layerMemory,
  RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
)
const writer = Principal.make({ id: "wanda", roles: ["writer"] })
const reader = Principal.make({ id: "rob", roles: ["reader"] })
const note = { topic: "deploys", text: "Fridays are frozen." }

it.effect("a note is added once, however often the call is repeated", () =>
  Effect.gen(function* () {
    const client = yield* TestClient.make(connector)
    const first = yield* client.as(writer).call("add_note", note)
    const again = yield* client.as(writer).call("add_note", note)
    assert.deepStrictEqual([first.result, again.result], [{ count: 1 }, { count: 1 }])
    assert.isDefined(again.replay)
    const { result } = yield* client.as(reader).call("read_notes", { topic: "deploys" })
    assert.deepStrictEqual(result, { notes: ["Fridays are frozen."] })
  }).pipe(Effect.provide(layers))
)

it.effect("a reader has no tool to add a note with", () =>
  Effect.gen(function* () {
    const client = yield* TestClient.make(connector)
    const refusal = yield* Effect.flip(client.as(reader).call("add_note", note))
    assert.strictEqual(refusal._tag, "NoSuchTool")
  }).pipe(Effect.provide(layers))
)

it.effect("wrong arguments are all named, and nothing is written", () =>
  Effect.gen(function* () {
    const client = yield* TestClient.make(connector)
    const refusal = yield* Effect.flip(client.as(writer).call("add_note", { topic: "" }))
    assert.deepStrictEqual(refusal._tag === "ValidationError" ? refusal.issues.map(({ path }) => path) : [], [
      "topic",
      "text"
    ])
    const { result } = yield* client.as(reader).call("read_notes", { topic: "deploys" })
    assert.deepStrictEqual(result, { notes: [] })
  }).pipe(Effect.provide(layers))
)
