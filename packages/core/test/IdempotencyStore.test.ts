import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { IdempotencyStore } from "../src/IdempotencyStore.ts"
import * as IdempotencyStoreContract from "../src/testing/IdempotencyStoreContract.ts"
import { followsTheRules } from "./fixtures/storeModel.ts"

describe("the memory store keeps the contract:", () => {
  for (const { name, run } of IdempotencyStoreContract.cases({ advance: TestClock.adjust })) {
    it.effect(name, () => run.pipe(Effect.provide(IdempotencyStore.layerMemory)))
  }

  it("any sequence of steps gives what the rules say", () => followsTheRules(IdempotencyStore.layerMemory, 300))
})

describe("the memory store", () => {
  it.effect("is seen by this process alone", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* IdempotencyStore).scope, "process")
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )

  const lease = Duration.seconds(30)
  const retention = Duration.minutes(5)
  const twoKilobytes = (index: number) => Buffer.alloc(2048, `${index} `).toString("latin1")

  it.effect("holds no more memory after 50,000 settled and 50,000 released writes than their retention asks for", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const before = heapUsed()
      for (let index = 0; index < 50_000; index++) {
        // Ten writes a second, so 3,000 records are within their retention.
        if (index % 10 === 0) yield* TestClock.adjust("1 second")
        const owner = `owner ${index}`
        yield* store.claim({ key: `settled ${index}`, owner, guards: "", lease, retention })
        yield* store.settle({ key: `settled ${index}`, owner, result: twoKilobytes(index), retention })
        yield* store.claim({ key: `released ${index}`, owner, guards: twoKilobytes(index), lease, retention })
        yield* store.release({ key: `released ${index}`, owner })
      }
      assert.isBelow(heapUsed() - before, 30 * 1024 * 1024)
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )

  it.effect("forgets what expired in a burst or an idle night as claims come", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const before = heapUsed()
      for (let index = 0; index < 40_000; index++) {
        yield* store.claim({ key: `${index}`, owner: "a", guards: twoKilobytes(index), lease, retention })
      }
      assert.isAbove(heapUsed() - before, 60 * 1024 * 1024)
      yield* TestClock.adjust("12 hours")
      for (let index = 0; index < 5_200; index++) {
        yield* store.claim({ key: `new ${index}`, owner: "a", guards: "", lease, retention })
      }
      assert.isBelow(heapUsed() - before, 10 * 1024 * 1024)
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))
  )
})

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const heapUsed = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
