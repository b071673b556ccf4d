/**
 * Asks an authorization server, and says in words why it gave no answer of use, without the URL, the request or the answer.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Cause from "effect/Cause"
import type * as Schema from "effect/Schema"

/** How long an answer may take. */
const patience = "5 seconds"

/** Fails with the problem; `wanted` is what the answer should be. A redirection is a problem too, since it leads elsewhere. */
export const ask = <A, I>(
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  schema: Schema.Codec<A, I>,
  wanted: string
): Effect.Effect<A, string> =>
  HttpClient.filterStatusOk(client)
    .execute(HttpClientRequest.acceptJson(request))
    .pipe(
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
      Effect.flatMap(HttpClientResponse.schemaBodyJson(schema)),
      Effect.timeout(patience),
      Effect.mapError(problemWith(wanted))
    )

const problemWith =
  (wanted: string) =>
  (error: HttpClientError.HttpClientError | Schema.SchemaError | Cause.TimeoutError): string => {
    if (error._tag === "TimeoutError") return `there was no answer within ${patience}`
    if (error._tag === "HttpClientError" && error.reason._tag === "TransportError") {
      return "there is no connection to its server"
    }
    if (error._tag === "HttpClientError" && error.reason._tag === "StatusCodeError") {
      return `the answer has status ${error.reason.response.status}`
    }
    return `the answer is no ${wanted}`
  }
