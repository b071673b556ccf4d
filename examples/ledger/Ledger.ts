/**
 * The ledger as the handlers see it: a client of its REST interface, which speaks for the caller.
 *
 * Each request carries a token that the identity provider made for this caller and this ledger. Handlers never meet it.
 */
import { type ConnectorError, type Credential, type DefinitionError, type Operation, Upstream } from "@ferrule/core"
import * as UpstreamClient from "@ferrule/core/UpstreamClient"
import { Context, Effect, Layer, Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import { Account, Entry } from "./Entry.ts"

const Entries = Schema.Struct({ entries: Schema.Array(Entry), total: Schema.Int })

const Balance = Schema.Struct({ account: Account, cents: Schema.Int })

const upstream: Upstream.Options = { name: "The ledger", notApplied: [503] }

export class Ledger extends Context.Service<
  Ledger,
  {
    readonly list: (query: {
      readonly account?: typeof Account.Type
      readonly limit: number
    }) => Effect.Effect<typeof Entries.Type, ConnectorError>

    readonly balance: (account: typeof Account.Type) => Effect.Effect<typeof Balance.Type, ConnectorError>

    /** Posts once for each write: the ledger knows its key. */
    readonly post: (
      entry: Pick<Entry, "debit" | "credit" | "cents" | "reference" | "memo">
    ) => Effect.Effect<Entry, ConnectorError, Operation>

    /** Posts the opposite of an entry, once for each write. */
    readonly reverse: (id: string) => Effect.Effect<Entry, ConnectorError, Operation>
  }
>()("ledger/Ledger") {
  static readonly layer = (options: {
    readonly url: string
  }): Layer.Layer<Ledger, DefinitionError, Credential.Credential> =>
    Layer.effect(
      Ledger,
      Effect.gen(function* () {
        const reads = yield* UpstreamClient.make({ ...upstream, ...options })
        const writes = UpstreamClient.withIdempotencyKey("ledger")(reads)

        const send = <S extends Schema.Decoder<unknown>, R>(
          client: UpstreamClient.UpstreamClient<R>,
          request: HttpClientRequest.HttpClientRequest,
          answer: S
        ) => client.execute(request).pipe(Effect.timeout("3 seconds"), Upstream.json(answer, upstream))

        return Ledger.of({
          list: (query) =>
            send(reads, HttpClientRequest.get("/entries").pipe(HttpClientRequest.setUrlParams(query)), Entries),
          balance: (account) => send(reads, HttpClientRequest.get(`/accounts/${account}`), Balance),
          post: (entry) =>
            send(writes, HttpClientRequest.post("/entries").pipe(HttpClientRequest.bodyJsonUnsafe(entry)), Entry),
          reverse: (id) => send(writes, HttpClientRequest.post(`/entries/${id}/reversal`), Entry)
        })
      })
    )
}
