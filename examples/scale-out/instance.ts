/**
 * One instance of the service desk, of any number behind a balancer: the tools and handlers of `examples/service-desk`, on
 * databases that all instances share. `node instance.ts` with the environment that README.md lists.
 */
import { Principal } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Config, Effect, Layer } from "effect"
import { ServiceDeskHandlers } from "../service-desk/handlers.ts"
import { run } from "../service-desk/run.ts"
import { ServiceDesk } from "../service-desk/tools.ts"
import { Backends } from "./backends.ts"
import { address, Health } from "./Health.ts"

const Tokens = Identity.layerTokens([
  {
    token: Config.Redacted("DESK_AGENT_TOKEN"),
    principal: Principal.make({ id: "ana", roles: ["agent"], claims: { queues: ["support"] } })
  }
])

const Server = Layer.unwrap(
  Effect.map(
    Config.all({ host: address, port: Config.Int("DESK_PORT"), names: Config.NonEmptyString("DESK_HOSTS") }),
    // What clients call the balancer by, which passes it on; not what the balancer calls this instance by.
    ({ host, port, names }) => Mcp.layerHttpServer(ServiceDesk, { host, port, allowedHosts: names.split(",") })
  )
)

// Four times the interval at which haproxy.cfg asks for the health.
Health.layerServing("1 second").pipe(
  Layer.provide(Server),
  Layer.provide([ServiceDeskHandlers, Tokens]),
  Layer.provide(Backends),
  Layer.provide(Health.layer),
  Layer.launch,
  run
)
