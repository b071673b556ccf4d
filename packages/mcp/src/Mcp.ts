/**
 * Serves a connector over MCP, to clients of revision 2026-07-28 and of the 2025 revisions alike.
 *
 * `layerHttp` adds a Streamable HTTP endpoint to Effect's `HttpRouter`; `layerStdio` speaks to the process that started
 * this one; `fetchHandler` serves any other server that works with the web's `Request` and `Response`. All of them need an
 * `Identity`, and none of them lets anybody in without one.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Credentials, Identity, type Unauthenticated } from "./Identity.ts"
import * as Endpoint from "./internal/httpEndpoint.ts"
import * as NodeHttp from "./internal/nodeHttp.ts"
import * as Stdio from "./internal/stdio.ts"
import * as WebHttp from "./internal/webHttp.ts"
import type { ToolHost } from "./ToolHost.ts"

/**
 * Where an HTTP endpoint listens and what it refuses. `allowedHosts` and `allowedOrigins` are names without scheme and
 * port, and are those of the loopback interface unless given: a server that others reach needs its public names here.
 * `maxBodySize` is in bytes, 4 MiB unless given.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpOptions extends Endpoint.HttpOptions {
  readonly path: HttpRouter.PathInput
}

/**
 * @category models
 * @since 0.1.0
 */
export interface StdioOptions extends Stdio.StdioOptions {}

/**
 * Adds a Streamable HTTP endpoint to the router. It is stateless: any number of instances may stand behind a load
 * balancer.
 *
 * **Details**
 *
 * On a Node HTTP/1.1 server the endpoint reads and writes Node's own request and response. Elsewhere it goes through the
 * web's `Request` and `Response`. A client that disconnects interrupts its call. The router's request log leaves the
 * endpoint out, because every call is in the audit trail.
 *
 * @category layers
 * @since 0.1.0
 */
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
      yield* router.add("*", options.path, (request) =>
        HttpMiddleware.withLoggerDisabled(
          isNodeHttp1(request.source)
            ? Effect.suspend(() => {
                const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
                return Effect.map(node(request.source as IncomingMessage, response), () => sent(response.statusCode))
              })
            : Effect.flatMap(Effect.orDie(HttpServerRequest.toWeb(request)), (request) =>
                Effect.map(web(request), HttpServerResponse.fromWeb)
              )
        )
      )
    })
  )

/**
 * Serves the process that started this one over its standard input and output, as the principal that the identity gives
 * to the owner of the process. When the input ends, the calls in flight are answered, and then the fiber that built the
 * layer is interrupted, which ends the program.
 *
 * **Details**
 *
 * While it serves, nothing but the protocol reaches standard output: logs, and whatever else writes there, go to standard
 * error. Layers that log while they are built come first; give them `Logger.LogToStderr` too.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStdio = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: StdioOptions = {}
): Layer.Layer<never, E | Unauthenticated, Identity | Exclude<R, Scope.Scope>> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const main = Fiber.getCurrent()
      const host = yield* makeHost
      const identity = yield* Identity
      const principal = yield* identity.authenticate(Credentials.Process())
      yield* Stdio.serve(host, principal, options).pipe(
        Effect.tap(() => Effect.sync(() => main?.interruptUnsafe())),
        Effect.forkScoped
      )
    })
  )

/**
 * Makes a handler for servers that work with the web's `Request` and `Response`. An aborted request interrupts its call;
 * closing the scope ends the streams that are still open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fetchHandler = <E, R>(
  makeHost: Effect.Effect<ToolHost, E, R>,
  options: Omit<HttpOptions, "path"> = {}
): Effect.Effect<(request: Request) => Promise<Response>, E, R | Identity | Scope.Scope> =>
  Effect.gen(function* () {
    const handle = WebHttp.handler(yield* Endpoint.make(yield* makeHost, options))
    const run = Effect.runPromiseWith(yield* Effect.context<never>())
    return (request: Request) => run(handle(request), { signal: request.signal })
  })

// HTTP/2 requests on Node imitate these objects only in part.
const isNodeHttp1 = (source: object): boolean => "httpVersionMajor" in source && source.httpVersionMajor === 1

// The answer has left by then; what the route returns only tells middleware its status.
const sent = (status: number): HttpServerResponse.HttpServerResponse =>
  status === 200 ? sent200 : HttpServerResponse.empty({ status })

const sent200 = HttpServerResponse.empty({ status: 200 })
