/**
 * What the service desk stands on, as the environment says: the desk's file, the record of writes beside it, and the
 * messenger. `DESK_DATA` names the folder of the two files; it must exist. How often each caller calls is counted in memory.
 */
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { Config, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { join } from "node:path"
import { Desk } from "./Desk.ts"
import { Messenger } from "./Messenger.ts"

const Files = Layer.unwrap(
  Effect.map(Config.NonEmptyString("DESK_DATA"), (folder) =>
    Layer.merge(
      Desk.layer({ filename: join(folder, "desk.db") }),
      SqliteIdempotencyStore.layer({ filename: join(folder, "writes.db") })
    )
  )
)

const Rates = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

export const Backends = Layer.mergeAll(Files, Messenger.layer, Rates)
