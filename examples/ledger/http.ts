/**
 * Serves the ledger over HTTP as an OAuth resource server. `node http.ts` with the environment that settings.ts lists.
 *
 * Two tokens meet here and are never mixed up. The caller's is for this connector: it says who is calling, and goes nowhere
 * else. The ledger's is made by the identity provider from it, for this caller and the ledger alone.
 */
import { NodeFileSystem } from "@effect/platform-node"
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Scrubber } from "@ferrule/core"
import * as FileCredential from "@ferrule/core/FileCredential"
import * as JsonLinesAuditTrail from "@ferrule/core/JsonLinesAuditTrail"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { Identity, Mcp } from "@ferrule/mcp"
import { Config, Console, Effect, Layer, Logger } from "effect"
import { FetchHttpClient } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { join } from "node:path"
import { LedgerHandlers } from "./handlers.ts"
import { Ledger } from "./Ledger.ts"
import { settings } from "./settings.ts"
import { LedgerConnector } from "./tools.ts"

const Server = Effect.gen(function* () {
  const { port, resource, issuer, clientId, clientSecretFile, upstreamUrl, upstreamAudience, data } = yield* settings

  const Callers = Identity.layerJwt({
    issuer,
    jwks: `${issuer}/jwks`,
    audience: resource,
    type: "at+jwt",
    algorithms: ["ES256"]
  }).pipe(Layer.provide(FetchHttpClient.layer))

  const OnBehalfOfCaller = OAuthCredential.layerTokenExchange({
    name: "The identity provider",
    tokenUrl: `${issuer}/token`,
    clientId,
    clientSecret: yield* FileCredential.make({ path: clientSecretFile }),
    resource: upstreamAudience,
    scopes: ["entries:read", "entries:write"]
  })

  const Handlers = LedgerHandlers.pipe(
    Layer.provide(Ledger.layer({ url: upstreamUrl })),
    Layer.provide(OnBehalfOfCaller)
  )

  return Mcp.layerHttpServer(LedgerConnector, { port }).pipe(
    Layer.provide([
      Handlers,
      Callers,
      SqliteIdempotencyStore.layer({ filename: join(data, "writes.db") }),
      JsonLinesAuditTrail.layer({ folder: data }),
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
    ])
  )
}).pipe(Effect.provide(NodeFileSystem.layer), Layer.unwrap)

/** Says in one sentence why it can't start. Logs are one JSON object a line, on stderr. */
const sentenceOf = (error: { readonly message: string }): string => {
  const variable = error instanceof Config.ConfigError ? /at \["(\w+)"\]/.exec(error.message)?.[1] : undefined
  return variable === undefined ? error.message : `Set ${variable} in its environment; README.md says to what.`
}

Layer.launch(Server).pipe(
  Scrubber.guarded,
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatJson)])),
  Effect.tapError((error) => Console.error(`The ledger's connector can't start. ${sentenceOf(error)}`)),
  runMain({ disableErrorReporting: true })
)
