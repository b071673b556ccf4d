import { AuditTrail, IdempotencyKey, IdempotencyStore } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { SqlClient } from "effect/sql"
import * as SqlIdempotencyStore from "../src/SqlIdempotencyStore.ts"
import { newPrefix } from "./fixtures/crash.ts"
import { Bank, clerk, decodeRows, layerTable, writes } from "./fixtures/crashBooks.ts"
import { watched } from "./fixtures/crashPoints.ts"
import { bookings, bookWith, leaveEverywhere, sidesOf, Stepper, type Write } from "./fixtures/leaving.ts"
import { newName, newTable, TestSchema } from "./fixtures/postgres.ts"
import * as Redis from "./fixtures/redis.ts"

const stores = {
  PostgreSQL: Effect.flatMap(newTable, (table) => SqlIdempotencyStore.make({ table })),
  Redis: Effect.flatMap(newPrefix, (prefix) => Redis.open(Redis.url, { prefix }))
}

/** Leaves after each operation, with its answer under way and with it there, and at each point; tells the points. */
const everywhere = async <A>(store: IdempotencyStore["Service"], newWrite: (account: string) => Write<A>) => {
  const stepper = new Stepper()
  const { after, before } = await leaveEverywhere(stepper, store, newWrite, (steps) => [
    [{ steps, late: false }, false],
    [{ steps, late: true }, true]
  ])
  // It has left on both sides of the write, or it would show nothing.
  assert.isAbove(before, 20)
  assert.isAbove(after, 20)
  const { points } = await leaveEverywhere(stepper, watched(store), newWrite, (index) => [
    [{ point: index + 1 }, false],
    [{ point: index + 1 }, true]
  ])
  return points
}

layer(TestSchema.layer, { excludeTestServices: true })("a caller who leaves at any point", (it) => {
  for (const [place, newStore] of Object.entries(stores)) {
    for (const { cutOff, points, tool, what } of bookings) {
      it.effect(
        `${what}, with records in ${place}: writes at most once, and the next call gets the result`,
        Effect.fnUntraced(function* () {
          const store = yield* newStore
          const passed = yield* Effect.promise(() => everywhere(store, bookWith(tool, cutOff)))
          assert.deepStrictEqual(passed, sidesOf(points))
        }),
        120_000
      )
    }
  }

  it.effect(
    "a transaction is done as a whole, and the next call gets the result",
    Effect.fnUntraced(function* () {
      const sql = yield* SqlClient.SqlClient
      const [entries, store] = [yield* newName, yield* stores.PostgreSQL]
      yield* sql`CREATE TABLE ${sql.literal(entries)} (account text, part text, key text, entry text)`
      const handlers = layerTable(entries).pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
      const newWrite = (account: string) => ({
        cutOff: false,
        key: IdempotencyKey.derive(Bank.name, writes.transactional)(clerk, { account, occurrence: 1 }),
        entries: Effect.orDie(
          Effect.map(sql`SELECT * FROM ${sql.literal(entries)} WHERE account = ${account}`, (rows) =>
            decodeRows(rows).map(({ entry }) => ({ entry }))
          )
        ),
        instance: (store: IdempotencyStore["Service"]) =>
          Effect.map(
            Effect.provide(TestClient.make(Bank), [handlers, Layer.succeed(IdempotencyStore, store)]),
            (client) =>
              Effect.map(client.as(clerk).call("book_within", { account }), ({ result }) => result).pipe(
                Effect.provide([AuditTrail.layerNone, Logger.layer([])])
              )
          )
      })
      const passed = yield* Effect.promise(() => everywhere(store, newWrite))
      assert.deepStrictEqual(passed, sidesOf("begin claim effect settle commit"))
    }),
    120_000
  )
})
