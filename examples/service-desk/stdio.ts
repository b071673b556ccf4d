/**
 * Serves the desk to the process that starts it, as the one person whom `DESK_USER` and `DESK_ROLE` declare.
 */
import { Principal } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Config, Effect, Layer } from "effect"
import { Backends } from "./backends.ts"
import { ServiceDeskHandlers } from "./handlers.ts"
import { run } from "./run.ts"
import { ServiceDesk } from "./tools.ts"

const Person = Layer.unwrap(
  Config.all({
    id: Config.NonEmptyString("DESK_USER"),
    role: Config.Literals(["viewer", "agent", "admin"], "DESK_ROLE"),
    queues: Config.withDefault(Config.String("DESK_QUEUES"), "support,billing")
  }).pipe(
    Effect.map(({ id, role, queues }) =>
      Identity.layerDeclared(Principal.make({ id, roles: [role], claims: { queues: queues.split(",") } }))
    )
  )
)

Mcp.runStdio(ServiceDesk).pipe(
  Effect.provide(Layer.merge(ServiceDeskHandlers, Person).pipe(Layer.provideMerge(Backends))),
  run
)
