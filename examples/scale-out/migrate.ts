/**
 * Makes the tables of the desk and of its record of writes, or leaves them as they are. A deployment runs it once, before
 * its first instance: `node migrate.ts`, with `DESK_POSTGRES` for a user who may create tables.
 */
import * as SqlIdempotencyStore from "@ferrule/core/SqlIdempotencyStore"
import { Effect, Layer } from "effect"
import { run } from "../service-desk/run.ts"
import { postgres } from "./backends.ts"
import * as PostgresDesk from "./PostgresDesk.ts"

Layer.build(SqlIdempotencyStore.layerMigrations()).pipe(
  Effect.andThen(PostgresDesk.migrate),
  Effect.provide(postgres(1)),
  Effect.scoped,
  run
)
