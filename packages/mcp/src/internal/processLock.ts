/**
 * A name that one process of this machine holds, whichever user runs it and wherever its temporary files are.
 *
 * On Linux the name is that of a socket in the abstract namespace, which a network namespace has one of; on Windows that
 * of a pipe. Elsewhere it is a lock file in the folder for temporary files, one for each user. The kernel takes each of
 * them back with the process, however that ends, so a name is never held by a process that is gone.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** Why a name can't be held: another process has it, or this machine does not let it be told. */
export type Fault = "held" | "unavailable"

/** Holds the name until the scope closes. */
export const hold = (name: string): Effect.Effect<void, Fault, Scope.Scope> => {
  switch (process.platform) {
    case "linux":
      return holdSocket(`\0${name}`)
    case "win32":
      return holdSocket(`\\\\.\\pipe\\${name}`)
    default:
      // A file of another user could not be locked, nor told from one that nobody has locked.
      return holdFile(join(tmpdir(), `${name}-${process.getuid?.()}.lock`))
  }
}

const holdSocket = (path: string) => Effect.asVoid(Effect.acquireRelease(listen(path), close))

const listen = (path: string): Effect.Effect<Server, Fault> =>
  Effect.callback((resume) => {
    // The name is all that is wanted of the socket: whoever connects is turned away, and the process may end without it.
    const server = createServer((socket) => socket.destroy()).unref()
    // It also stands for later errors, of connections that could not be accepted, which nobody needs to know of.
    server.on("error", ({ code }: NodeJS.ErrnoException) => {
      resume(Effect.fail(code === "EADDRINUSE" ? "held" : "unavailable"))
    })
    // The workers of a cluster would share one socket otherwise, and each would take itself for the only one.
    server.listen({ path, exclusive: true }, () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
  })

/** Holds the lock of a file until the scope closes. The file stays, and means nothing. */
export const holdFile = (file: string): Effect.Effect<void, Fault, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(Effect.try({ try: () => lock(file), catch: faultOf }), (db) => Effect.sync(() => db.close()))
  )

const lock = (file: string): DatabaseSync => {
  const db = new DatabaseSync(file)
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
    return db
  } catch (cause) {
    db.close()
    throw cause
  }
}

const busy = 5

const faultOf = (cause: unknown): Fault =>
  typeof cause === "object" && cause !== null && "errcode" in cause && cause.errcode === busy ? "held" : "unavailable"
