/**
 * Makes sure that a connector whose records live in one process is served by one process of this machine only.
 *
 * Two of them would each write once, which is twice. The first holds the lock of a file in the folder for temporary files
 * for as long as it serves. The kernel takes the lock back with the process, however that ends, so nothing is ever stale.
 */
import { DefinitionError } from "@ferrule/core/ConnectorError"
import { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

export const ensure = (connector: string): Effect.Effect<void, DefinitionError, Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* Effect.serviceOption(IdempotencyStore)
    if (Option.isNone(store) || store.value.scope !== "process") return
    yield* Effect.logWarning(
      `${connector} keeps its record of writes in memory: it ends with this process, and no second process may serve it`
    )
    yield* Effect.acquireRelease(
      Effect.try({ try: () => acquire(connector, store.value), catch: (cause) => refusal(connector, cause) }),
      (held) => Effect.sync(() => release(connector, held))
    )
  })

/** The store and the lock of a connector that this process serves, and on how many transports. */
interface Held {
  readonly store: object
  readonly lock: DatabaseSync
  transports: number
}

const holding = new Map<string, Held>()

const acquire = (connector: string, store: object): Held => {
  const held = holding.get(connector)
  // Several transports over one store write once.
  if (held?.store === store) {
    held.transports++
    return held
  }
  const lock = new DatabaseSync(fileOf(connector))
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
  } catch (cause) {
    lock.close()
    throw cause
  }
  const first: Held = { store, lock, transports: 1 }
  holding.set(connector, first)
  return first
}

const release = (connector: string, held: Held): void => {
  held.transports--
  if (held.transports > 0) return
  holding.delete(connector)
  held.lock.close()
}

// One file for each user, so that nobody meets a lock that another user's rights keep from it.
const fileOf = (connector: string): string => {
  const name = createHash("sha256").update(`${process.getuid?.()}:${connector}`).digest("hex").slice(0, 24)
  return join(tmpdir(), `ferrule-${name}.lock`)
}

const busy = 5

const refusal = (connector: string, cause: unknown): DefinitionError =>
  typeof cause === "object" && cause !== null && "errcode" in cause && cause.errcode === busy
    ? new DefinitionError({
        subject: `A second instance of ${connector}`,
        faults: [
          "another instance on this machine serves it with a memory store of its own, and each would execute the same" +
            " write once; give both a store that they share, such as SqliteIdempotencyStore"
        ]
      })
    : new DefinitionError({
        subject: `An instance of ${connector} on the memory store`,
        faults: [
          `whether another one runs can't be told, since ${tmpdir()} takes no lock file; let TMPDIR name a folder that can` +
            " be written, or give the connector a store such as SqliteIdempotencyStore"
        ]
      })
