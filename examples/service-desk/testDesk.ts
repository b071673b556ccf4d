/**
 * A service desk for tests: the real handlers over a desk in memory, a record of writes in memory, and a messenger of its
 * own that fails on demand.
 */
import { AuditTrail, IdempotencyStore, Principal } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { ConfigProvider, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { Desk } from "./Desk.ts"
import * as FlakyUpstream from "./FlakyUpstream.ts"
import { ServiceDeskHandlers } from "./handlers.ts"
import { Messenger } from "./Messenger.ts"
import { ServiceDesk } from "./tools.ts"

export const vera = Principal.make({ id: "vera", roles: ["viewer"] })
export const ana = Principal.make({ id: "ana", roles: ["agent"], claims: { queues: ["support"] } })
export const ada = Principal.make({ id: "ada", roles: ["admin"] })

export const login = {
  queue: "support",
  subject: "Can't sign in",
  body: "My password is refused.",
  requester: "kim@acme.example"
}

const token = "messenger-token-of-the-tests"

export const make = Effect.gen(function* () {
  const messenger = yield* FlakyUpstream.start({ token, port: 0 })
  const records: Array<AuditTrail.AuditRecord> = []
  const environment = ConfigProvider.layer(
    ConfigProvider.fromUnknown({ MESSENGER_URL: messenger.url, MESSENGER_TOKEN: token })
  )
  const context = yield* Layer.build(
    Layer.mergeAll(
      ServiceDeskHandlers,
      IdempotencyStore.layerMemory,
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)),
      AuditTrail.layer((record) => Effect.sync(() => void records.push(record)))
    ).pipe(
      Layer.provideMerge(Layer.merge(Desk.layer({ filename: ":memory:" }), Messenger.layer)),
      Layer.provide(environment)
    )
  )
  const client = yield* Effect.provideContext(TestClient.make(ServiceDesk), context)
  return {
    messenger,
    records,
    /** Calls as this principal and returns the result, or fails with what the call was refused with. */
    as: (principal: typeof vera) => {
      const caller = client.as(principal)
      const call: typeof caller.call = (...args) => Effect.provideContext(caller.call(...args), context)
      return call
    }
  }
})
