// @effect-diagnostics missingLayerContext:off
/**
 * What must not compile: a connector served without what it needs. When the types stop refusing a line below an expected
 * error, the type check fails here.
 */
import { Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Context, Effect, Layer, Schema } from "effect"

const input = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const common = {
  title: "Title",
  description: "Does a thing for the types.",
  input,
  output: input,
  allow: Policy.role("a")
}
const Look = Tool.read("look", common)
const Make = Tool.write("make", { ...common, idempotency: { identity: ["name"], recovery: "repeatable" } })
const Desk = Connector.make("desk", { version: "1", tools: [Look, Make] })
const Window = Connector.make("window", { version: "1", tools: [Look] })

const echo = Effect.succeed<typeof input.Type>
const desk = Desk.toLayer({ look: echo, make: echo })
const window = Window.toLayer({ look: echo })
const identity = Identity.layerDeclared(Principal.make({ id: "me" }))
declare const launch: (layer: Layer.Layer<never, unknown>) => string
const serve = Mcp.layerStdio(Desk)

export const complete = launch(serve.pipe(Layer.provide([desk, identity, IdempotencyStore.layerMemory])))

// A connector that only reads needs no store.
export const reading = launch(Mcp.layerStdio(Window).pipe(Layer.provide([window, identity])))

// A server of its own needs the same as a route on another's.
const server = Mcp.layerHttpServer(Desk, { port: 0 })
export const ownServer = launch(server.pipe(Layer.provide([desk, identity, IdempotencyStore.layerMemory])))

// @ts-expect-error
launch(server.pipe(Layer.provide([desk, IdempotencyStore.layerMemory])))

// A server of its own has no port until it is told.
// @ts-expect-error
Mcp.layerHttpServer(Desk, {})

// Without its handlers.
// @ts-expect-error
launch(serve.pipe(Layer.provide([identity, IdempotencyStore.layerMemory])))

// With another connector's handlers.
// @ts-expect-error
launch(serve.pipe(Layer.provide([window, identity, IdempotencyStore.layerMemory])))

// Without an identity.
// @ts-expect-error
launch(serve.pipe(Layer.provide([desk, IdempotencyStore.layerMemory])))

// With a write and without a store.
// @ts-expect-error
launch(serve.pipe(Layer.provide([desk, identity])))

// A policy that asks a service, without that service.
class Directory extends Context.Service<Directory, { readonly knows: (id: string) => boolean }>()("test/Directory") {}
const Asking = Connector.make("asking", {
  version: "1",
  tools: [
    Tool.read("look", {
      ...common,
      allow: Policy.predicate("the directory knows the caller", ({ id }) =>
        Effect.map(Directory, ({ knows }) => knows(id))
      )
    })
  ]
})
const asking = Mcp.layerStdio(Asking).pipe(Layer.provide([Asking.toLayer({ look: echo }), identity]))
export const answered = launch(Layer.provide(asking, Layer.succeed(Directory, { knows: () => true })))
// @ts-expect-error
launch(asking)
