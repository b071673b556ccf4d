/**
 * What each tool does. A handler gets decoded arguments from an authorized caller, and runs once for each operation.
 */
import { AuthorizationError, Operation, Principal, TransientError } from "@ferrule/core"
import { Effect } from "effect"
import { Desk } from "./Desk.ts"
import { Messenger } from "./Messenger.ts"
import { isOwnQueue, ServiceDesk } from "./tools.ts"

export const ServiceDeskHandlers = ServiceDesk.toLayer({
  search_tickets: Effect.fn("search_tickets")(function* ({ text, queue, limit = 10 }) {
    const desk = yield* Desk
    return yield* desk.search({ text, limit, ...(queue !== undefined && { queue }) })
  }),

  read_ticket: Effect.fn("read_ticket")(function* ({ ticketId }) {
    const desk = yield* Desk
    return yield* desk.read(ticketId)
  }),

  list_pages: Effect.fn("list_pages")(function* ({ ticketId }) {
    const messenger = yield* Messenger
    const pages = yield* messenger.pages(ticketId)
    return { pages: pages.slice(0, 20) }
  }),

  create_ticket: {
    // The desk remembers which operation opened a ticket, so that it is found by that and not by its looks.
    find: Effect.fn("create_ticket.find")(function* () {
      const desk = yield* Desk
      return yield* desk.openedBy(yield* operationKey("desk"))
    }),
    execute: Effect.fn("create_ticket")(function* (ticket) {
      const desk = yield* Desk
      return yield* desk.open({ ...ticket, operation: yield* operationKey("desk") })
    })
  },

  reply_to_ticket: Effect.fn("reply_to_ticket")(function* ({ ticketId, body }) {
    const desk = yield* Desk
    const messenger = yield* Messenger
    const { id: author } = yield* Principal
    const { requester, subject } = yield* desk.read(ticketId)
    const key = yield* operationKey("mail")
    const mail = yield* messenger.mail({ to: requester, subject: `[${ticketId}] ${subject}`, body }, key)
    // The mail is out by now, so no failure of the desk may say that nothing was done.
    return yield* Effect.mapError(
      desk.keepReply({ ticketId, mail, author, body }),
      () => new TransientError({ message: "The mail is sent, and the desk could not note it", applied: "unknown" })
    )
  }),

  reassign_ticket: Effect.fn("reassign_ticket")(function* (change) {
    const desk = yield* Desk
    const principal = yield* Principal
    const { queue } = yield* desk.read(change.ticketId)
    // The policy has seen where the ticket goes. Where it comes from only the desk knows.
    if (!principal.roles.includes("admin") && !isOwnQueue(principal, queue)) {
      return yield* new AuthorizationError({
        message: `${change.ticketId} is in a queue that is not one of the caller's own`
      })
    }
    return yield* desk.reassign(change)
  }),

  page_on_call: Effect.fn("page_on_call")(function* ({ ticketId, summary }) {
    const desk = yield* Desk
    const messenger = yield* Messenger
    const { queue } = yield* desk.read(ticketId)
    return { page: yield* messenger.page({ ticketId, queue, summary }) }
  }),

  delete_ticket: Effect.fn("delete_ticket")(function* ({ ticketId, reason }) {
    const desk = yield* Desk
    const { id: by } = yield* Principal
    return yield* desk.remove({ ticketId, by, reason })
  })
})

const operationKey = (provider: string) => Effect.flatMap(Operation, (operation) => operation.idempotencyKey(provider))
