/**
 * How a process reaches the store under test. Each store's code is loaded only where it is used, so that a worker starts
 * fast.
 */
import type { IdempotencyStore } from "@ferrule/core"
import { Layer } from "effect"
import type { SqlClient } from "effect/sql"

export const kinds = ["sqlite", "postgres", "redis"] as const

export type Kind = (typeof kinds)[number]

export type Address = { readonly kind: "sqlite"; readonly filename: string } | Served

interface Served {
  readonly kind: "postgres" | "redis"
  readonly port: number
}

export const layer = async (address: Address): Promise<Layer.Layer<IdempotencyStore, unknown>> => {
  switch (address.kind) {
    case "sqlite": {
      const SqliteIdempotencyStore = await import("@ferrule/core/SqliteIdempotencyStore")
      return SqliteIdempotencyStore.layer({ filename: address.filename })
    }
    case "postgres":
      return postgres(address.port)
    case "redis": {
      const RedisIdempotencyStore = await import("@ferrule/core/RedisIdempotencyStore")
      const NodeRedis = await import("@effect/platform-node/NodeRedis")
      const client = NodeRedis.layer({ socket: { host: "127.0.0.1", port: address.port }, disableOfflineQueue: true })
      return Layer.provide(RedisIdempotencyStore.layer(), client)
    }
  }
}

/** The store, and the database that it is in. */
export const postgres = async (port: number): Promise<Layer.Layer<IdempotencyStore | SqlClient.SqlClient, unknown>> => {
  const SqlIdempotencyStore = await import("@ferrule/core/SqlIdempotencyStore")
  return Layer.provideMerge(SqlIdempotencyStore.layer(), await database(port))
}

export const database = async (port: number): Promise<Layer.Layer<SqlClient.SqlClient, unknown>> => {
  const PgClient = await import("@effect/sql-pg/PgClient")
  return PgClient.layer({
    host: "127.0.0.1",
    port,
    username: "ferrule",
    database: "postgres",
    connectTimeout: "1 second"
  })
}
