/**
 * Makes sure that a connector whose records live in one process is served by one process only: two of them would each
 * write once, which is twice.
 *
 * On one machine a lock tells. It is held for as long as the connector is served, and the second process is refused, on
 * stdio and over HTTP alike. Nothing tells of an instance on another machine, so over HTTP, where a load balancer may stand
 * in front of several, a connector in production needs a store that instances share, or the word of its operator. A server
 * on stdio needs neither: it serves the one who started it, and a record belongs to one principal.
 */
import { DefinitionError } from "@ferrule/core/ConnectorError"
import { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { createHash } from "node:crypto"
import * as ProcessLock from "./processLock.ts"

/** How a connector is served; `singleInstance` is its operator's word that one instance runs. */
export type Way = { readonly http: false } | { readonly http: true; readonly singleInstance: boolean | undefined }

export const ensure = (connector: string, way: Way): Effect.Effect<void, DefinitionError, Scope.Scope> =>
  Effect.gen(function* () {
    const store = yield* Effect.serviceOption(IdempotencyStore)
    if (Option.isNone(store) || store.value.scope !== "process") return
    if (way.http && way.singleInstance !== true && (yield* inProduction)) return yield* inProductionFault(connector)
    yield* Effect.logWarning(
      `${connector} keeps its record of writes in memory: it ends with this process, and no second process may serve it`
    )
    yield* Effect.acquireRelease(
      Effect.mapError(acquire(connector, store.value), (fault) => faults[fault](connector)),
      (held) => release(connector, held)
    )
  })

const inProduction = Config.option(Config.String("NODE_ENV")).pipe(
  Effect.map((name) => Option.getOrUndefined(name) === "production"),
  // A configuration that can't be read does not say that this is no production.
  Effect.orElseSucceed(() => true)
)

/** The store and the lock of a connector that this process serves, and on how many transports. */
interface Held {
  readonly store: object
  readonly lock: Scope.Closeable
  transports: number
}

const holding = new Map<string, Held>()

// One at a time, so that a second transport finds what the first one is about to hold or to let go.
const inTurn = Semaphore.makeUnsafe(1).withPermits(1)

const acquire = (connector: string, store: object): Effect.Effect<Held, ProcessLock.Fault> =>
  inTurn(
    Effect.gen(function* () {
      const held = holding.get(connector)
      if (held !== undefined) {
        // Several transports over one store write once.
        if (held.store !== store) return yield* Effect.fail("held" as const)
        held.transports++
        return held
      }
      const lock = yield* Scope.make()
      yield* Scope.provide(ProcessLock.hold(nameOf(connector)), lock)
      const first: Held = { store, lock, transports: 1 }
      holding.set(connector, first)
      return first
    })
  )

const release = (connector: string, held: Held): Effect.Effect<void> =>
  inTurn(
    Effect.suspend(() => {
      held.transports--
      if (held.transports > 0) return Effect.void
      holding.delete(connector)
      return Scope.close(held.lock, Exit.void)
    })
  )

// Hashed, since a connector's name may have characters that a name of the system may not.
const nameOf = (connector: string): string =>
  `ferrule-${createHash("sha256").update(connector).digest("hex").slice(0, 24)}`

const faults: Record<ProcessLock.Fault, (connector: string) => DefinitionError> = {
  held: (connector) =>
    new DefinitionError({
      subject: `A second instance of ${connector}`,
      faults: [
        "another instance on this machine serves it with a memory store of its own, and each would execute the same" +
          " write once; give both a store that they share, such as SqliteIdempotencyStore",
        `if there is none, some other program holds the name ${nameOf(connector)}, which any user of this machine can do` +
          " (on Linux, ss -xlp tells which); end it, or use SqliteIdempotencyStore, which needs no such name"
      ]
    }),
  unavailable: (connector) =>
    new DefinitionError({
      subject: `An instance of ${connector} on the memory store`,
      faults: [
        "whether another one runs can't be told, since this machine refuses the lock that would tell (outside Linux and" +
          " Windows it is a file, and TMPDIR must name a folder that can be written); give the connector a store such as" +
          " SqliteIdempotencyStore"
      ]
    })
}

const inProductionFault = (connector: string): DefinitionError =>
  new DefinitionError({
    subject: `An instance of ${connector} on the memory store, over HTTP in production (NODE_ENV),`,
    faults: [
      "a second instance, or this one after a restart, would execute the same write again: give it a shared store" +
        " (SqliteIdempotencyStore on one machine, SqlIdempotencyStore or RedisIdempotencyStore on several), or say" +
        " singleInstance: true in the options of the server if no second instance ever runs beside it"
    ]
  })
