/**
 * What must not compile. Each line below an expected error is one that the types refuse; when they stop refusing it, the
 * type check fails here.
 */
import { Audit } from "@ferrule/cli"
import { Connector, IdempotencyStore, Policy, Tool } from "@ferrule/core"
import { Mcp } from "@ferrule/mcp"
import { Effect, Layer, Schema } from "effect"

const Topic = Schema.String.check(Schema.isMaxLength(50)).annotate({ description: "What it is about." })
const common = {
  title: "Title",
  description: "Does a thing to be described at length.",
  output: Schema.Struct({ topic: Topic }),
  allow: Policy.role("writer")
} as const
const Notes = Connector.make("notes", {
  version: "1.0.0",
  tools: [
    Tool.read("read", { ...common, input: Schema.Struct({ topic: Topic, limit: Schema.optionalKey(Topic) }) }),
    Tool.write("add", {
      ...common,
      input: Schema.Struct({ topic: Topic }),
      idempotency: { identity: ["topic"], recovery: "repeatable" }
    })
  ]
})
const Handlers = Notes.toLayer({ read: (input) => Effect.succeed(input), add: (input) => Effect.succeed(input) })
const layers = Layer.merge(Handlers, IdempotencyStore.layerMemory)

export const audit = Audit.make(Notes, {
  layers,
  arguments: { read: { topic: "deploys" }, add: { topic: "deploys" } }
})

// Arguments may be left out, of one tool or of all.
Audit.make(Notes, { layers })
Audit.make(Notes, { layers, arguments: { add: { topic: "deploys" } } })

// Arguments that the tool does not take.
// @ts-expect-error
Audit.make(Notes, { layers, arguments: { add: { topic: 1 } } })

// Arguments that lack one.
// @ts-expect-error
Audit.make(Notes, { layers, arguments: { add: {} } })

// Arguments with one more.
// @ts-expect-error
Audit.make(Notes, { layers, arguments: { add: { topic: "deploys", text: "More" } } })

// Arguments of a tool that there is not.
// @ts-expect-error
Audit.make(Notes, { layers, arguments: { remove: { topic: "deploys" } } })

// Layers without the handlers.
// @ts-expect-error
Audit.make(Notes, { layers: IdempotencyStore.layerMemory })

// Layers without the store that the write needs.
// @ts-expect-error
Audit.make(Notes, { layers: Handlers })

// A server of the module's own, over what the layers and the identity give.
Audit.make(Notes, { layers, server: (connector, address) => Mcp.layerHttpServer(connector, address) })
