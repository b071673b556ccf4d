import * as Audit from "@ferrule/cli/Audit"
import { Connector, IdempotencyStore, Operation, Policy, Tool } from "@ferrule/core"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Layer, Result, Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import type { Client } from "../../src/internal/Bench.ts"
import { crash } from "../../src/probes/crash.ts"
import { confirmations, readsOnlyRead } from "../../src/probes/reads.ts"
import { someoneElse } from "../../src/probes/someoneElse.ts"
import { again, concurrently, otherArguments, refusedBefore } from "../../src/probes/writes.ts"
import { findings } from "../fixtures/probing.ts"
import { ask, handlers, workshop } from "../fixtures/workshop.ts"

// Each starts servers, many at a time.
vi.setConfig({ testTimeout: 60_000 })

const writes = ["order_part", "pin_note", "book_bench"]

/** A store that takes every claim for the first one. */
const forgetful = (store: IdempotencyStore["Service"]): IdempotencyStore["Service"] => ({
  ...store,
  claim: () => Effect.succeed({ _tag: "Claimed" })
})

let minted = 0

/** Tools whose identity is another one each time, as with a key that is minted for each attempt. */
const minting = workshop({
  tool: (tool) => ({
    ...tool,
    input: {
      ...tool.input,
      decode: (input) => Result.map(tool.input.decode(input), (given) => ({ ...given, name: `part${++minted}` }))
    }
  })
})

describe("a sound connector", () => {
  for (const probe of [again, concurrently, crash, otherArguments, someoneElse, refusedBefore, readsOnlyRead]) {
    it.live(`passes ${probe.info.id}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* findings(probe, workshop()), [])
      })
    )
  }
})

describe("F01, a repeat", () => {
  it.live("finds writes that a store forgets", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(again, workshop(), { store: forgetful }), [
        "order_part ran 3 times for one operation",
        "order_part sent 2 more requests that change something upstream",
        "order_part does not say that a result is an earlier one",
        "pin_note ran 3 times for one operation",
        "pin_note gives a repeat another answer",
        "pin_note does not say that a result is an earlier one",
        "book_bench ran 3 times for one operation",
        "book_bench does not say that a result is an earlier one"
      ])
    })
  )
})

describe("F02, many at once", () => {
  it.live("finds writes whose identity is another one each time", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* findings(concurrently, minting),
        writes.flatMap((name) => [
          `${name} ran 20 times for one operation`,
          `${name} tells callers of one operation different things`
        ])
      )
    })
  )
})

describe("F03, a crash", () => {
  it.live("finds a store that takes a lapsed lease for none", () =>
    Effect.gen(function* () {
      const hasty = yield* findings(crash, workshop(), {
        store: (store) => ({
          ...store,
          claim: (options) =>
            Effect.flatMap(store.claim(options), (claim) =>
              claim._tag === "Existing" && claim.lapsed
                ? Effect.as(store.takeOver({ ...options, previousOwner: claim.owner }), { _tag: "Claimed" } as const)
                : Effect.succeed(claim)
            )
        })
      })
      assert.deepStrictEqual(hasty, [
        "pin_note executes again, and what its first attempt did is not known",
        "book_bench executes again: what its first attempt wrote was not looked for, or not found"
      ])
    })
  )

  it.live("finds records that no other instance would find", () =>
    Effect.gen(function* () {
      let instances = 0
      const own = yield* findings(crash, workshop(), {
        store: (store) => {
          const instance = ++instances
          const named = <O extends { readonly key: string }>(options: O) => ({
            ...options,
            key: `${options.key}:${instance}`
          })
          return {
            ...store,
            claim: (options) => store.claim(named(options)),
            read: (key) => store.read(`${key}:${instance}`),
            settle: (options) => store.settle(named(options)),
            release: (options) => store.release(named(options)),
            markUnknown: (options) => store.markUnknown(named(options)),
            takeOver: (options) => store.takeOver(named(options))
          }
        }
      })
      assert.deepStrictEqual(own, [
        "pin_note executes again, and what its first attempt did is not known",
        "book_bench executes again: what its first attempt wrote was not looked for, or not found"
      ])
    })
  )

  it.live("finds a search that does not find, and an upstream that is not told the key", () =>
    Effect.gen(function* () {
      const Order = Schema.Struct({ id: Schema.String })
      const blind = workshop({
        handlers: { find: () => false, order: () => ask(HttpClientRequest.post("/orders"), Order) }
      })
      assert.deepStrictEqual(yield* findings(crash, blind), [
        "order_part executes again, and never asks for the key by which its upstream could know that",
        "book_bench executes again: what its first attempt wrote was not looked for, or not found"
      ])
      const silent = workshop({
        handlers: {
          order: () =>
            Effect.andThen(
              Effect.flatMap(Operation, (operation) => operation.idempotencyKey("supplier")),
              ask(HttpClientRequest.post("/orders"), Order)
            )
        }
      })
      assert.deepStrictEqual(yield* findings(crash, silent), [
        "order_part executes again, and does not send its upstream the key"
      ])
    })
  )
})

describe("F04, other arguments", () => {
  it.live("finds a store that forgets what the first call meant", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* findings(otherArguments, workshop(), { store: forgetful }),
        writes.flatMap((name) =>
          ["one operation", "one client's key"].flatMap((how) => [
            `${name} ran 2 times for ${how}, with other arguments`,
            `${name} answers other arguments of ${how} with a result`
          ])
        )
      )
    })
  )
})

describe("F05, somebody else", () => {
  it.live("finds records that everybody shares", () =>
    Effect.gen(function* () {
      const shared = yield* findings(someoneElse, workshop(), {
        store: (store) => ({
          ...store,
          claim: (options) => store.claim({ ...options, key: "one" }),
          settle: (options) => store.settle({ ...options, key: "one" })
        })
      })
      assert.deepStrictEqual(
        shared,
        writes.flatMap((name) =>
          ["", " under the same key in _meta", " under the same Idempotency-Key"].flatMap((how) => [
            `${name} gives somebody else the first caller's operation${how}`,
            `${name} gives the same name in another tenant the first caller's operation${how}`
          ])
        )
      )
    })
  )

  it.live("finds answers that are kept by the client's key alone", () =>
    Effect.gen(function* () {
      const kept = new Map<string, ReturnType<Client["callTool"]>>()
      const shared = yield* findings(someoneElse, workshop(), {
        proxy: (callTool) => (params, options) => {
          const key = params._meta?.["ferrule/idempotencyKey"]
          if (key === undefined) return callTool(params, options)
          const name = `${params.name} ${String(key)}`
          if (!kept.has(name)) kept.set(name, callTool(params, options))
          return kept.get(name)!
        }
      })
      assert.deepStrictEqual(
        shared,
        writes.map((name) => `${name} gives somebody else the first caller's operation under the same key in _meta`)
      )
    })
  )
})

describe("F06, refused calls", () => {
  it.live("finds a key that a bad call consumed", () =>
    Effect.gen(function* () {
      const lenient = workshop({
        tool: (tool) => ({ ...tool, input: { ...tool.input, decode: (input) => Result.succeed(input as object) } })
      })
      assert.deepStrictEqual(
        yield* findings(refusedBefore, lenient),
        writes.flatMap((name) => [
          `${name} lets a call that is to be refused consume a key`,
          `${name} runs its handler for a call that is to be refused`,
          `${name} answers the good call after refused ones with ValidationError`
        ])
      )
    })
  )
})

describe("F07, reads", () => {
  it.live("finds a read that posts", () =>
    Effect.gen(function* () {
      const posting = workshop({
        handlers: {
          list: (input) => Effect.andThen(ask(HttpClientRequest.post("/views"), Schema.Unknown), handlers.list(input))
        }
      })
      assert.deepStrictEqual(yield* findings(readsOnlyRead, posting), ["list_parts sends a POST to /views"])
    })
  )
})

describe("F08, confirmations", () => {
  const Name = Schema.String.check(Schema.isMaxLength(20)).annotate({ description: "A name." })
  const input = Schema.Struct({ name: Name, confirm: Schema.Boolean.annotate({ description: "That it is meant." }) })
  const Shop = Connector.make("shop", {
    version: "1.0.0",
    tools: [
      Tool.write("close_shop", {
        title: "Close the shop",
        description: "Closes the shop for good. Use it when it is asked for. It can't open it again.",
        input,
        output: Schema.Struct({ name: Name }),
        allow: Policy.role("owner"),
        idempotency: { identity: ["name"], recovery: "repeatable" }
      })
    ]
  })
  const shop = (isAsked: boolean) =>
    Audit.make(Shop, {
      layers: Layer.merge(
        Shop.toLayer({
          close_shop: ({ confirm, name }) =>
            confirm || !isAsked ? Effect.succeed({ name }) : Effect.die(new Error("Not confirmed"))
        }),
        IdempotencyStore.layerMemory
      ),
      arguments: { close_shop: { name: "ours", confirm: true } }
    })

  it.live("passes a write that is refused without one, and one that takes none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(confirmations, shop(true)), [])
      assert.deepStrictEqual(yield* findings(confirmations, workshop()), [
        "no write has a parameter for a confirmation; clients ask their users by the hints"
      ])
    })
  )

  it.live("finds a write that does not look at it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(confirmations, shop(false)), ["close_shop is done without a confirmation"])
    })
  )
})
