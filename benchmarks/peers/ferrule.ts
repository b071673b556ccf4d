/**
 * Ferrule through its whole pipeline, over the store in memory: once for an order book that can be searched, and once as
 * if nothing could be found out about it. The first starts again where it finds nothing, and so can't help a holder that
 * writes after its lease; the second never does.
 */
import {
  AuditTrail,
  Connector,
  type DefinitionError,
  IdempotencyStore,
  Pipeline,
  Policy,
  Principal,
  Tool
} from "@ferrule/core"
import { Effect, Exit, Layer, Logger, Option, Schedule, Schema, Scope } from "effect"
import type { Order, OrderBook } from "./OrderBook.ts"
import { type Answer, attemptSeconds, type Peer, retentionSeconds } from "./Peer.ts"

const Text = Schema.String.check(Schema.isBetweenLength(1, 40)).annotate({ description: "1 to 40 characters." })

const enter = {
  title: "Enter an order",
  description: "Enters an order in the book, once for each reference.",
  input: Schema.Struct({
    reference: Text,
    cents: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000 })).annotate({ description: "The price." }),
    remark: Schema.optionalKey(Text),
    Remark: Schema.optionalKey(Text)
  }),
  output: Schema.Struct({ number: Schema.Int.annotate({ description: "The entry's number." }) }),
  allow: Policy.role("clerk"),
  timeout: `${attemptSeconds} seconds`,
  retry: Schedule.recurs(0)
} as const
const idempotency = { identity: ["reference"], retention: `${retentionSeconds} seconds` } as const

const Searched = Connector.make("orders", {
  version: "1.0.0",
  tools: [Tool.write("enter", { ...enter, idempotency: { ...idempotency, recovery: "reconcile" } })]
})
const ReadBook = Tool.read("read_book", {
  title: "Read the book",
  description: "Says how many entries the book has.",
  input: Schema.Struct({}),
  output: Schema.Struct({ entries: Schema.Int.annotate({ description: "How many there are." }) }),
  allow: Policy.role("clerk")
})
const Opaque = Connector.make("orders", {
  version: "1.0.0",
  tools: [
    ReadBook,
    Tool.write("enter", { ...enter, idempotency: { ...idempotency, recovery: "unknown", checkWith: "read_book" } })
  ]
})

type Instance = Effect.Effect<Pipeline.Pipeline, DefinitionError, IdempotencyStore | Scope.Scope>

const searched = (book: OrderBook): Instance => {
  const find = (order: Order) => Effect.map(Principal, ({ tenant }) => Option.fromNullishOr(book.find(tenant!, order)))
  const handlers = Searched.toLayer({ enter: { execute: write(book), find } })
  return Effect.provide(Pipeline.make(Searched), [handlers, AuditTrail.layerNone])
}

const opaque = (book: OrderBook): Instance => {
  const read_book = () => Effect.sync(() => ({ entries: book.entries.length }))
  const handlers = Opaque.toLayer({ read_book, enter: write(book) })
  return Effect.provide(Pipeline.make(Opaque), [handlers, AuditTrail.layerNone])
}

/** As little as an author can do: an error of the order book is no class of error, but whatever was thrown. */
const write = (book: OrderBook) => (order: Order) =>
  Effect.flatMap(Principal, ({ tenant }) => Effect.promise(() => book.write(tenant!, order)))

const peer = (title: string, instance: (book: OrderBook) => Instance): Peer => ({
  title,
  open: async (book, { byContent, storeLatency }) => {
    const scope = Scope.makeUnsafe()
    const instances = await Effect.all([instance(book), instance(book), instance(book)]).pipe(
      Effect.provide(Layer.provide(distant(storeLatency), IdempotencyStore.layerMemory)),
      Scope.provide(scope),
      Effect.runPromise
    )
    return {
      call: (index, { key, order, tenant }) => {
        const principal = Principal.make({ id: "agent", tenant, roles: ["clerk"] })
        const idempotencyKey = byContent ? undefined : key
        return instances[index].call({ tool: "enter", arguments: order, principal, idempotencyKey }).pipe(
          Effect.map(answerOf),
          // What the operator would read of a failure is no part of the table.
          Effect.provide(Logger.layer([])),
          Effect.runPromise
        )
      },
      close: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }
})

export const peers = [peer("Ferrule, reconcile", searched), peer("Ferrule, unknown", opaque)]

const answerOf = (outcome: Pipeline.Outcome): Answer => {
  if (outcome._tag === "NoSuchTool") throw new Error("the tool is hidden from its caller")
  if (outcome._tag === "Completed") return `#${Number(outcome.answer.value["number"])}`
  const { refusal } = outcome
  switch (refusal._tag) {
    case "ValidationError":
      return "conflict"
    case "OutcomeUnknown":
      return "unknown"
    case "TransientError":
      return refusal.retryAfter === undefined ? "failed" : "running"
    default:
      return "failed"
  }
}

const distant = (latency: number) =>
  Layer.effect(
    IdempotencyStore,
    Effect.map(IdempotencyStore, (store) => {
      if (latency === 0) return store
      const travel =
        <Options extends ReadonlyArray<unknown>, A, E>(step: (...options: Options) => Effect.Effect<A, E>) =>
        (...options: Options) =>
          Effect.delay(step(...options), latency)
      return IdempotencyStore.of({
        scope: "shared",
        claim: travel(store.claim),
        read: travel(store.read),
        settle: travel(store.settle),
        release: travel(store.release),
        markUnknown: travel(store.markUnknown),
        takeOver: travel(store.takeOver)
      })
    })
  )
