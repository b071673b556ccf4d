import { AuthorizationError, OutcomeUnknown, Principal, ValidationError } from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as TestDesk from "./testDesk.ts"
import { ServiceDesk } from "./tools.ts"

const { ada, ana, login, vera } = TestDesk

const pathsOf = (error: unknown) =>
  error instanceof ValidationError ? error.issues.map(({ path }) => path).sort() : String(error)

describe("reading", () => {
  it.live("a ticket is found by any part of its subject, body or requester, whatever the case", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      for (const text of ["SIGN IN", "password", "kim@acme"]) {
        const { result } = yield* desk.as(vera)("search_tickets", { text })
        assert.deepStrictEqual(result, {
          tickets: [
            {
              id: "T-1001",
              queue: "support",
              subject: "Can't sign in",
              status: "open",
              assignee: null,
              requester: "kim@acme.example",
              version: 1
            }
          ],
          total: 1
        })
      }
    })
  )

  it.live("a search takes % and _ as they are, and says how many it did not show", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      for (const subject of ["100% wrong", "100 percent right", "100% late"]) {
        yield* desk.as(ana)("create_ticket", { ...login, subject })
      }
      const { result } = yield* desk.as(vera)("search_tickets", { text: "100%", limit: 1 })
      assert.deepStrictEqual(
        result.tickets.map(({ subject }) => subject),
        ["100% late"]
      )
      assert.strictEqual(result.total, 2)
      const none = yield* desk.as(vera)("search_tickets", { text: "100%", queue: "billing" })
      assert.deepStrictEqual(none.result, { tickets: [], total: 0 })
    })
  )

  it.live("a ticket that is not there is a fault of the id", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      assert.deepStrictEqual(pathsOf(yield* Effect.flip(desk.as(vera)("read_ticket", { ticketId: "T-9999" }))), [
        "ticketId"
      ])
    })
  )
})

describe("roles", () => {
  const writes = [
    ["create_ticket", login],
    ["reply_to_ticket", { ticketId: "T-1001", body: "Hello" }],
    ["reassign_ticket", { ticketId: "T-1001", version: 1, queue: "support", assignee: "ben" }],
    ["page_on_call", { ticketId: "T-1001", summary: "Down" }],
    ["delete_ticket", { ticketId: "T-1001", reason: "Spam" }]
  ] as const

  it.live("a viewer has none of the tools that write", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      for (const [tool, args] of writes) {
        assert.instanceOf(yield* Effect.flip(desk.as(vera)(tool, args)), TestClient.NoSuchTool)
      }
      assert.deepStrictEqual(
        desk.records.map(({ decision, attempts }) => ({ decision, attempts })),
        writes.map(() => ({ decision: "hidden", attempts: 0 }))
      )
    })
  )

  it.live("an agent has every tool but the one that deletes", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      for (const [tool, args] of writes.slice(0, 4)) yield* desk.as(ana)(tool, args)
      assert.instanceOf(yield* Effect.flip(desk.as(ana)(...writes[4])), TestClient.NoSuchTool)
    })
  )

  it.live("an admin has every tool", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      for (const [tool, args] of writes) yield* desk.as(ada)(tool, args)
      assert.deepStrictEqual(
        desk.records.map(({ outcome }) => outcome),
        writes.map(() => "Completed")
      )
    })
  )

  it("no tool takes more than its own systems and says so", () => {
    assert.deepStrictEqual(
      ServiceDesk.tools.filter((tool) => tool.openWorld).map((tool) => tool.name),
      ["list_pages", "reply_to_ticket", "page_on_call"]
    )
  })
})

describe("creating", () => {
  it.live("every fault of a call is named, and the desk is not asked", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      const wrong = { queue: "refunds", subject: "", body: 42, priority: "high" }
      assert.deepStrictEqual(pathsOf(yield* Effect.flip(desk.as(ana)("create_ticket", wrong))), [
        "body",
        "priority",
        "queue",
        "requester",
        "subject"
      ])
      const { result } = yield* desk.as(ana)("search_tickets", { text: "a" })
      assert.strictEqual(result.total, 0)
    })
  )

  it.live("the same ticket is created once, and its body may not change", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      const first = yield* desk.as(ana)("create_ticket", login)
      const again = yield* desk.as(ana)("create_ticket", login)
      assert.strictEqual(first.replay, undefined)
      assert.isDefined(again.replay)
      assert.deepStrictEqual(again.result, first.result)
      const other = yield* Effect.flip(desk.as(ana)("create_ticket", { ...login, body: "Something else." }))
      assert.deepStrictEqual(pathsOf(other), ["body"])
      const { result } = yield* desk.as(vera)("search_tickets", { text: login.subject })
      assert.strictEqual(result.total, 1)
    })
  )

  it.live("two people who create the same ticket are two operations", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      const first = yield* desk.as(ana)("create_ticket", login)
      const second = yield* desk.as(ada)("create_ticket", login)
      assert.strictEqual(first.result.id, "T-1001")
      assert.strictEqual(second.result.id, "T-1002")
    })
  )
})

describe("replying", () => {
  it.live("a reply is mailed to the requester and kept on the ticket, once", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      const reply = { ticketId: "T-1001", body: "We have reset it." }
      const first = yield* desk.as(ana)("reply_to_ticket", reply)
      yield* desk.as(ana)("reply_to_ticket", reply)
      assert.deepStrictEqual(
        first.result.replies.map(({ author, body }) => ({ author, body })),
        [{ author: "ana", body: "We have reset it." }]
      )
      assert.deepStrictEqual(
        desk.messenger.state().mails.map(({ to, subject, body }) => ({ to, subject, body })),
        [{ to: "kim@acme.example", subject: "[T-1001] Can't sign in", body: "We have reset it." }]
      )
    })
  )
})

describe("reassigning", () => {
  const away = { ticketId: "T-1001", version: 1, queue: "billing", assignee: "ben" }

  it.live("an agent moves tickets within the agent's own queues", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      const { result } = yield* desk.as(ana)("reassign_ticket", { ...away, queue: "support" })
      assert.strictEqual(result.assignee, "ben")
      assert.strictEqual(result.version, 2)
    })
  )

  it.live("an agent may not move a ticket into another queue, and is told the rule", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      const error = yield* Effect.flip(desk.as(ana)("reassign_ticket", away))
      assert.instanceOf(error, AuthorizationError)
      assert.strictEqual(
        error.message,
        "reassign_ticket needs the role admin or (the role agent and that the queue is one of the caller's own)."
      )
      assert.strictEqual(desk.records[1].attempts, 0)
    })
  )

  it.live("nor out of another queue, which only the desk can tell", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", { ...login, queue: "billing" })
      const error = yield* Effect.flip(desk.as(ana)("reassign_ticket", { ...away, queue: "support" }))
      assert.instanceOf(error, AuthorizationError)
      const { result } = yield* desk.as(ana)("read_ticket", { ticketId: "T-1001" })
      assert.strictEqual(result.queue, "billing")
    })
  )

  it.live("giving a ticket away and back again is two changes, and an old version is refused", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ada)("create_ticket", login)
      yield* desk.as(ada)("reassign_ticket", away)
      const back = yield* desk.as(ada)("reassign_ticket", { ...away, version: 2, queue: "support", assignee: "ana" })
      const again = yield* desk.as(ada)("reassign_ticket", { ...away, version: 3 })
      assert.strictEqual(back.result.assignee, "ana")
      assert.strictEqual(again.result.assignee, "ben")
      assert.strictEqual(again.result.version, 4)
      const late = Principal.make({ id: "ole", roles: ["admin"] })
      assert.deepStrictEqual(
        pathsOf(yield* Effect.flip(desk.as(late)("reassign_ticket", { ...away, assignee: "kit" }))),
        ["version"]
      )
    })
  )
})

describe("deleting", () => {
  it.live("a deleted ticket is gone, and deleting it again with another reason says when that was", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      const first = yield* desk.as(ada)("delete_ticket", { ticketId: "T-1001", reason: "Spam" })
      const again = yield* desk.as(ada)("delete_ticket", { ticketId: "T-1001", reason: "It was spam" })
      assert.deepStrictEqual(again.result, first.result)
      assert.deepStrictEqual(pathsOf(yield* Effect.flip(desk.as(vera)("read_ticket", { ticketId: "T-1001" }))), [
        "ticketId"
      ])
      const { result } = yield* desk.as(vera)("search_tickets", { text: "kim" })
      assert.strictEqual(result.total, 0)
    })
  )
})

describe("an upstream that fails", () => {
  const reply = { ticketId: "T-1001", body: "We have reset it." }
  const page = { ticketId: "T-1001", summary: "Nobody can sign in" }

  it.live("429 is waited out as long as it asks, 503 is tried again, and one mail goes out", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "refuse", status: 429, retryAfter: 1 }, { kind: "refuse", status: 503 })
      yield* desk.as(ana)("reply_to_ticket", reply)
      assert.deepStrictEqual(desk.messenger.state().answers, [429, 503, 200])
      assert.strictEqual(desk.messenger.state().mails.length, 1)
      assert.strictEqual(desk.records[1].attempts, 3)
      assert.isAtLeast(desk.records[1].duration, 1000)
    })
  )

  it.live("a longer Retry-After is passed on at once instead of waited for", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "refuse", status: 429, retryAfter: 60 })
      const error = yield* Effect.flip(desk.as(ana)("reply_to_ticket", reply))
      assert.strictEqual(error._tag, "TransientError")
      assert.strictEqual(error.message, "The messenger limits how often it is called and has refused this call")
      assert.deepStrictEqual(desk.messenger.state().answers, [429])
      yield* desk.as(ana)("reply_to_ticket", reply)
      assert.strictEqual(desk.messenger.state().mails.length, 1)
    })
  )

  it.live("a credential that the messenger refuses is the operators' to renew, and nothing is retried", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "refuse", status: 401 })
      const error = yield* Effect.flip(desk.as(ana)("reply_to_ticket", reply))
      assert.instanceOf(error, AuthorizationError)
      assert.strictEqual(
        error.message,
        "The messenger refused the connector's own credential; its operators have to renew it"
      )
      assert.deepStrictEqual(desk.messenger.state().answers, [401])
    })
  )

  it.live("a connection dropped after the mail went out does not send it twice", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "drop" })
      const { result } = yield* desk.as(ana)("reply_to_ticket", reply)
      assert.strictEqual(result.replies.length, 1)
      assert.deepStrictEqual(desk.messenger.state().answers, [0, 200])
      assert.strictEqual(desk.messenger.state().mails.length, 1)
    })
  )

  it.live("neither does an answer that comes too late", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "slow", millis: 2500 })
      yield* desk.as(ana)("reply_to_ticket", reply)
      assert.strictEqual(desk.records[1].attempts, 2)
      assert.strictEqual(desk.messenger.state().mails.length, 1)
    })
  )

  it.live("a page that was refused is tried again", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "refuse", status: 503 })
      const { result } = yield* desk.as(ana)("page_on_call", page)
      assert.deepStrictEqual(result, { page: "P-1" })
      assert.deepStrictEqual(desk.messenger.state().answers, [503, 200])
    })
  )

  it.live("a page whose answer was lost is not sent again, and list_pages shows it", () =>
    Effect.gen(function* () {
      const desk = yield* TestDesk.make
      yield* desk.as(ana)("create_ticket", login)
      desk.messenger.script({ kind: "drop" })
      for (const summary of ["Nobody can sign in", "The login is down"]) {
        const error = yield* Effect.flip(desk.as(ana)("page_on_call", { ...page, summary }))
        assert.instanceOf(error, OutcomeUnknown)
        assert.strictEqual(error.checkWith, "list_pages")
      }
      const { result } = yield* desk.as(vera)("list_pages", { ticketId: "T-1001" })
      assert.deepStrictEqual(result, { pages: [{ id: "P-1", summary: "Nobody can sign in" }] })
      assert.deepStrictEqual(desk.messenger.state().answers, [0, 200])
    })
  )
})
