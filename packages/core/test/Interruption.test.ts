import { IdempotencyStore } from "@ferrule/core"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Context, Exit, Layer, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as SqliteIdempotencyStore from "../src/SqliteIdempotencyStore.ts"
import { watched } from "./fixtures/crashPoints.ts"
import { bookings, bookWith, leaveEverywhere, sidesOf, Stepper } from "./fixtures/leaving.ts"

const folder = mkdtempSync(join(tmpdir(), "ferrule-interruption-"))
afterAll(() => rmSync(folder, { recursive: true }))

const stores = {
  "in memory": IdempotencyStore.layerMemory,
  "in SQLite": SqliteIdempotencyStore.layer({ filename: join(folder, "records.db"), durability: "process" })
}

describe("a caller who leaves at any point", () => {
  for (const [place, layer] of Object.entries(stores)) {
    for (const booking of bookings) {
      it(`${booking.what}, with records ${place}: writes at most once, and the next call gets the result`, async () => {
        const stepper = new Stepper()
        const scope = Scope.makeUnsafe()
        const store = Context.get(await stepper.run(Scope.provide(Layer.build(layer), scope)), IdempotencyStore)

        const { after, before } = await leaveEverywhere(
          stepper,
          store,
          bookWith(booking.tool, booking.cutOff),
          (steps) => [
            [{ steps, late: false }, false],
            [{ steps, late: false }, true]
          ]
        )
        // It has left on both sides of the write, or it would show nothing.
        assert.isAbove(before, 20)
        assert.isAbove(after, 20)

        const { points } = await leaveEverywhere(
          stepper,
          watched(store),
          bookWith(booking.tool, booking.cutOff),
          (index) => [
            [{ point: index + 1 }, false],
            [{ point: index + 1 }, true]
          ]
        )
        assert.deepStrictEqual(points, sidesOf(booking.points))
        await stepper.run(Scope.close(scope, Exit.void))
      })
    }
  }
})
