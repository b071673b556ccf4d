/**
 * `@node-idempotency/core` over its own adapter in memory, called as its read-me says: `onRequest`, the handler, and
 * `onResponse` with the result or the error. It always compares the bodies.
 */
import { Idempotency, IdempotencyError, IdempotencyErrorCodes } from "@node-idempotency/core"
import { MemoryStorageAdapter } from "@node-idempotency/storage-adapter-memory"
import type { Entry } from "./OrderBook.ts"
import { type Answer, type Call, type Peer, retentionSeconds, titleOf, travel } from "./Peer.ts"

export const peer: Peer = {
  title: titleOf("node-idempotency", "@node-idempotency/core"),
  open: async (book, { storeLatency }) => {
    const storage = new DistantStorage(storeLatency)
    const instances = [storage, storage, storage].map(
      (storage) => new Idempotency(storage, { cacheTTLMS: retentionSeconds * 1000, enforceIdempotency: true })
    )
    return {
      call: async (index, call) => {
        const idempotency = instances[index]
        const request = requestOf(call)
        try {
          const earlier = await idempotency.onRequest<Entry, string>(request)
          if (earlier !== undefined) return earlier.body === undefined ? "failed" : `#${earlier.body.number}`
        } catch (error) {
          return answerOf(error)
        }
        try {
          const body = await book.write(call.tenant, call.order)
          await idempotency.onResponse(request, { body, additional: { status: 201 } })
          return `#${body.number}`
        } catch (error) {
          await idempotency.onResponse(request, { error: (error as Error).message, additional: { status: 500 } })
          return "failed"
        }
      },
      close: async () => {}
    }
  }
}

const requestOf = ({ key, order, tenant }: Call) => ({
  method: "POST",
  path: "/orders",
  headers: { "idempotency-key": key, authorization: `Bearer ${tenant}` },
  body: order
})

const answerOf = (error: unknown): Answer => {
  if (!(error instanceof IdempotencyError)) throw error
  switch (error.code) {
    case IdempotencyErrorCodes.REQUEST_IN_PROGRESS:
      return "running"
    case IdempotencyErrorCodes.IDEMPOTENCY_FINGERPRINT_MISSMATCH:
      return "conflict"
    default:
      return "failed"
  }
}

class DistantStorage extends MemoryStorageAdapter {
  private readonly latency: number

  constructor(latency: number) {
    super()
    this.latency = latency
  }

  override async setIfNotExists(...args: Parameters<MemoryStorageAdapter["setIfNotExists"]>) {
    await travel(this.latency)
    return super.setIfNotExists(...args)
  }

  override async set(...args: Parameters<MemoryStorageAdapter["set"]>) {
    await travel(this.latency)
    return super.set(...args)
  }

  override async get(...args: Parameters<MemoryStorageAdapter["get"]>) {
    await travel(this.latency)
    return super.get(...args)
  }
}
