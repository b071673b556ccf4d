/** The test host over stdio, with a tool that writes to standard output by every way there is. */
import { Identity } from "@ferrule/mcp/Identity"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import * as Serve from "../src/internal/serve.ts"
import { ada, makeHost } from "./testHost.ts"

const noisyHost = Effect.map(makeHost, ({ host }) => ({
  ...host,
  call: (request: Parameters<typeof host.call>[0]) => {
    if (request.name === "later") {
      return Effect.as(Effect.sleep("50 millis"), { content: [{ type: "text" as const, text: "later" }] })
    }
    // A report that shares a chunk with the result is lost on the client.
    if (request.name === "steps") return Effect.tap(host.call(request), Effect.sleep("50 millis"))
    if (request.name !== "noisy") return host.call(request)
    return Effect.gen(function* () {
      yield* Effect.log("noise from a log")
      // oxlint-disable-next-line no-console -- this is the noise
      console.log("noise from the console")
      process.stdout.write("noise from the stream\n")
      return { content: [{ type: "text" as const, text: "quiet" }] }
    })
  }
}))

const identity = Identity.layerDeclared(ada)

if (process.argv[2] === "layer") {
  Serve.layerStdio(noisyHost).pipe(Layer.provide(identity), Layer.launch, NodeRuntime.runMain)
} else {
  Serve.runStdio(noisyHost).pipe(Effect.provide(identity), NodeRuntime.runMain)
}
