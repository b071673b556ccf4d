/**
 * How the desk is audited: `ferrule audit connector.ts --probe` in this folder.
 *
 * The handlers and the desk are those that are served. The desk is in memory, with two tickets, and the messenger is one of
 * its own in this process.
 */
import { Audit } from "@ferrule/cli"
import { IdempotencyStore, Principal } from "@ferrule/core"
import { ConfigProvider, Context, Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { Desk } from "./Desk.ts"
import * as FlakyUpstream from "./FlakyUpstream.ts"
import { ServiceDeskHandlers } from "./handlers.ts"
import { Messenger } from "./Messenger.ts"
import { ServiceDesk } from "./tools.ts"

const tickets = [
  { queue: "support", subject: "Can't sign in", body: "My password is refused.", requester: "kim@acme.example" },
  { queue: "billing", subject: "Cheap watches", body: "Buy now.", requester: "spam@acme.example" }
] as const

/** T-1001 and T-1002 are there from the start. */
const TestDesk = Desk.layer({ filename: ":memory:" }).pipe(
  Layer.tap((context) =>
    Effect.forEach(tickets, (ticket, index) =>
      Context.get(context, Desk).open({ ...ticket, operation: `before-${index}` })
    )
  )
)

const token = "messenger-token-of-the-audit"

const TestMessenger = Layer.unwrap(
  Effect.map(FlakyUpstream.start({ token, port: 0 }), ({ url }) =>
    Layer.provide(
      Messenger.layer,
      ConfigProvider.layer(ConfigProvider.fromUnknown({ MESSENGER_URL: url, MESSENGER_TOKEN: token }))
    )
  )
)

export default Audit.make(ServiceDesk, {
  layers: Layer.mergeAll(
    ServiceDeskHandlers.pipe(Layer.provide([TestDesk, TestMessenger])),
    IdempotencyStore.layerMemory,
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
  ),
  callers: [
    Principal.make({ id: "vera", roles: ["viewer"] }),
    Principal.make({ id: "ana", roles: ["agent"], claims: { queues: ["support"] } }),
    Principal.make({ id: "ada", roles: ["admin"] })
  ],
  arguments: {
    search_tickets: { text: "sign in" },
    read_ticket: { ticketId: "T-1001" },
    list_pages: { ticketId: "T-1001" },
    create_ticket: {
      queue: "support",
      subject: "The printer is on fire",
      body: "It began this morning.",
      requester: "kim@acme.example"
    },
    reply_to_ticket: { ticketId: "T-1001", body: "We have reset your password." },
    reassign_ticket: { ticketId: "T-1001", version: 1, queue: "support", assignee: "ben" },
    page_on_call: { ticketId: "T-1001", summary: "Nobody can sign in" },
    delete_ticket: { ticketId: "T-1002", reason: "Spam" }
  }
})
