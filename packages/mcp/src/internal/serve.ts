/**
 * The transports over a tool host: what the public layers are once a connector has become one.
 */
import * as Scrubber from "@ferrule/core/Scrubber"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { IncomingMessage, type ServerResponse } from "node:http"
import { Credentials, Identity } from "../Identity.ts"
import type { IdentityUnavailable, Unauthenticated } from "../IdentityError.ts"
import type { ToolHost } from "../ToolHost.ts"
import { isTokenInQuery, queryOf } from "./bearer.ts"
import { metadataAnswer } from "./challenge.ts"
import * as Endpoint from "./httpEndpoint.ts"
import * as NodeHttp from "./nodeHttp.ts"
import * as Session from "./session.ts"
import * as Stdio from "./stdio.ts"
import * as WebHttp from "./webHttp.ts"

export interface HttpOptions extends Endpoint.HttpOptions {
  readonly path: HttpRouter.PathInput
}

export const layerHttp = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: HttpOptions
): Layer.Layer<never, E, HttpRouter.HttpRouter | Identity | Exclude<R, Scope.Scope>> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const endpoint = yield* Scrubber.guarded(Endpoint.make(yield* makeHost, options))
      const withoutRequest = outsideRequest(yield* Scrubber.guarded(Effect.context<never>()))
      const node = NodeHttp.handler(endpoint)
      const web = WebHttp.handler(endpoint)
      const viaWeb = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.matchEffect(HttpServerRequest.toWeb(request), {
          // Its host and its path make no URL.
          onFailure: () => Effect.succeed(HttpServerResponse.empty({ status: 400 })),
          onSuccess: (request) => Effect.map(withoutRequest(web(request)), HttpServerResponse.fromWeb)
        })
      const viaNode = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.suspend(() => {
          const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
          return Effect.map(withoutRequest(node(request.source as IncomingMessage, response)), () =>
            sent(response.statusCode)
          )
        })
      // Every call is in the audit trail; a line in the request log for each would cost as much as the call.
      yield* router.add("*", options.path, (request) => {
        const answer = isNodeHttp1(request.source) ? viaNode(request) : viaWeb(request)
        return HttpMiddleware.withLoggerDisabled(hidingToken(request, answer))
      })
      const { metadata } = endpoint.challenges
      if (metadata !== undefined) {
        yield* router.add("*", metadata.path, ({ method }) => {
          const { status, headers, body } = metadataAnswer(method, metadata.body)
          return Effect.succeed(HttpServerResponse.text(body, { status, headers }))
        })
      }
    })
  )

export const runStdio = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: Stdio.StdioOptions = {}
): Effect.Effect<void, E | Unauthenticated | IdentityUnavailable, Identity | R> =>
  Effect.flatten(stdioServer(makeHost, options))

export const layerStdio = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: Stdio.StdioOptions = {}
): Layer.Layer<never, E | Unauthenticated | IdentityUnavailable, Identity | Exclude<R, Scope.Scope>> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const main = Fiber.getCurrent()
      const server = yield* stdioServer(makeHost, options)
      yield* Effect.forkScoped(
        Effect.andThen(
          server,
          Effect.sync(() => main?.interruptUnsafe())
        )
      )
    })
  )

export const fetchHandler = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: Endpoint.HttpOptions = {}
): Effect.Effect<(request: Request) => Promise<Response>, E, R | Identity | Scope.Scope> =>
  Effect.gen(function* () {
    const handle = WebHttp.handler(yield* Scrubber.guarded(Endpoint.make(yield* makeHost, options)))
    const run = Effect.runPromiseWith(yield* Scrubber.guarded(Effect.context<never>()))
    return (request: Request) => run(handle(request), { signal: request.signal })
  })

// Gives the server once it can start, so that what keeps it from starting fails the layer.
const stdioServer = <E, R>(makeHost: Effect.Effect<ToolHost, E, R>, options: Stdio.StdioOptions) =>
  Effect.gen(function* () {
    const host = yield* makeHost
    const identity = yield* Identity
    const authenticate = identity.authenticate(Credentials.Process())
    const { principal } = yield* authenticate
    return Stdio.serve(Session.host(host, authenticate, principal), principal, options)
  })

// The context of a request holds the request, and so the caller's token, and a handler may look at all that is in its own.
const outsideRequest = (context: Context.Context<never>) => {
  const keeping = (request: Context.Context<never>) =>
    kept.reduce(
      (whole, { key }) =>
        request.mapUnsafe.has(key) ? Context.addUnsafe(whole, key, request.mapUnsafe.get(key)) : whole,
      context
    )
  return <A>(answer: Effect.Effect<A>): Effect.Effect<A> => Effect.updateContext(answer, keeping)
}

const kept = [Scope.Scope, Tracer.ParentSpan, References.CurrentLogAnnotations, References.CurrentLogSpans]

// The server's own trace records the URL once the answer has left.
const hidingToken = <A, E, R>(
  request: HttpServerRequest.HttpServerRequest,
  answer: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const query = queryOf(request.url)
  if (query === undefined || !isTokenInQuery(query)) return answer
  const url = request.url.slice(0, request.url.indexOf("?"))
  return Effect.ensuring(
    answer,
    Effect.sync(() => Object.assign(request, { url }))
  )
}

// HTTP/2 requests on Node imitate these objects only in part. What a request says of its version does not tell the two apart.
const isNodeHttp1 = (source: object): boolean => source instanceof IncomingMessage

// The answer has left by then; what the route returns only tells middleware its status.
const sent = (status: number): HttpServerResponse.HttpServerResponse =>
  status === 200 ? sent200 : HttpServerResponse.empty({ status })

const sent200 = HttpServerResponse.empty({ status: 200 })
