/**
 * An HTTP client for one upstream, which sends the credential and gives every failure its class.
 *
 * Make it in the layer of the service that handlers use, over the `Credential` of that upstream. It goes by `fetch`, sends
 * to the declared address alone, by https (or to this machine), and follows no redirect, so the token gets nowhere else. The
 * token is in no request, response, error or span that the client hands out, and no span has the values of a query. A span's
 * `traceparent` goes along.
 *
 * When the upstream answers 401, that token is dropped and the request is sent once more with another. That is safe for a
 * write too: 401 says that the upstream has done nothing (RFC 9110, section 15.5.2).
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type ConnectorError, DefinitionError, TransientError } from "./ConnectorError.ts"
import { Credential, type Token } from "./Credential.ts"
import * as Transport from "./internal/transport.ts"
import { Operation } from "./Operation.ts"
import * as Upstream from "./Upstream.ts"

/**
 * - `url`: where the upstream is. Requests name what lies below it: `get("/tickets/7")`.
 * - `header`: sends the bare token in this header. Otherwise it is `Authorization: Bearer`.
 * - `pass`: statuses that are answers to the caller and no failures, such as the 404 of a search by id.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options extends Upstream.Options {
  readonly url: string
  readonly header?: string
  readonly pass?: ReadonlyArray<number>
}

/**
 * A client that fails with a `ConnectorError` alone. Decode a body with `Upstream.json`:
 * `desk.get("/tickets/7").pipe(Upstream.json(Ticket, options))`.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpstreamClient<R = never> extends HttpClient.HttpClient.With<ConnectorError, R> {}

/**
 * Makes the client. Fails when the address can't be used: it is no URL, holds a password or a query, or would send the
 * token in the clear.
 *
 * A request that would leave `url`, by `..` or otherwise, is an `Upstream.Fault`, and so is a redirect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<UpstreamClient, DefinitionError, Credential> {
  const { name, url, header, pass = [] } = options
  const fault = Transport.addressFault(url)
  if (fault !== undefined) {
    return yield* new DefinitionError({ subject: `The client of ${name}`, faults: [`url can't be used: ${fault}`] })
  }
  const base = new URL(url.endsWith("/") ? url : `${url}/`).href
  const credential = yield* Credential
  const send = yield* Transport.make
  const classify = Upstream.classify(options)

  const sendWith = (request: HttpClientRequest.HttpClientRequest, { value }: Token) =>
    send(request, header === undefined ? ["authorization", bearer(value)] : [header, value])

  const attempt = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
    const token = yield* credential.token
    const response = yield* sendWith(request, token)
    if (response.status !== 401) return [response] as const
    yield* credential.refused(token)
    const next = yield* credential.token
    // The same token would get the same answer.
    if (Redacted.value(next.value) === Redacted.value(token.value)) return [response] as const
    if (!canBeSentAgain(request)) return yield* outdated(name)
    yield* discard(response)
    return [yield* sendWith(request, next)] as const
  })

  return HttpClient.makeWith<ConnectorError, never, ConnectorError, never>(
    Effect.flatMap((given) => {
      // What an upstream links to, such as the next page, has its whole address.
      const request = URL.canParse(given.url) ? given : HttpClientRequest.prependUrl(given, base)
      const target = Option.getOrUndefined(HttpClientRequest.toUrl(request))
      if (target?.href.startsWith(base) !== true || climbs.test(target.pathname))
        return blame(name, `was to be sent a request for what is not below ${base}`)
      return Effect.flatMap(classify(attempt(request)), ([response]) => {
        const { status } = response
        if ((status >= 200 && status < 300) || pass.includes(status)) return Effect.succeed(response)
        return isRedirect(response) ? refuseRedirect(name, status) : Upstream.fromResponse(response, options)
      })
    }),
    Effect.succeed
  )
})

/**
 * Sends `Operation.idempotencyKey` in the `Idempotency-Key` header of each request, so that an upstream which knows the
 * header recognises a repeat. `provider` names the upstream.
 *
 * All requests of a call get the same key, so use it for the one write of a tool; where there are more, each belongs in an
 * `Operation.step` of its own, which has a key of its own.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withIdempotencyKey =
  (provider: string) =>
  <R>(self: UpstreamClient<R>): UpstreamClient<R | Operation> =>
    HttpClient.mapRequestEffect(self, (request) =>
      Effect.gen(function* () {
        const operation = yield* Operation
        return HttpClientRequest.setHeader(request, "idempotency-key", yield* operation.idempotencyKey(provider))
      })
    )

const bearer = (token: Redacted.Redacted<string>) => Redacted.make(`Bearer ${Redacted.value(token)}`)

/**
 * Two dots that lead out of the path for a server which undoes its escapes before it reads it, or drops what follows a
 * semicolon. Two dots between slashes are gone from a URL's path by then.
 */
const climbs = /(\/|%2f|%5c)(\.|%2e){2}(\/|%2f|%5c|;|%3b|$)/i

/** A stream may have been used up by the first attempt. */
const canBeSentAgain = ({ body }: HttpClientRequest.HttpClientRequest): boolean =>
  body._tag !== "Stream" && body._tag !== "Raw"

const outdated = (name: string) =>
  new TransientError({ message: `${name} refused an outdated credential and did nothing`, applied: "no" })

/** Frees the connection. */
const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> =>
  Effect.ignore(
    Effect.tryPromise(async () => Option.getOrUndefined(HttpClientResponse.toWeb(response))?.body?.cancel())
  )

/** Browsers and workers show a redirect that is not followed as status 0. */
const isRedirect = ({ status }: HttpClientResponse.HttpClientResponse): boolean =>
  status === 0 || (status >= 300 && status < 400)

/** What it says of a write depends on the upstream: a 303 stands for one that is done. */
const refuseRedirect = (name: string, status: number) =>
  Effect.die(
    new Upstream.Fault({
      upstream: name,
      reason: `answered with a redirect (status ${status}), which is not followed, since the token would go with it: give its final address as url`
    })
  )

const blame = (name: string, reason: string) =>
  Effect.die(new Upstream.Fault({ upstream: name, reason, applied: "no" }))
