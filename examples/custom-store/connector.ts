/**
 * How the badges are audited: `ferrule audit connector.ts --probe` in this folder, over the handlers and the store that are
 * served, in a folder of their own.
 */
import { Audit } from "@ferrule/cli"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Badges, handlersIn } from "./badges.ts"
import * as LmdbIdempotencyStore from "./LmdbIdempotencyStore.ts"

const InFolder = Layer.unwrap(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-badges-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  ).pipe(
    Effect.map((folder) =>
      Layer.merge(handlersIn(folder), LmdbIdempotencyStore.layer({ filename: join(folder, "badges.mdb") }))
    )
  )
)

const Rates = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

export default Audit.make(Badges, {
  layers: Layer.merge(InFolder, Rates),
  arguments: {
    list_badges: { day: "2026-05-01" },
    issue_badge: { visitor: "Kim Lee", day: "2026-05-01" }
  }
})
