import { IdempotencyStore } from "@ferrule/core"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Context, Exit, Layer, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqliteIdempotencyStore from "../src/SqliteIdempotencyStore.ts"
import { watched } from "./fixtures/crashPoints.ts"
import { bookWith, leaveEverywhere, Stepper } from "./fixtures/leaving.ts"

const folder = mkdtempSync(join(tmpdir(), "ferrule-interruption-"))
afterAll(() => rmSync(folder, { recursive: true }))

const stores = {
  "in memory": IdempotencyStore.layerMemory,
  "in SQLite": SqliteIdempotencyStore.layer({ filename: join(folder, "records.db"), durability: "process" })
}

describe("a caller who leaves at any point", () => {
  for (const [place, layer] of Object.entries(stores)) {
    for (const tool of ["book", "book_once", "book_found", "book_keyed"] as const) {
      it(`${tool}, with records ${place}: writes at most once, and the next call gets the result`, async () => {
        const stepper = new Stepper()
        const scope = Scope.makeUnsafe()
        const store = Context.get(await stepper.run(Scope.provide(Layer.build(layer), scope)), IdempotencyStore)

        const { after, before } = await leaveEverywhere(stepper, store, bookWith(tool), (steps) => [
          [{ steps, late: false }, false],
          [{ steps, late: false }, true]
        ])
        // It has left on both sides of the write, or it would show nothing.
        assert.isAbove(before, 20)
        assert.isAbove(after, 20)

        const { points } = await leaveEverywhere(stepper, watched(store), bookWith(tool), (index) => [
          [{ point: index + 1 }, false],
          [{ point: index + 1 }, true]
        ])
        assert.strictEqual(
          points.join(", "),
          "before claim, after claim, before effect, after effect, before settle, after settle"
        )
        await stepper.run(Scope.close(scope, Exit.void))
      }, 60_000)
    }
  }
})
