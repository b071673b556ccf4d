/**
 * Visitor badges over stdio. The record of each issue is in LMDB, so that any number of these servers on one machine may be
 * stopped at any time.
 */
import { Principal } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Config, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { join } from "node:path"
import { Badges, handlersIn } from "./badges.ts"
import * as LmdbIdempotencyStore from "./LmdbIdempotencyStore.ts"

const InFolder = Layer.unwrap(
  Effect.map(Config.NonEmptyString("BADGES_FOLDER"), (folder) =>
    Layer.merge(handlersIn(folder), LmdbIdempotencyStore.layer({ filename: join(folder, "badges.mdb") }))
  )
)

const Rates = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

const receptionist = Principal.make({ id: "receptionist", roles: ["reception"] })
Mcp.runStdio(Badges).pipe(Effect.provide([InFolder, Rates, Identity.layerDeclared(receptionist)]), Mcp.runMain)
