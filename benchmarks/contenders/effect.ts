/**
 * Effect's own MCP server, a strict toolkit on the layer of each transport. It sends structured content beside the
 * text, as every toolkit does. In memory it runs over a protocol of JSON texts, as its test client does.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { Effect, Layer, Logger, Queue, Schema } from "effect"
import { McpProtocol, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpRouter } from "effect/http"
import { type RpcMessage, RpcSerialization, RpcServer } from "effect/rpc"
import type { Contender } from "../Contender.ts"
import { price, quote, words } from "../Workload.ts"

const Quote = Tool.make(quote.name, {
  description: quote.description,
  parameters: Schema.Struct({
    reference: Schema.String.check(Schema.isBetweenLength(1, 40)).annotate({ description: words.reference }),
    grams: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30_000 })).annotate({ description: words.grams }),
    service: Schema.Literals(["economy", "express"]).annotate({ description: words.service }),
    insured: Schema.Boolean.annotate({ description: words.insured })
  }),
  success: Schema.Struct({ cents: Schema.Int, days: Schema.Int })
})
  .annotate(Tool.Title, quote.title)
  .annotate(Tool.Readonly, true)
  .annotate(Tool.Strict, true)

const Parcels = Toolkit.make(Quote)

const options = {
  name: "bench",
  version: "1.0.0",
  protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25],
  registrations: McpServer.toolkit(Parcels).pipe(
    Layer.provide(Parcels.toLayer({ [quote.name]: (parcel) => Effect.succeed(price(parcel)) }))
  )
} as const

const logToStderr = Layer.succeed(Logger.LogToStderr, true)

const serialization = RpcSerialization.jsonRpc()

/** A protocol with one client, whose texts arrive in `inbox`. */
const layerMemory = (inbox: Queue.Queue<string>, receive: (text: string) => void) =>
  Layer.effect(
    RpcServer.Protocol,
    RpcServer.Protocol.make(
      Effect.fnUntraced(function* (write) {
        const parser = serialization.makeUnsafe()
        yield* Queue.take(inbox).pipe(
          Effect.flatMap((text) =>
            Effect.forEach(
              parser.decode(text) as ReadonlyArray<RpcMessage.FromClientEncoded>,
              (message) => write(0, message),
              { discard: true }
            )
          ),
          Effect.forever,
          Effect.forkScoped
        )
        return {
          disconnects: yield* Queue.make<number>(),
          send: (_client, response) =>
            Effect.sync(() => {
              const encoded = parser.encode(response)
              if (typeof encoded === "string") receive(encoded)
            }),
          end: () => Effect.void,
          clientIds: Effect.succeed(new Set([0])),
          initialMessage: Effect.succeedNone,
          supportsAck: false,
          supportsTransferables: false,
          supportsSpanPropagation: false,
          supportsNotifications: true,
          codecFor: serialization.codecFor
        }
      })
    )
  )

export const contender: Contender = {
  connect: async (receive) => {
    const inbox = await Effect.runPromise(Queue.unbounded<string>())
    void Effect.runPromise(Layer.launch(McpServer.layer(options).pipe(Layer.provide(layerMemory(inbox, receive)))))
    return (text) => Queue.offerUnsafe(inbox, text)
  },

  serveStdio: async () => {
    const layer = McpServer.layerStdio(options).pipe(Layer.provide(NodeStdio.layer), Layer.provide(logToStderr))
    void Effect.runPromise(Layer.launch(layer))
  },

  serveHttp: async () => {
    const server = createServer()
    const layer = HttpRouter.serve(McpServer.layerHttp({ ...options, path: "/mcp" }), { disableLogger: true }).pipe(
      Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 })),
      Layer.provide(logToStderr)
    )
    const listening = new Promise((done) => server.once("listening", done))
    void Effect.runPromise(Layer.launch(layer))
    await listening
    return { port: (server.address() as AddressInfo).port, path: "/mcp" }
  }
}
