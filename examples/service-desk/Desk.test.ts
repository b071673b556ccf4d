import { TransientError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Desk } from "./Desk.ts"

const ticket = {
  operation: "operation-1",
  queue: "support",
  subject: "Can't sign in",
  body: "My password is refused.",
  requester: "kim@acme.example"
} as const

const inMemory = Desk.layer({ filename: ":memory:" })

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "desk-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

describe("what a retry may repeat", () => {
  it.layer(inMemory)((it) => {
    it.effect("the ticket of an operation is found by the operation, and by no other", () =>
      Effect.gen(function* () {
        const desk = yield* Desk
        const opened = yield* desk.open(ticket)
        const found = yield* desk.openedBy("operation-1")
        assert.deepStrictEqual(found, Option.some(opened))
        assert.deepStrictEqual(yield* desk.openedBy("operation-2"), Option.none())
      })
    )
  })

  it.layer(inMemory)((it) => {
    it.effect("a reply is kept once for each mail", () =>
      Effect.gen(function* () {
        const desk = yield* Desk
        const { id } = yield* desk.open(ticket)
        const reply = { ticketId: id, mail: "M-1", author: "ana", body: "Hello" }
        yield* desk.keepReply(reply)
        const { replies } = yield* desk.keepReply(reply)
        assert.strictEqual(replies.length, 1)
      })
    )
  })

  it.layer(inMemory)((it) => {
    it.effect("a reassignment done twice is done once", () =>
      Effect.gen(function* () {
        const desk = yield* Desk
        const { id } = yield* desk.open(ticket)
        const change = { ticketId: id, version: 1, queue: "billing", assignee: "ben" } as const
        yield* desk.reassign(change)
        const { version, queue } = yield* desk.reassign(change)
        assert.deepStrictEqual({ version, queue }, { version: 2, queue: "billing" })
      })
    )
  })

  it.layer(inMemory)((it) => {
    it.effect("a ticket removed twice is gone since the first time", () =>
      Effect.gen(function* () {
        const desk = yield* Desk
        const { id } = yield* desk.open(ticket)
        const first = yield* desk.remove({ ticketId: id, by: "ada", reason: "Spam" })
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* desk.remove({ ticketId: id, by: "ada", reason: "Spam" }), first)
      })
    )
  })
})

describe("the desk's file", () => {
  it.effect("a change that another process's lock keeps out is transient, and has not happened", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "desk.db")
      const context = yield* Layer.build(Desk.layer({ filename }))
      const desk = Context.get(context, Desk)
      const other = new DatabaseSync(filename)
      other.exec("BEGIN IMMEDIATE")
      const error = yield* Effect.flip(desk.open(ticket))
      other.close()
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.applied, "no")
      assert.deepStrictEqual(yield* desk.openedBy("operation-1"), Option.none())
    })
  )

  it.effect("a file that can't be opened is named at start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(Desk.layer({ filename: "/no/such/folder/desk.db" })))
      assert.strictEqual(
        error.message,
        "The desk's file /no/such/folder/desk.db can't be opened. Check that its folder exists and may be written to."
      )
    })
  )
})
