/**
 * Serves a connection inside the process, for tests: the client speaks the whole protocol, in either era, without a port
 * or a child process.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import { InMemoryTransport, type JSONRPCMessage, type Transport } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ToolHost } from "../ToolHost.ts"
import * as Connection from "./connection.ts"
import * as ToolServer from "./toolServer.ts"

/** Gives the client's end of a connection that the host serves to this principal until the scope closes. */
export const connect = (host: ToolHost, principal: PrincipalData): Effect.Effect<Transport, never, Scope.Scope> =>
  Effect.gen(function* () {
    const server = ToolServer.make(host, yield* Effect.context<never>())
    const [clientEnd, serverEnd] = InMemoryTransport.createLinkedPair()
    const wire: Connection.Wire = {
      write: (message) => {
        // A client that has closed its end reads nothing more.
        serverEnd.send(JSON.parse(message) as JSONRPCMessage).catch(() => undefined)
      }
    }
    const connection = yield* Effect.acquireRelease(Connection.make(server, principal, wire), ({ close }) => close)
    serverEnd.onmessage = connection.receive
    yield* Effect.promise(() => serverEnd.start())
    return clientEnd
  })
