import { AuditTrail, Connector, DefinitionError, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { Identity, Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Schema, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const fields = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const Make = Tool.write("make", {
  title: "Make",
  description: "Stands for a write, in a test of instances.",
  input: fields,
  output: fields,
  allow: Policy.role("maker"),
  idempotency: { identity: ["name"], recovery: "repeatable" }
})
const Workshop = Connector.make("one-process-workshop", { version: "1.0.0", tools: [Make] })

/** Serves the connector in this process until the scope closes. */
const serve = (store: Layer.Layer<IdempotencyStore, unknown>) =>
  Effect.provide(Mcp.fetchHandler(Workshop), [
    Workshop.toLayer({ make: (input) => Effect.succeed(input) }),
    store,
    AuditTrail.layerNone,
    Logger.layer([]),
    Identity.layerDeclared(Principal.make({ id: "ada" }))
  ])

describe("a connector with the memory store", () => {
  it.live("is refused a second time, with what to do", () =>
    Effect.gen(function* () {
      yield* serve(IdempotencyStore.layerMemory)
      const error = yield* Effect.flip(serve(IdempotencyStore.layerMemory))
      assert.instanceOf(error, DefinitionError)
      assert.include(error.message, "A second instance of one-process-workshop cannot be built")
      assert.include(error.message, "give both a store that they share, such as SqliteIdempotencyStore")
    })
  )

  it.live("is served again once the first has ended", () =>
    Effect.gen(function* () {
      const first = yield* Scope.make()
      yield* Scope.provide(serve(IdempotencyStore.layerMemory), first)
      yield* Scope.close(first, Exit.void)
      yield* serve(IdempotencyStore.layerMemory)
    })
  )

  it.live("may be served twice when the store is shared", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
      )
      const store = SqliteIdempotencyStore.layer({ filename: join(folder, "writes.db") })
      yield* serve(store)
      yield* serve(store)
    })
  )
})
