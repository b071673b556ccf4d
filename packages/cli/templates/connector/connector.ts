/** How the connector is audited: `ferrule audit connector.ts --probe`. The layers are those of the tests. */
import { Audit } from "@ferrule/cli"
import { IdempotencyStore } from "@ferrule/core"
import { Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { handlers } from "./handlers.ts"
import { Notes } from "./Notes.ts"
import { connector } from "./tools.ts"

export default Audit.make(connector, {
  layers: Layer.mergeAll(
    handlers.pipe(Layer.provide(Notes.layerMemory)),
    IdempotencyStore.layerMemory,
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
  ),
  arguments: {
    read_notes: { topic: "deploys" },
    add_note: { topic: "deploys", text: "Fridays are frozen." }
  }
})
