/**
 * The transports over a tool host: what the public layers are once a connector has become one.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Credentials, Identity, type Unauthenticated } from "../Identity.ts"
import type { ToolHost } from "../ToolHost.ts"
import * as Endpoint from "./httpEndpoint.ts"
import * as NodeHttp from "./nodeHttp.ts"
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
      const endpoint = yield* Endpoint.make(yield* makeHost, options)
      const node = NodeHttp.handler(endpoint)
      const web = WebHttp.handler(endpoint)
      const viaWeb = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.flatMap(Effect.orDie(HttpServerRequest.toWeb(request)), (request) =>
          Effect.map(web(request), HttpServerResponse.fromWeb)
        )
      const viaNode = (request: HttpServerRequest.HttpServerRequest) =>
        Effect.suspend(() => {
          const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
          return Effect.map(node(request.source as IncomingMessage, response), () => sent(response.statusCode))
        })
      // Every call is in the audit trail; a line in the request log for each would cost as much as the call.
      yield* router.add("*", options.path, (request) =>
        HttpMiddleware.withLoggerDisabled(isNodeHttp1(request.source) ? viaNode(request) : viaWeb(request))
      )
    })
  )

export const runStdio = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: Stdio.StdioOptions = {}
): Effect.Effect<void, E | Unauthenticated, Identity | R> => Effect.flatten(stdioServer(makeHost, options))

export const layerStdio = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: Stdio.StdioOptions = {}
): Layer.Layer<never, E | Unauthenticated, Identity | Exclude<R, Scope.Scope>> =>
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
    const handle = WebHttp.handler(yield* Endpoint.make(yield* makeHost, options))
    const run = Effect.runPromiseWith(yield* Effect.context<never>())
    return (request: Request) => run(handle(request), { signal: request.signal })
  })

// Gives the server once it can start, so that what keeps it from starting fails the layer.
const stdioServer = <E, R>(makeHost: Effect.Effect<ToolHost, E, R>, options: Stdio.StdioOptions) =>
  Effect.gen(function* () {
    const host = yield* makeHost
    const identity = yield* Identity
    const principal = yield* identity.authenticate(Credentials.Process())
    return Stdio.serve(host, principal, options)
  })

// HTTP/2 requests on Node imitate these objects only in part.
const isNodeHttp1 = (source: object): boolean => "httpVersionMajor" in source && source.httpVersionMajor === 1

// The answer has left by then; what the route returns only tells middleware its status.
const sent = (status: number): HttpServerResponse.HttpServerResponse =>
  status === 200 ? sent200 : HttpServerResponse.empty({ status })

const sent200 = HttpServerResponse.empty({ status: 200 })
