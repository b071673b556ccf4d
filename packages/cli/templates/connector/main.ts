/**
 * Serves the connector over stdio to whoever starts it. Notes and the record of writes are in the folder of the variable
 * DATA, or in the current one.
 */
import { NodeServices } from "@effect/platform-node"
import { Principal } from "@ferrule/core"
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { Identity, Mcp } from "@ferrule/mcp"
import { Config, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { userInfo } from "node:os"
import { join } from "node:path"
import { handlers } from "./handlers.ts"
import { Notes } from "./Notes.ts"
import { connector } from "./tools.ts"

const Stored = Layer.unwrap(
  Effect.gen(function* () {
    const folder = yield* Config.withDefault(Config.String("DATA"), ".")
    const served = handlers.pipe(
      Layer.provide(Notes.layerFile(join(folder, "notes.jsonl"))),
      Layer.provide(NodeServices.layer)
    )
    const store = SqliteIdempotencyStore.layer({ filename: join(folder, "my-connector.db") })
    return Layer.mergeAll(served, store, RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
  })
)

// Whoever starts the process owns its notes.
const owner = Principal.make({ id: userInfo().username, roles: ["writer"] })

Mcp.runStdio(connector).pipe(Effect.provide([Stored, Identity.layerDeclared(owner)]), Mcp.runMain)
