import type { Audit } from "@ferrule/cli/Audit"
import type { IdempotencyStore } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Bench from "../../src/internal/Bench.ts"
import { crash } from "../../src/probes/crash.ts"
import { passthrough } from "../../src/probes/sessions.ts"
import { books } from "../fixtures/books.ts"
import { lenient } from "../fixtures/careless.ts"
import { findings } from "../fixtures/probing.ts"

describe("F03, a transactional write whose process dies", () => {
  it.live("passes where the effect and the record are gone together, and there together", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(crash, books()), [])
      assert.deepStrictEqual(yield* findings(crash, books({ tells: "with the key" })), [])
    })
  )

  it.live("is found where it writes by a client that knows nothing of the transaction", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(crash, books({ apart: true })), [
        "book leaves what list_entries shows, and its transaction was undone"
      ])
    })
  )

  it.live("is found where an upstream is told, which takes nothing back", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(crash, books({ tells: "without a key" })), [
        "book sends a POST to /letters, which is not undone with its transaction"
      ])
    })
  )

  it.live("is found where the store begins no transaction", () =>
    Effect.gen(function* () {
      const store = (given: IdempotencyStore["Service"]): IdempotencyStore["Service"] => ({
        ...given,
        transaction: (effect) => effect
      })
      assert.deepStrictEqual(yield* findings(crash, books(), { store }), [
        "book leaves what list_entries shows, and its transaction was undone",
        "book answers with TransientError where its transaction was undone"
      ])
    })
  )

  it.live("is found where the record stays though the effect is gone", () =>
    Effect.gen(function* () {
      // Claims and settles apart from the transaction that it opens.
      const claims = new Set<string>()
      const store = (given: IdempotencyStore["Service"]): IdempotencyStore["Service"] => ({
        ...given,
        claim: (options) =>
          Effect.map(given.claim(options), (claim) => {
            if (claim._tag !== "Claimed" || !claims.has(options.key)) return (claims.add(options.key), claim)
            const { guards, owner } = options
            const times = { createdAt: 0, settledAt: undefined, result: undefined }
            return { _tag: "Existing", state: "claimed", owner, guards, epoch: 1, lapsed: true, ...times }
          })
      })
      assert.deepStrictEqual(yield* findings(crash, books(), { store }), [
        "book answers with OutcomeUnknown where its transaction was undone"
      ])
    })
  )

  it.live("is not said to leave nothing where no read would show it", () =>
    Effect.gen(function* () {
      const outcome = yield* crash.run(yield* Bench.make(books({ blind: true })))
      assert.deepStrictEqual("faults" in outcome && [outcome.faults, outcome.note], [
        [],
        "3 calls of 1 writes; no read shows what book writes, so that its effect is undone was not seen"
      ])
    }).pipe(Effect.scoped)
  )
})

describe("a connector whose upstream is a database", () => {
  it.live("passes no token on to it, and is read in its protocol", () =>
    Effect.gen(function* () {
      const outcome = yield* passthrough.run(yield* Bench.make(books()))
      assert.deepStrictEqual("faults" in outcome && outcome.faults, [])
      assert.match(
        ("faults" in outcome && outcome.note) || "",
        /^2 tools, 0 requests to upstreams, what went to [\w.-]+:\d+ and is no HTTP$/
      )
      const marking: Audit = books({ marks: true })
      const found = yield* findings(passthrough, { ...marking, identity: () => lenient })
      assert.deepStrictEqual(found, ["book sends the caller's token upstream, as it is"])
    }).pipe(Effect.scoped)
  )
})
