/**
 * What an instance stands on, as its environment says: PostgreSQL for the tickets, PostgreSQL or Redis for the record of
 * writes, and the messenger. Nothing of it is in the instance's memory or on its disk, but, where there is no Redis, how
 * often each caller has called this instance.
 */
import { NodeRedis } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import type { IdempotencyStore } from "@ferrule/core"
import * as RedisIdempotencyStore from "@ferrule/core/RedisIdempotencyStore"
import * as SqlIdempotencyStore from "@ferrule/core/SqlIdempotencyStore"
import { Config, Effect, Layer, Option, Redacted } from "effect"
import { RateLimiter } from "effect/persistence"
import { Messenger } from "../service-desk/Messenger.ts"
import * as PostgresDesk from "./PostgresDesk.ts"

/** Each call makes a pool of its own. The name tells the database's operators whose connections these are. */
export const postgres = (connections: number) =>
  PgClient.layerConfig({
    url: Config.Redacted("DESK_POSTGRES"),
    applicationName: Config.withDefault(Config.NonEmptyString("DESK_NAME"), "service-desk"),
    maxConnections: Config.succeed(connections)
  })

const redis = Layer.unwrap(
  Effect.map(Config.Redacted("DESK_REDIS"), (url) =>
    // A command that can't be sent fails at once, instead of being sent when its caller has gone.
    NodeRedis.layer({ url: Redacted.value(url), disableOfflineQueue: true })
  )
)

// Connections of their own: what keeps the desk's busy must not keep a write from being claimed or settled.
const inPostgres = SqlIdempotencyStore.layer().pipe(Layer.provide(postgres(4)))

const redisPrefix = Config.withDefault(Config.NonEmptyString("DESK_REDIS_PREFIX"), "service-desk:")

const inRedis = Layer.unwrap(
  Effect.map(redisPrefix, (prefix) => RedisIdempotencyStore.layer({ prefix }).pipe(Layer.provide(redis)))
)

type Records = typeof inPostgres | typeof inRedis

const Records = Layer.unwrap(
  Effect.map(
    Config.Literals(["postgres", "redis"], "DESK_STORE"),
    (store): Layer.Layer<IdempotencyStore, Layer.Error<Records>> => (store === "postgres" ? inPostgres : inRedis)
  )
)

const countedInRedis = Layer.unwrap(
  Effect.map(redisPrefix, (prefix) =>
    RateLimiter.layerStoreRedis({ prefix: `${prefix}rate:` }).pipe(Layer.provide(redis))
  )
)

/** In Redis where there is one, wherever the records are: in a table, each read would be a write. */
export const Rates = RateLimiter.layer.pipe(
  Layer.provide(
    Layer.unwrap(
      Effect.map(
        Config.option(Config.Redacted("DESK_REDIS")),
        (url): typeof countedInRedis | typeof RateLimiter.layerStoreMemory =>
          Option.isSome(url) ? countedInRedis : RateLimiter.layerStoreMemory
      )
    )
  )
)

export const Backends = Layer.mergeAll(
  PostgresDesk.layer.pipe(Layer.provide(postgres(8))),
  Records,
  Rates,
  Messenger.layer
)
