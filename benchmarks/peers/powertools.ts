/**
 * Powertools for AWS Lambda, over its layer for Redis and Valkey with a client in memory. Each call is one invocation, which
 * has the Lambda context that the library is told to be given.
 */
import { IdempotencyConfig, makeIdempotent } from "@aws-lambda-powertools/idempotency"
import { CachePersistenceLayer } from "@aws-lambda-powertools/idempotency/cache"
import type { Entry } from "./OrderBook.ts"
import {
  type Answer,
  attemptSeconds,
  type Call,
  now,
  type Peer,
  retentionSeconds,
  type Setting,
  titleOf,
  travel
} from "./Peer.ts"

export const peer: Peer = {
  title: titleOf("Powertools", "@aws-lambda-powertools/idempotency"),
  open: async (book, setting) => {
    const client = makeClient(setting)
    const instances = [client, client, client].map((client) =>
      makeIdempotent(({ order, tenant }: Call, _context: object) => book.write(tenant, order), {
        persistenceStore: new CachePersistenceLayer({ client }),
        config: new IdempotencyConfig({
          eventKeyJmesPath: setting.byContent ? "order" : "key",
          ...(setting.compares && { payloadValidationJmesPath: "order" }),
          throwOnNoIdempotencyKey: true,
          expiresAfterSeconds: retentionSeconds
        })
      })
    )
    return {
      call: async (index, call) => {
        const until = now() + attemptSeconds * 1000
        const context = { getRemainingTimeInMillis: () => until - now() }
        try {
          return `#${((await instances[index](call, context)) as Entry).number}`
        } catch (error) {
          return answerOf(error as Error)
        }
      },
      close: async () => {}
    }
  }
}

const answerOf = ({ name }: Error): Answer => {
  if (name === "IdempotencyAlreadyInProgressError") return "running"
  return name === "IdempotencyValidationError" ? "conflict" : "failed"
}

/** What Redis does with SET, GET and DEL: each is atomic, and a key is gone once it has expired. */
const makeClient = ({ storeLatency }: Setting) => {
  const values = new Map<string, { readonly value: string; readonly expiresAt: number }>()
  const find = (key: string): string | null => {
    const found = values.get(key)
    return found === undefined || found.expiresAt <= now() ? null : found.value
  }
  return {
    get: async (key: string) => {
      await travel(storeLatency)
      return find(key)
    },
    set: async (key: string, value: string, { EX, NX = false }: { readonly EX: number; readonly NX?: boolean }) => {
      await travel(storeLatency)
      if (NX && find(key) !== null) return null
      values.set(key, { value, expiresAt: now() + EX * 1000 })
      return "OK"
    },
    del: async (keys: Array<string>) => {
      await travel(storeLatency)
      return keys.filter((key) => values.delete(key)).length
    }
  }
}
