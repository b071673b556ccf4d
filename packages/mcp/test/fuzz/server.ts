/**
 * The process under test: `node --expose-gc server.ts http|stdio [broken]`. It serves the desk as any program would, and
 * tells the process that forked it where, and how it is whenever that asks.
 */
import { Mcp } from "@ferrule/mcp"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Effect, Layer, References } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import * as Desk from "./desk.ts"
import { breakOutput, type Broken, breakServer } from "./faults.ts"

/** What the process tells of itself. */
export interface Condition extends Desk.Seen {
  /** Bytes, right after a collection of garbage. */
  readonly heap: number
  /** How many of each kind of thing keep the event loop busy. */
  readonly resources: Readonly<Record<string, number>>
}

export type Told = { readonly port: number } | { readonly condition: Condition }

const tell = (told: Told): void => void process.send?.(told)

const [, , way, given] = process.argv
const broken = given as Broken | undefined
const desk = Desk.make()

const collectGarbage = (globalThis as { readonly gc?: () => void }).gc ?? (() => undefined)

const condition = (): Condition => {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  const resources: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1
  return { ...desk.collect(), heap: heapUsed + external, resources }
}

process.on("message", () => tell({ condition: condition() }))

type Needs = Layer.Success<typeof desk.services> | Layer.Success<typeof Desk.identityOverHttp>

const served = HttpServer.HttpServer.pipe(
  Effect.map(({ address }) => tell({ port: address._tag === "UnixPathAddress" ? 0 : address.port })),
  Layer.effectDiscard
)

const overHttp: Layer.Layer<HttpServer.HttpServer, unknown, Needs> =
  broken === undefined
    ? Mcp.layerHttpServer(desk.connector, { port: 0 })
    : HttpRouter.serve(Mcp.layerHttp(desk.connector, { path: "/mcp" }), { disableListenLog: true }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(() => breakServer(createServer(), broken), { port: 0, host: "127.0.0.1" })
        )
      )

const quiet = Layer.succeed(References.MinimumLogLevel, "Error")

if (way === "http") {
  served.pipe(
    Layer.provide(overHttp),
    Layer.provide([desk.services, Desk.identityOverHttp]),
    Layer.provide(quiet),
    Layer.launch,
    Mcp.runMain
  )
} else {
  // The channel to the process that forked this one is no reason to stay.
  process.channel?.unref()
  const stdout = broken === undefined ? undefined : breakOutput(process.stdout, broken)
  Mcp.runStdio(desk.connector, { stdout }).pipe(
    Effect.provide(Layer.mergeAll(desk.services, Desk.identityOnStdio).pipe(Layer.provideMerge(quiet))),
    Mcp.runMain
  )
}
