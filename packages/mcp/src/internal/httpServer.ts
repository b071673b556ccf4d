/**
 * A Node HTTP server of the endpoint's own. It stays on the loopback interface unless it is told to leave it, and leaves
 * it only with the names that it may be called by, so that nobody puts a server on a network by accident.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { DefinitionError } from "@ferrule/core/ConnectorError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { createServer, type Server, type ServerResponse } from "node:http"
import { BlockList, isIP, isIPv6 } from "node:net"
import { ListenError } from "../ListenError.ts"
import type { HttpOptions } from "./httpEndpoint.ts"

export interface HttpServerOptions extends HttpOptions {
  /** 0 lets the system choose; the layer's `HttpServer` knows which it was. */
  readonly port: number
  /** The address or name of the interface to listen on; `127.0.0.1` unless given. */
  readonly host?: string | undefined
  readonly path?: HttpRouter.PathInput | undefined
}

/** Serves the route that `routeAt` makes for a path, for the connector of that name. */
export const layer = <E, R>(
  connector: string,
  routeAt: (path: HttpRouter.PathInput) => Layer.Layer<never, E, HttpRouter.HttpRouter | R>,
  { path = "/mcp", host = "127.0.0.1", ...options }: HttpServerOptions
): Layer.Layer<HttpServer.HttpServer, E | DefinitionError | ListenError, Exclude<R, HttpRouter.HttpRouter>> =>
  Layer.effect(
    HttpServer.HttpServer,
    Effect.gen(function* () {
      const faults = faultsOf(host, options)
      if (faults.length > 0) return yield* new DefinitionError({ subject: `The HTTP server of ${connector}`, faults })
      // The route comes first, since a request that is there before it would never be answered, and on a router of its own.
      const route = yield* Layer.build(Layer.provideMerge(routeAt(path), Layer.fresh(HttpRouter.layer)))
      // No upgrade is offered, and a request that asks for one is a request (RFC 9110, section 7.8): Node would keep its body.
      const node = createServer({ shouldUpgradeCallback: () => false })
      const server = yield* listen(node, host, options.port)
      yield* server.serve(Context.get(route, HttpRouter.HttpRouter).asHttpEffect())
      yield* Effect.addFinalizer(endingOf(node))
      yield* Effect.log(`Listening on ${HttpServer.formatAddress(server.address)}${path}`)
      return server
    })
  )

const listen = Effect.fnUntraced(function* (
  node: Server,
  host: string,
  port: number
): Effect.fn.Return<HttpServer.HttpServer["Service"], ListenError, Scope.Scope> {
  const log = Effect.runForkWith(yield* Effect.context<never>())
  const server = yield* Effect.mapError(
    NodeHttpServer.make(() => node, { host, port, disablePreemptiveShutdown: true }),
    ({ cause }) => listenError(host, port, cause)
  )
  // A connection that can't be accepted is no reason to end the process, which an error without a listener would.
  node.on("error", (cause) => log(Effect.logError("The HTTP server could not accept a connection", cause)))
  return server
})

/** How long requests in flight may go on once the server is to end. */
const grace = "10 seconds"

/**
 * Makes the end of a server: no more connections, then the answers to what has been asked, then nothing. A connection on
 * which nothing is asked holds nobody up.
 */
const endingOf = (node: Server) => {
  let asked = 0
  let answered: (() => void) | undefined
  const count = (_: unknown, response: ServerResponse) => {
    asked++
    response.on("close", () => {
      asked--
      if (asked === 0) answered?.()
    })
  }
  // The second stands for requests that ask before they send their body.
  node.on("request", count).on("checkContinue", count)
  return () =>
    Effect.callback<void>((resume) => {
      answered = () => resume(Effect.void)
      node.close()
      if (asked === 0) answered()
    }).pipe(Effect.timeoutOption(grace), Effect.andThen(Effect.sync(() => node.closeAllConnections())))
}

const faultsOf = (host: string, { allowedHosts, port }: Pick<HttpServerOptions, "allowedHosts" | "port">) => {
  const faults: Array<string> = []
  if (!Number.isInteger(port) || port < 0 || port > 65_535) faults.push("port must be an integer from 0 to 65535")
  if (!isLoopback(host) && (allowedHosts === undefined || allowedHosts.length === 0)) {
    faults.push(
      `host "${host}" is reached from other machines, so allowedHosts must name what clients call this server by, such as` +
        ` allowedHosts: ["desk.example.com"]; leave host out to stay on 127.0.0.1`
    )
  }
  return faults
}

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8)
loopback.addAddress("::1", "ipv6")

// A name other than this one is not looked up: what it resolves to may change until the server listens.
const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4"))

const listenError = (host: string, port: number, cause: unknown): ListenError => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "unknown"
  const problem = problems[code] ?? `the system refuses it (${code}); give another host or port`
  return new ListenError({ address: `${isIPv6(host) ? `[${host}]` : host}:${port}`, code, problem })
}

const noSuchAddress = "this machine has no such address; let host name one of its own, or leave it out"

const problems: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; end it, or give another port",
  EACCES: "this user may not open that port; give one above 1023",
  EADDRNOTAVAIL: noSuchAddress,
  ENOTFOUND: noSuchAddress,
  EAI_AGAIN: noSuchAddress
}
