/**
 * The company's messenger, which sends mail to requesters and pages to engineers: a client of its HTTP interface.
 *
 * Mail is sent once for each key. Pages have no key, so a page whose answer was lost may or may not have been sent. The
 * messenger fails often, and all that it does comes out as one of the three classes.
 */
import { type ConnectorError, Upstream } from "@ferrule/core"
import { Config, Context, Effect, Layer, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"

const Sent = Schema.Struct({ id: Schema.String })

const Page = Schema.Struct({ id: Schema.String, summary: Schema.String })

export class Messenger extends Context.Service<
  Messenger,
  {
    /** Sends a mail, once for each key, and returns its id. */
    readonly mail: (
      mail: { readonly to: string; readonly subject: string; readonly body: string },
      key: string
    ) => Effect.Effect<string, ConnectorError>

    /** Pages the engineer who is on call for the queue, and returns the page's id. */
    readonly page: (page: {
      readonly ticketId: string
      readonly queue: string
      readonly summary: string
    }) => Effect.Effect<string, ConnectorError>

    /** The pages about one ticket, newest first. */
    readonly pages: (ticketId: string) => Effect.Effect<ReadonlyArray<typeof Page.Type>, ConnectorError>
  }
>()("service-desk/Messenger") {
  /** Reads `MESSENGER_URL` and `MESSENGER_TOKEN`. */
  static readonly layer: Layer.Layer<Messenger, Config.ConfigError> = Layer.effect(
    Messenger,
    Effect.gen(function* () {
      const url = yield* Config.URL("MESSENGER_URL")
      const token = yield* Config.Redacted("MESSENGER_TOKEN")
      const client = (yield* HttpClient.HttpClient).pipe(
        HttpClient.mapRequest((request) =>
          request.pipe(
            HttpClientRequest.prependUrl(url.href),
            HttpClientRequest.bearerToken(token),
            HttpClientRequest.acceptJson
          )
        )
      )

      const send = <S extends Schema.Decoder<unknown>>(request: HttpClientRequest.HttpClientRequest, answer: S) =>
        client
          .execute(request)
          .pipe(
            Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
            Effect.timeout("2 seconds"),
            Upstream.json(answer, { name: "The messenger", notApplied: [503] })
          )

      return Messenger.of({
        mail: (mail, key) =>
          HttpClientRequest.post("/mails").pipe(
            HttpClientRequest.setHeader("idempotency-key", key),
            HttpClientRequest.bodyJsonUnsafe(mail),
            (request) => send(request, Sent),
            Effect.map(({ id }) => id)
          ),
        page: (page) =>
          HttpClientRequest.post("/pages").pipe(
            HttpClientRequest.bodyJsonUnsafe(page),
            (request) => send(request, Sent),
            Effect.map(({ id }) => id)
          ),
        pages: (ticketId) =>
          HttpClientRequest.get("/pages").pipe(HttpClientRequest.setUrlParams({ ticketId }), (request) =>
            send(request, Schema.Array(Page))
          )
      })
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))
}
