import { IdempotencyKey, Principal } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Book, BookFound, clerk } from "./fixtures/ledger.ts"

const derive = (
  input: object,
  {
    connector = "ledger",
    principal = clerk,
    explicit
  }: { connector?: string; principal?: typeof clerk; explicit?: string } = {}
) => IdempotencyKey.derive(connector, Book)(principal, input, explicit)

describe("IdempotencyKey", () => {
  it.effect("is the same for the same operation, and pinned: a change would forget every record", () =>
    Effect.gen(function* () {
      const { key, guards, reference } = yield* derive({ account: "rent", amount: 100 })
      assert.strictEqual(key, "IKuy35E_jWDbfYMaSugAMJYKF9CL2ADk_nBzomaiYfs")
      assert.strictEqual(guards, "amount:4V94m6EiOie;")
      assert.strictEqual(reference, "6l6jocSS4fB3jtxxv6nVcQo8-Uk7MWsv8f0xWxKfN5k")
      assert.strictEqual((yield* IdempotencyKey.keysOf(clerk, reference)).own, key)
      assert.strictEqual((yield* derive({ memo: "x", amount: 100, account: "rent" })).key, key)
    })
  )

  it.effect("two spellings of one account are one operation", () =>
    Effect.gen(function* () {
      const composed = yield* derive({ account: "caf\u00e9", amount: 1 })
      const decomposed = yield* derive({ account: "cafe\u0301", amount: 1 })
      assert.strictEqual(composed.key, decomposed.key)
    })
  )

  it.effect("no choice of names makes two callers share an operation", () =>
    Effect.gen(function* () {
      const input = { account: "rent", amount: 1 }
      const keys = yield* Effect.all([
        derive(input, { principal: Principal.make({ id: "ab", tenant: "c" }) }),
        derive(input, { principal: Principal.make({ id: "b", tenant: "ca" }) }),
        derive(input, { principal: Principal.make({ id: "cab" }) }),
        derive(input, { connector: "ledger2", principal: Principal.make({ id: "ab", tenant: "c" }) })
      ])
      assert.strictEqual(new Set(keys.map(({ key }) => key)).size, 4)
    })
  )

  it.effect("a guard does not tell equal values of two operations", () =>
    Effect.gen(function* () {
      const rent = yield* derive({ account: "rent", amount: 100 })
      const food = yield* derive({ account: "food", amount: 100 })
      assert.notStrictEqual(rent.guards, food.guards)
      assert.deepStrictEqual(IdempotencyKey.differences(rent.guards, rent.guards), [])
      assert.deepStrictEqual(IdempotencyKey.differences(rent.guards, food.guards), ["amount"])
    })
  )

  it.effect("an optional field that is absent leaves no trace, and one that comes or goes is a difference", () =>
    Effect.gen(function* () {
      const book = (input: object) => IdempotencyKey.derive("ledger", BookFound)(clerk, input)
      const without = yield* book({ account: "rent", amount: 100 })
      const given = yield* book({ account: "rent", amount: 100, memo: "May" })
      assert.match(without.guards, /^amount:[A-Za-z0-9_-]{11};$/)
      assert.deepStrictEqual(IdempotencyKey.differences(without.guards, given.guards), ["memo"])
      assert.deepStrictEqual(IdempotencyKey.differences(given.guards, without.guards), ["memo"])
    })
  )

  it.effect("a text that no key can be made of is refused by field", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(derive({ account: "\ud800", amount: 1 }))
      assert.deepStrictEqual(error.issues[0].path, "account")
    })
  )
})
