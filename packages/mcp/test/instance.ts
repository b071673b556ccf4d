/**
 * One instance of a connector on the memory store, as a process of its own: `node instance.ts <connector> <way>`. It tells
 * the process that forked it whether it serves, or what keeps it from that.
 */
import { AuditTrail, Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, Logger, Schema, Scope } from "effect"
import { HttpRouter } from "effect/http"
import cluster from "node:cluster"
import { createServer } from "node:http"

const [, , name = "", way = ""] = process.argv
const fields = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const Make = Tool.write("make", {
  title: "Make",
  description: "Stands for a write, in a test of instances.",
  input: fields,
  output: fields,
  allow: Policy.role("maker"),
  idempotency: { identity: ["name"], recovery: "repeatable" }
})
const Workshop = Connector.make(name, { version: "1.0.0", tools: [Make] })

const services = Layer.mergeAll(
  Workshop.toLayer({ make: (input) => Effect.succeed(input) }),
  IdempotencyStore.layerMemory,
  AuditTrail.layerNone,
  Logger.layer([]),
  Identity.layerDeclared(Principal.make({ id: "ada" }))
)

const ways = {
  layerHttp: Layer.build(
    HttpRouter.serve(Mcp.layerHttp(Workshop, { path: "/mcp" })).pipe(
      Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))
    )
  ),
  layerHttpServer: Layer.build(Mcp.layerHttpServer(Workshop, { port: 0 })),
  "layerHttpServer, singleInstance": Layer.build(Mcp.layerHttpServer(Workshop, { port: 0, singleInstance: true })),
  fetchHandler: Mcp.fetchHandler(Workshop),
  layerStdio: Layer.build(Mcp.layerStdio(Workshop))
}

const tell = (message: string): void => void process.send?.(message)

const run = (serve: Effect.Effect<unknown, unknown, Layer.Success<typeof services> | Scope.Scope>) =>
  serve.pipe(
    Effect.provide(services),
    Effect.matchEffect({
      onFailure: (error) => Effect.sync(() => tell(String(error))),
      onSuccess: () => Effect.sync(() => tell("serves"))
    })
  )

if (way === "cluster" && cluster.isPrimary) {
  // What two workers of one cluster say, as one line.
  const said: Array<string> = []
  for (const worker of [cluster.fork(), cluster.fork()]) {
    worker.on("message", (message) => {
      if (said.push(String(message)) === 2) tell(said.sort().join("\n"))
    })
  }
} else if (way === "idle") {
  // Nothing but the connector's own hold on its name could keep this process alive.
  void Effect.runPromise(Scope.provide(run(ways["fetchHandler"]), Scope.makeUnsafe()))
} else {
  const serve = ways[(way === "cluster" ? "fetchHandler" : way) as keyof typeof ways]
  // Some of these ways leave nothing that would keep the process alive.
  process.stdin.resume()
  void Effect.runPromise(Effect.scoped(Effect.andThen(run(serve), Effect.never)))
}
