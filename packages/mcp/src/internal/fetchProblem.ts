/**
 * Says in words why an authorization server gave no answer of use, without the URL, the request or the answer.
 */
import type * as Cause from "effect/Cause"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as Schema from "effect/Schema"

/** How long an answer may take. */
export const patience = "5 seconds"

/** `wanted` is what the answer should have been. */
export const fetchProblem =
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
