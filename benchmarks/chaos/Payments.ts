/**
 * The connector whose writes go to the ledger's process, through the HTTP client and the error classes that any author
 * would use.
 */
import { Connector, Operation, Pipeline, Principal, Upstream } from "@ferrule/core"
import { Effect, Layer, Option, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { type Booking, Entry, FindEntry, operationOf, writes } from "./Tools.ts"

const Payments = Connector.make("payments", {
  version: "1.0.0",
  tools: [FindEntry, writes.repeatable, writes["downstream-key"], writes.reconcile, writes.unknown]
})

const ledger: Upstream.Options = { name: "The ledger" }

const handlers = (port: number) =>
  Effect.gen(function* () {
    const client = HttpClient.mapRequest(
      yield* HttpClient.HttpClient,
      HttpClientRequest.prependUrl(`http://127.0.0.1:${port}`)
    )
    const subject = Effect.fnUntraced(function* (account: string) {
      const { tool, correlationId, attempt } = yield* Operation
      const { tenant } = yield* Principal
      return { operation: operationOf(tenant, tool, account), account, attempt: `${correlationId}#${attempt}` }
    })

    const send = (path: "/append" | "/keyed" | "/set") =>
      Effect.fnUntraced(function* ({ account, amount }: Booking) {
        const { idempotencyKey } = yield* Operation
        const request = HttpClientRequest.post(path).pipe(
          HttpClientRequest.setHeader("idempotency-key", path === "/keyed" ? yield* idempotencyKey("ledger") : ""),
          HttpClientRequest.bodyJsonUnsafe({ ...(yield* subject(account)), amount })
        )
        return yield* client.execute(request).pipe(Upstream.json(Entry, ledger))
      })

    const find = Effect.fnUntraced(function* ({ account }: Pick<Booking, "account">) {
      const request = HttpClientRequest.post("/find").pipe(HttpClientRequest.bodyJsonUnsafe(yield* subject(account)))
      const { found } = yield* client
        .execute(request)
        .pipe(Upstream.json(Schema.Struct({ found: Schema.NullOr(Entry) }), ledger))
      return Option.fromNullOr(found)
    })

    return Payments.of({
      find_entry: (input) => Effect.map(find(input), (found) => ({ entries: Number(Option.isSome(found)) })),
      set_amount: send("/set"),
      book_keyed: send("/keyed"),
      book_found: { find, execute: send("/append") },
      book_once: send("/append")
    })
  })

/** The connector's pipeline, over a ledger that listens on this port. */
export const pipeline = (port: number) =>
  Effect.provide(Pipeline.make(Payments), Payments.toLayer(handlers(port)).pipe(Layer.provide(FetchHttpClient.layer)))
