/**
 * Ferrule with its whole pipeline: identity, strict schemas, policy, an audit record for each call (kept nowhere;
 * `ferrule-logged` has the default trail), and a write that happens once, with its record in the memory store.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { AuditTrail, Connector, IdempotencyStore, Policy, Principal, Scrubber, Tool } from "@ferrule/core"
import { Identity } from "@ferrule/mcp/Identity"
import * as Mcp from "@ferrule/mcp/Mcp"
import { Effect, Layer, Redacted, Schema, Scope } from "effect"
import { HttpRouter } from "effect/http"
// The public ways in are stdio and HTTP. This is the connection beneath stdio, without a stream on either side.
import * as Connection from "../../packages/mcp/src/internal/connection.ts"
import * as ConnectorHost from "../../packages/mcp/src/internal/connectorHost.ts"
import * as ToolServer from "../../packages/mcp/src/internal/toolServer.ts"
import type { Contender } from "../Contender.ts"
import { bearerToken, book, type Parcel, price, quote, words } from "../Workload.ts"

const input = Schema.Struct({
  reference: Schema.String.check(Schema.isBetweenLength(1, 40)).annotate({ description: words.reference }),
  grams: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30_000 })).annotate({ description: words.grams }),
  service: Schema.Literals(["economy", "express"]).annotate({ description: words.service }),
  insured: Schema.Boolean.annotate({ description: words.insured })
})

const output = Schema.Struct({
  cents: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })).annotate({
    description: "Price in cents."
  }),
  days: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })).annotate({ description: "Days on the way." })
})

const parcelsFor = (allow: Policy.Policy<Parcel>) => {
  const Quote = Tool.read(quote.name, { ...quote, input, output, allow })
  const Book = Tool.write(book.name, {
    ...book,
    input,
    output,
    allow,
    idempotency: { identity: ["reference"], recovery: "repeatable", retention: "1 minute" }
  })
  // A name for each process: the bench runs several side by side, and a connector on the memory store is held to one.
  return Connector.make(`parcels-${process.pid}`, { version: "1.0.0", tools: [Quote, Book] })
}

const principal = Principal.make({ id: "bench", roles: ["sender"], scopes: ["parcels", "prices"] })

/** Whom the HTTP endpoint lets in, and the token that the bench has to send if it is not the usual one. */
interface Callers {
  readonly identity: Layer.Layer<Identity, unknown>
  readonly token?: string
}

const byTable: Callers = {
  identity: Identity.layerTokens([{ token: Redacted.make(bearerToken), principal }])
}

/** What a variant has other than one role, no secrets, callers by a table, and an audit trail that keeps nothing. */
interface Variant {
  readonly allow?: Policy.Policy<Parcel>
  readonly secrets?: ReadonlyArray<string>
  readonly callers?: () => Promise<Callers>
  readonly audit?: Layer.Layer<never>
}

export const serveFerrule = ({
  allow = Policy.role("sender"),
  audit = AuditTrail.layerNone,
  callers = async () => byTable,
  secrets = []
}: Variant): Contender => {
  const Parcels = parcelsFor(allow)
  const handlers = Parcels.toLayer({
    [quote.name]: (parcel) => Effect.succeed(price(parcel)),
    [book.name]: (parcel) => Effect.succeed(price(parcel))
  })
  const watched = Layer.effectDiscard(Effect.forEach(secrets, (secret) => Scrubber.watch(Redacted.make(secret))))
  const services = Layer.mergeAll(handlers, IdempotencyStore.layerMemory, audit, watched)

  return {
    connect: (receive) =>
      new Promise((connected) => {
        const serve = Effect.gen(function* () {
          const server = ToolServer.make(yield* ConnectorHost.make(Parcels), yield* Effect.context<never>())
          const connection = yield* Connection.make(server, principal, { write: receive })
          connected((text) => connection.receive(JSON.parse(text)))
          return yield* Effect.never
        })
        void Effect.runPromise(serve.pipe(Effect.scoped, Effect.provide(services)))
      }),

    serveStdio: async () => {
      const layer = Mcp.layerStdio(Parcels)
      void Effect.runPromise(Layer.launch(layer.pipe(Layer.provide([services, Identity.layerDeclared(principal)]))))
    },

    serveHttp: async () => {
      const server = createServer()
      const { identity, token } = await callers()
      const layer = HttpRouter.serve(Mcp.layerHttp(Parcels, { path: "/mcp" }), {
        disableLogger: true
      }).pipe(
        Layer.provide([services, identity]),
        Layer.provide(NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0 }))
      )
      // Built, and not only listening: a request that comes before the routes are there is never answered.
      await Effect.runPromise(Layer.buildWithScope(layer, Scope.makeUnsafe()))
      return { port: (server.address() as AddressInfo).port, path: "/mcp", ...(token !== undefined && { token }) }
    }
  }
}

export const contender = serveFerrule({})
