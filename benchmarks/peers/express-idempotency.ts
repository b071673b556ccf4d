/**
 * `express-idempotency` over its own adapter in memory, in front of a route of Express, written as its read-me says: the
 * handler asks for a hit, and reports an error. It always compares the bodies.
 */
import express, { type ErrorRequestHandler } from "express"
import { IdempotencyService, type IIdempotencyDataAdapter } from "express-idempotency"
import { InMemoryDataAdapter } from "express-idempotency/dist/defaults/inMemoryDataAdapter.js"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import type { Entry, OrderBook } from "./OrderBook.ts"
import { type Answer, type Peer, titleOf, travel } from "./Peer.ts"

export const peer: Peer = {
  title: titleOf("express-idempotency", "express-idempotency"),
  lacks: { "after the retention": "it keeps a record for ever" },
  open: async (book, { storeLatency }) => {
    const dataAdapter = distant(new InMemoryDataAdapter(), storeLatency)
    const instances = await Promise.all([dataAdapter, dataAdapter, dataAdapter].map((adapter) => serve(book, adapter)))
    return {
      call: async (index, { key, order, tenant }) => {
        const response = await fetch(instances[index].url, {
          method: "POST",
          headers: { "content-type": "application/json", "idempotency-key": key, authorization: `Bearer ${tenant}` },
          body: JSON.stringify(order)
        })
        return response.ok ? `#${((await response.json()) as Entry).number}` : answerOf(response.status)
      },
      close: async () => {
        for (const { close } of instances) close()
      }
    }
  }
}

const answerOf = (status: number): Answer => (status === 409 ? "running" : status === 417 ? "conflict" : "failed")

const serve = async (book: OrderBook, dataAdapter: IIdempotencyDataAdapter) => {
  const service = new IdempotencyService({ dataAdapter })
  const app = express()
  app.use(express.json())
  app.post("/orders", service.provideMiddlewareFunction, async (request, response) => {
    if (service.isHit(request)) return
    try {
      response.send(await book.write(request.get("authorization")!.slice("Bearer ".length), request.body))
    } catch (error) {
      await service.reportError(request)
      throw error
    }
  })
  // Express gives an error 500 unless the middleware has set another status.
  const onError: ErrorRequestHandler = (_error, _request, response, _next) => {
    response.writeHead(response.statusCode < 400 ? 500 : response.statusCode).end()
  }
  app.use(onError)
  const server = app.listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
  return { url, close: () => server.close() && server.closeAllConnections() }
}

const distant = (adapter: InMemoryDataAdapter, latency: number): IIdempotencyDataAdapter => ({
  findByIdempotencyKey: (key) => travel(latency).then(() => adapter.findByIdempotencyKey(key)),
  create: (resource) => travel(latency).then(() => adapter.create(resource)),
  update: (resource) => travel(latency).then(() => adapter.update(resource)),
  delete: (key) => travel(latency).then(() => adapter.delete(key))
})
