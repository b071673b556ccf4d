/**
 * Makes sure that a connector whose records live in one process is served by one process of this machine only.
 *
 * Two of them would each write once, which is twice. The first holds a local socket for as long as it serves; the socket
 * goes with its process, so nothing is left behind to clean up but a file that the next one recognises as dead.
 */
import { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import { DefinitionError } from "@ferrule/core/ConnectorError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { unlinkSync } from "node:fs"
import { connect, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const ensure = (connector: string): Effect.Effect<void, DefinitionError, Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* Effect.serviceOption(IdempotencyStore)
    if (Option.isNone(store) || store.value.scope !== "process") return
    yield* Effect.logWarning(
      `${connector} keeps its record of writes in memory: it ends with this process, and no second process may serve it`
    )
    const server = yield* hold(socketOf(connector), 2)
    if (server === undefined) {
      return yield* new DefinitionError({
        subject: `A second instance of ${connector}`,
        faults: [
          "another process on this machine serves it with the memory store, and each would execute the same write once;" +
            " give both a store that they share, such as SqliteIdempotencyStore"
        ]
      })
    }
    yield* Effect.addFinalizer(() => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void))))
  })

const socketOf = (connector: string): string => {
  const name = `ferrule-${createHash("sha256").update(`${process.getuid?.()}:${connector}`).digest("hex").slice(0, 24)}`
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`)
}

/** Listens on the socket, or gives `undefined` when a living process does. */
const hold = (path: string, attempts: number): Effect.Effect<Server | undefined> =>
  Effect.flatMap(listen(path), (server) => {
    if (server !== undefined || attempts === 0) return Effect.succeed(server)
    return Effect.flatMap(isAlive(path), (alive) =>
      alive ? Effect.undefined : Effect.andThen(removeDead(path), hold(path, attempts - 1))
    )
  })

const listen = (path: string): Effect.Effect<Server | undefined> =>
  Effect.callback((resume) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", () => resume(Effect.undefined))
    server.listen(path, () => resume(Effect.succeed(server.unref())))
  })

const isAlive = (path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

const removeDead = (path: string): Effect.Effect<void> =>
  Effect.ignore(
    Effect.try({
      try: () => unlinkSync(path),
      catch: (cause) => new DefinitionError({ subject: path, faults: [String(cause)] })
    })
  )
