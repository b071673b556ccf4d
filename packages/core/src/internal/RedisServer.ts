/**
 * Looks at a Redis server at start, and says why records must not be kept there.
 */
import * as Effect from "effect/Effect"
import { StoreError } from "../IdempotencyStore.ts"
import { describe, type Fault, isDenied } from "./RedisFault.ts"

interface Accepted {
  readonly eviction: boolean
  readonly volatility: boolean
}

/** Fails when the server that answers to `INFO` can't keep records. Warns when a restart would lose them. */
export const check = Effect.fnUntraced(function* (
  info: Effect.Effect<unknown, Fault>,
  accepted: Accepted
): Effect.fn.Return<void, StoreError> {
  const text = yield* info.pipe(
    // A user without the right to ask is one of the cases in which the server does not tell.
    Effect.catchIf(isDenied, () => Effect.succeed("")),
    Effect.mapError(describe)
  )
  const server = new Map(Array.from(String(text).matchAll(/^(\w+):(.*?)\r?$/gm), ([, name, value]) => [name, value]))
  const reason = refusal(server, accepted)
  if (reason !== undefined) return yield* new StoreError({ reason })
  if (server.get("aof_enabled") !== "1" && !accepted.volatility) {
    yield* Effect.logWarning(
      "Redis keeps no append-only file, or does not tell, so that a restart may forget writes, and calls that come again " +
        'make them again. Set its appendonly to yes, or give the store durability: "memory" where that is acceptable.'
    )
  }
})

const refusal = (server: ReadonlyMap<string, string>, accepted: Accepted): string | undefined => {
  const version = /^(\d+)\.(\d+)/.exec(server.get("redis_version") ?? "")
  if (version !== null && Number(version[1]) * 1000 + Number(version[2]) < 6002) {
    return "Redis is older than 6.2. Give the store a newer server."
  }
  const role = server.get("role")
  if (role !== undefined && role !== "master") return "Redis is a replica and takes no writes. Connect to the primary."
  const policy = server.get("maxmemory_policy")
  if (accepted.eviction || policy === "noeviction") return undefined
  const found =
    policy === undefined
      ? "Redis does not tell its maxmemory-policy"
      : `Redis drops keys when its memory is full (maxmemory-policy is ${policy})`
  return (
    `${found}, and a record that is dropped is a write that is made twice. Set maxmemory-policy to noeviction and let the ` +
    'user of the store run INFO, or give the store eviction: "accepted" if no record can be dropped for another reason.'
  )
}
