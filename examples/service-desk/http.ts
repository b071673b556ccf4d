/**
 * Serves the desk over HTTP, for three people who each have a bearer token. `node http.ts` with the environment that
 * README.md lists.
 */
import { Principal } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Config, Effect, Layer } from "effect"
import { Backends } from "./backends.ts"
import { ServiceDeskHandlers } from "./handlers.ts"
import { run } from "./run.ts"
import { ServiceDesk } from "./tools.ts"

const Tokens = Identity.layerTokens([
  {
    token: Config.Redacted("DESK_VIEWER_TOKEN"),
    principal: Principal.make({ id: "vera", roles: ["viewer"] })
  },
  {
    token: Config.Redacted("DESK_AGENT_TOKEN"),
    principal: Principal.make({ id: "ana", roles: ["agent"], claims: { queues: ["support"] } })
  },
  {
    token: Config.Redacted("DESK_ADMIN_TOKEN"),
    principal: Principal.make({ id: "ada", roles: ["admin"] })
  }
])

const Server = Layer.unwrap(
  Effect.map(Config.withDefault(Config.Int("DESK_PORT"), 3000), (port) => Mcp.layerHttpServer(ServiceDesk, { port }))
)

Server.pipe(Layer.provide([ServiceDeskHandlers, Tokens]), Layer.provide(Backends), Layer.launch, run)
