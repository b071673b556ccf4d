/**
 * Serves a connector over MCP, to clients of revision 2026-07-28 and of the 2025 revisions alike.
 *
 * `layerHttpServer` is a Streamable HTTP server, on the loopback interface unless told otherwise; `layerHttp` adds the same
 * endpoint to Effect's `HttpRouter`, and `fetchHandler` to any other server that works with the web's `Request` and
 * `Response`. `runStdio` and `layerStdio` speak to the process that started this one. All of them need an `Identity`, and
 * none of them lets anybody in without one. A connector with the memory store is served by one process of a machine, and
 * in production (`NODE_ENV`) over HTTP only with `singleInstance`; otherwise it fails to start with a `DefinitionError`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import type * as Connector from "@ferrule/core/Connector"
import type { DefinitionError } from "@ferrule/core/ConnectorError"
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import type { Identity } from "./Identity.ts"
import type { IdentityUnavailable, Unauthenticated } from "./IdentityError.ts"
import * as ConnectorHost from "./internal/connectorHost.ts"
import * as OwnHttpServer from "./internal/httpServer.ts"
import * as OneProcess from "./internal/oneProcess.ts"
import * as ProcessOutput from "./internal/processOutput.ts"
import * as Serve from "./internal/serve.ts"
import type * as Stdio from "./internal/stdio.ts"
import type { ListenError } from "./ListenError.ts"
import type { ToolHost } from "./ToolHost.ts"

/**
 * Where an HTTP endpoint is, and what it refuses. `allowedHosts` and `allowedOrigins` are names without scheme and port,
 * and are those of the loopback interface unless given: a server that others reach needs its public names here.
 * `maxBodySize` is in bytes, 4 MiB unless given.
 *
 * `singleInstance` matters to a connector with the memory store in production (`NODE_ENV`), which is refused without it: it
 * says that no second instance ever runs beside this one, on this machine or another.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpOptions extends Serve.HttpOptions {
  readonly singleInstance?: boolean | undefined
}

/**
 * What `layerHttpServer` may be told: a `port` (0 lets the system choose), the `host` to listen on (`127.0.0.1` unless
 * given), the `path` of the endpoint (`/mcp` unless given), and what `layerHttp` may be told.
 *
 * @category models
 * @since 0.1.0
 */
export interface HttpServerOptions extends OwnHttpServer.HttpServerOptions, Pick<HttpOptions, "singleInstance"> {}

/**
 * What a server on standard input and output may be told: `maxMessageSize`, in bytes, is 4 MiB unless given, and a longer
 * line ends the connection; `stdin` and `stdout` stand in for those of the process.
 *
 * @category models
 * @since 0.1.0
 */
export interface StdioOptions extends Stdio.StdioOptions {}

/**
 * Serves a Streamable HTTP endpoint on a Node server of its own, which the layer gives as `HttpServer`, and logs its URL.
 *
 * It listens on `127.0.0.1` unless `host` says otherwise. Any other than a loopback address needs `allowedHosts`, the names
 * that clients call the server by; without them it fails with a `DefinitionError`, so that nobody puts a server on a
 * network by accident. An address that nothing can listen on is a `ListenError`, which names it and what to change.
 *
 * **Details**
 *
 * Node's own limits hold: 60 seconds for the headers of a request, 5 minutes for all of it, 16 KiB of headers. When the
 * layer's scope closes, no more connections are accepted, and calls in flight have 10 seconds to be answered. It speaks
 * HTTP/1.1 without TLS, which is a reverse proxy's to add.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpServer = <C extends Connector.Any>(
  connector: C,
  options: HttpServerOptions
): Layer.Layer<HttpServer.HttpServer, DefinitionError | ListenError, Identity | Connector.Requirements<C>> =>
  OwnHttpServer.layer(connector.name, (path) => layerHttp(connector, { ...options, path }), options)

/**
 * Adds a Streamable HTTP endpoint to the router. It is stateless: any number of instances may stand behind a load
 * balancer. A client that disconnects interrupts its call.
 *
 * **Details**
 *
 * On a Node HTTP/1.1 server the endpoint reads and writes Node's own request and response; elsewhere it goes through the
 * web's. The router's request log leaves it out, because every call is in the audit trail.
 *
 * **Gotchas**
 *
 * On Node the answer has left when the route returns, so middleware that adds headers to responses does not reach it.
 *
 * Node keeps the body of a request that offers an upgrade, as some clients do for HTTP/2, and the endpoint then finds none.
 * A server that upgrades nothing is made with `createServer({ shouldUpgradeCallback: () => false })`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttp = <C extends Connector.Any>(
  connector: C,
  options: HttpOptions
): Layer.Layer<never, DefinitionError, HttpRouter.HttpRouter | Identity | Connector.Requirements<C>> =>
  Serve.layerHttp(overHttp(connector, options), options)

/**
 * Serves the process that started this one over its standard input and output, as the principal that the identity gives
 * to the owner of the process. It returns when the input has ended and the calls in flight have been answered, so a
 * program that runs nothing else ends with it.
 *
 * **Details**
 *
 * While it serves, nothing but the protocol reaches standard output: logs, and whatever else writes there, go to standard
 * error. Layers that log or fail while they are built come first: run the program with `runMain` of this module.
 *
 * @category running
 * @since 0.1.0
 */
export const runStdio = <C extends Connector.Any>(
  connector: C,
  options: StdioOptions = {}
): Effect.Effect<void, DefinitionError | Unauthenticated | IdentityUnavailable, Identity | Connector.Requirements<C>> =>
  Effect.scoped(Serve.runStdio(overStdio(connector), options))

/**
 * Runs a program as `NodeRuntime.runMain` does, with its logs, and what keeps it from starting, on standard error. Use it
 * where standard output belongs to the protocol from the first moment.
 *
 * **Details**
 *
 * Whatever the program writes to standard output and standard error, by whichever way, passes through the scrubber. While it
 * knows a secret, text leaves line by line.
 *
 * @category running
 * @since 0.1.0
 */
export const runMain = <A, E>(program: Effect.Effect<A, E>): void =>
  program.pipe(
    Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(cause))),
    Scrubber.guarded,
    Effect.provideService(Logger.LogToStderr, true),
    ProcessOutput.guarded,
    NodeRuntime.runMain({ disableErrorReporting: true })
  )

/**
 * Does what `runStdio` does as a layer, for a program that is launched. When the input has ended, it interrupts the fiber
 * that built the layer, which ends the program with the exit code of an interruption.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStdio = <C extends Connector.Any>(
  connector: C,
  options: StdioOptions = {}
): Layer.Layer<never, DefinitionError | Unauthenticated | IdentityUnavailable, Identity | Connector.Requirements<C>> =>
  Serve.layerStdio(overStdio(connector), options)

/**
 * Makes a handler for servers that work with the web's `Request` and `Response`. An aborted request interrupts its call;
 * closing the scope ends the streams that are still open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fetchHandler = <C extends Connector.Any>(
  connector: C,
  options: Omit<HttpOptions, "path"> = {}
): Effect.Effect<
  (request: Request) => Promise<Response>,
  DefinitionError,
  Identity | Connector.Requirements<C> | Scope.Scope
> => Serve.fetchHandler(overHttp(connector, options), options)

const overStdio = <C extends Connector.Any>(connector: C) => hostOf(connector, { http: false })

const overHttp = <C extends Connector.Any>(connector: C, options: Pick<HttpOptions, "singleInstance">) =>
  hostOf(connector, { http: true, singleInstance: options.singleInstance })

const hostOf = <C extends Connector.Any>(
  connector: C,
  way: OneProcess.Way
): Effect.Effect<ToolHost, DefinitionError, Connector.Requirements<C> | Scope.Scope> =>
  Effect.andThen(
    // On stdio, stdout carries the protocol from the first line on.
    Effect.provideService(OneProcess.ensure(connector.name, way), Logger.LogToStderr, true),
    ConnectorHost.make(connector)
  )
