/** One of the connectors of the proof of access, on stdio, for one caller: `node accessServer.ts <connector> <caller>`. */
import { AuditTrail, Connector } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Effect, Layer } from "effect"
import { desk, gatehouse, type Subject } from "./fixtures/access.ts"

const [, , name, id] = process.argv

const serve = <C extends Connector.Any>({ callers, connector, services }: Subject<C>) => {
  const principal = callers.find((caller) => caller.id === id)
  if (principal === undefined) throw new Error(`There is no caller ${id}`)
  const given = Layer.mergeAll(
    services((tool) => void process.stderr.write(`ran ${tool}\n`)),
    Identity.layerDeclared(principal),
    AuditTrail.layerNone
  )
  Mcp.runMain(Effect.provide(Mcp.runStdio(connector), given))
}

if (name === desk.connector.name) serve(desk)
else serve(gatehouse)
