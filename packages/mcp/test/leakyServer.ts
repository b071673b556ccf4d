/** The leaky connector over stdio: `node leakyServer.ts <upstream> scrubbed|unscrubbed`. */
import { Identity, Mcp } from "@ferrule/mcp"
import { Effect, Layer } from "effect"
import { ada, canaries, Leaky, services, unscrubbed, UpstreamAt } from "./fixtures/leaky.ts"

const [, , upstream = "", mode = ""] = process.argv

// By hand, past every logger, and cut in two.
const noise = Effect.sync(() => {
  for (const secret of canaries) {
    process.stderr.write(`by hand: ${secret.slice(0, 9)}`)
    process.stderr.write(`${secret.slice(9)}\n`)
    // oxlint-disable-next-line no-console -- what a dependency may do
    console.log("by hand", { secret: [Buffer.from(secret)] })
  }
})

const layer = Layer.mergeAll(
  services(() => undefined),
  Identity.layerDeclared(ada)
).pipe(
  Layer.provide(Layer.succeed(UpstreamAt, upstream)),
  Layer.provideMerge(mode === "unscrubbed" ? unscrubbed : Layer.empty)
)

Mcp.runStdio(Leaky).pipe(Effect.tap(noise), Effect.provide(layer), Mcp.runMain)
