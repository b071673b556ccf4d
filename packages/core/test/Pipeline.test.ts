import {
  AuditTrail,
  AuthorizationError,
  IdempotencyStore,
  Principal,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Books, clerk, Ledger, viewer } from "./fixtures/ledger.ts"

const booking = { account: "rent", amount: 100 }

const connect = Effect.fnUntraced(function* (books: Books) {
  const records: Array<AuditTrail.AuditRecord> = []
  const client = yield* TestClient.make(Ledger).pipe(
    Effect.provide(Layer.merge(books.layer, IdempotencyStore.layerMemory))
  )
  const trail = AuditTrail.layer((record) => Effect.sync(() => void records.push(record)))
  return {
    records,
    as: (principal: typeof clerk) => ({
      call: (...args: Parameters<ReturnType<typeof client.as>["call"]>) =>
        Effect.provide(client.as(principal).call(...args), trail)
    })
  }
})

describe("the five steps", () => {
  it.effect("a malformed call reaches neither policy, store nor ledger, and consumes no key", () =>
    Effect.gen(function* () {
      const books = new Books()
      const client = yield* connect(books)
      const error = yield* Effect.flip(client.as(clerk).call("book", { account: "", amount: 1001, colour: "red" }))
      assert.instanceOf(error, ValidationError)
      assert.deepStrictEqual(error.issues.map((issue) => issue.path).sort(), ["account", "amount", "colour"])
      assert.strictEqual(books.entries.length, 0)
      assert.strictEqual(client.records[0].decision, "invalid")
      assert.strictEqual(client.records[0].reference, undefined)
      const fixed = yield* client.as(clerk).call("book", booking)
      assert.strictEqual(fixed.replay, undefined)
    })
  )

  it.effect("a caller who may not is refused before a key is claimed or anything has run", () =>
    Effect.gen(function* () {
      const books = new Books()
      const client = yield* connect(books)
      const someone = Principal.make({ id: "someone", scopes: ["ledger:write"] })
      const error = yield* Effect.flip(client.as(someone).call("book_own", booking))
      assert.instanceOf(error, AuthorizationError)
      assert.strictEqual(error.message, "book_own needs the scope ledger:write and that the account is the caller's.")
      assert.strictEqual(books.entries.length, 0)
      assert.strictEqual(client.records[0].decision, "denied")
      assert.strictEqual(client.records[0].reference, undefined)
    })
  )

  it.effect("a missing scope is named, a tool of another role does not exist", () =>
    Effect.gen(function* () {
      const books = new Books()
      const client = yield* connect(books)
      const rent = Principal.make({ id: "rent" })
      const scope = yield* Effect.flip(client.as(rent).call("book_own", booking))
      assert.instanceOf(scope, AuthorizationError)
      assert.deepStrictEqual(scope.scopes, ["ledger:write"])
      const hidden = yield* Effect.flip(client.as(viewer).call("book", booking))
      assert.strictEqual(hidden._tag, "NoSuchTool")
      assert.strictEqual(client.records[1].decision, "hidden")
      assert.strictEqual(books.entries.length, 0)
    })
  )

  it.effect("an invalid call by a caller who may not is answered by validation, which comes first", () =>
    Effect.gen(function* () {
      const client = yield* connect(new Books())
      const error = yield* Effect.flip(client.as(Principal.make({ id: "x" })).call("book_own", {}))
      assert.instanceOf(error, ValidationError)
    })
  )

  it.effect("authorization comes before a replay: a role that was taken away gets nothing", () =>
    Effect.gen(function* () {
      const client = yield* connect(new Books())
      yield* client.as(clerk).call("book", booking)
      const fired = Principal.make({ id: "clerk-1", tenant: "acme", roles: [] })
      const error = yield* Effect.flip(client.as(fired).call("book", booking))
      assert.strictEqual(error._tag, "NoSuchTool")
    })
  )

  it.effect("a defect reaches the log and not the caller", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = Effect.die(new Error("dsn=postgres://admin:hunter2@db"))
      const client = yield* connect(books)
      const logged: Array<unknown> = []
      const logger = Logger.make((options) => void logged.push(options.message, Cause.pretty(options.cause)))
      const error = yield* Effect.flip(client.as(clerk).call("balance", { account: "rent" })).pipe(
        Effect.provide(Logger.layer([logger]))
      )
      assert.strictEqual(error._tag, "Internal")
      assert.notInclude(JSON.stringify(error) + error.message, "hunter2")
      assert.include(JSON.stringify(logged), "hunter2")
      assert.strictEqual(client.records[0].outcome, "Internal")
    })
  )

  it.effect("each call leaves one record, without arguments", () =>
    Effect.gen(function* () {
      const client = yield* connect(new Books())
      yield* client.as(clerk).call("book", { ...booking, memo: "for the landlord" })
      yield* client.as(clerk).call("book", booking)
      yield* Effect.flip(client.as(clerk).call("drop_tables" as "book", {}))
      assert.deepStrictEqual(
        client.records.map(({ decision, outcome, replayed, attempts, tool }) => [
          tool,
          decision,
          outcome,
          replayed,
          attempts
        ]),
        [
          ["book", "allowed", "Completed", false, 1],
          ["book", "allowed", "Completed", true, 0],
          [undefined, "unknown-tool", "NoSuchTool", false, 0]
        ]
      )
      assert.notInclude(JSON.stringify(client.records), "landlord")
      assert.notInclude(JSON.stringify(client.records), "drop_tables")
    })
  )
})

describe("retries", () => {
  const flaky = (...failures: ReadonlyArray<TransientError>) => {
    let attempt = 0
    return Effect.suspend(() => {
      const failure = failures[attempt++]
      return failure === undefined ? Effect.void : Effect.fail(failure)
    })
  }
  const refused = new TransientError({ message: "The ledger is busy", applied: "no" })
  const lost = new TransientError({ message: "The ledger did not answer", applied: "unknown" })

  const run = Effect.fnUntraced(function* (
    books: Books,
    tool: "balance" | "book" | "book_once" | "book_keyed" | "book_found",
    args: unknown
  ) {
    const client = yield* connect(books)
    const fiber = yield* Effect.forkChild(Effect.exit(client.as(clerk).call(tool, args)))
    yield* TestClock.adjust(Duration.seconds(20))
    return { exit: yield* Fiber.join(fiber), client }
  })

  it.effect("a read is tried again after any transient failure", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = flaky(lost, refused)
      const { exit, client } = yield* run(books, "balance", { account: "rent" })
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(client.records[0].attempts, 3)
    })
  )

  it.effect("a write that can't tell is not tried again after its answer was lost, and says what to check with", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = flaky(lost)
      const { exit, client } = yield* run(books, "book_once", booking)
      assert.strictEqual(exit._tag, "Failure")
      assert.strictEqual(books.entries.length, 1)
      assert.strictEqual(client.records[0].outcome, "OutcomeUnknown")
      const again = yield* Effect.flip(client.as(clerk).call("book_once", booking))
      assert.strictEqual(again._tag, "OutcomeUnknown")
      assert.strictEqual(again._tag === "OutcomeUnknown" && again.checkWith, "balance")
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect("a write is tried again when nothing was applied, whatever its recovery", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.before = flaky(refused, refused)
      const { exit } = yield* run(books, "book_once", booking)
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect("every attempt at a write hands the upstream the same key", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = flaky(lost)
      const { exit } = yield* run(books, "book_keyed", booking)
      assert.strictEqual(exit._tag, "Success")
      assert.strictEqual(books.entries.length, 2)
      assert.strictEqual(books.entries[0].key, books.entries[1].key)
      assert.match(books.entries[0].key, /^[A-Za-z0-9_-]{43}$/)
    })
  )

  it.effect("a write that reconciles looks before it writes again", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = flaky(lost)
      const { exit, client } = yield* run(books, "book_found", booking)
      assert.strictEqual(exit._tag, "Failure")
      // Until the lease has ended, the upstream may still be at it.
      const early = yield* Effect.forkChild(Effect.flip(client.as(clerk).call("book_found", booking)))
      yield* TestClock.adjust(Duration.seconds(6))
      assert.strictEqual((yield* Fiber.join(early))._tag, "TransientError")
      assert.strictEqual(books.searches, 0)
      yield* TestClock.adjust(Duration.seconds(70))
      const again = yield* client.as(clerk).call("book_found", booking)
      assert.deepStrictEqual(again.result, { entry: 1 })
      assert.strictEqual(books.searches, 1)
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect("a handler that hangs is ended by the tool's timeout", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = Effect.never
      const client = yield* connect(books)
      const fiber = yield* Effect.forkChild(Effect.flip(client.as(clerk).call("balance", { account: "rent" })))
      yield* TestClock.adjust(Duration.seconds(70))
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag === "TransientError" && error.message, "balance did not finish within 30s")
    })
  )
})

describe("writes", () => {
  it.effect("100 identical writes at once are one execution with one result", () =>
    Effect.gen(function* () {
      const books = new Books()
      const latch = yield* Deferred.make<void>()
      books.program = Deferred.await(latch)
      const client = yield* connect(books)
      const fiber = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 100 }, () => client.as(clerk).call("book", booking)),
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.yieldNow
      yield* Deferred.succeed(latch, undefined)
      const answers = yield* Fiber.join(fiber)
      assert.strictEqual(books.entries.length, 1)
      assert.deepStrictEqual(new Set(answers.map(({ result }) => JSON.stringify(result))), new Set(['{"entry":1}']))
      assert.strictEqual(answers.filter(({ replay }) => replay === undefined).length, 1)
    })
  )

  it.effect("a repeat with another guarded value is refused by field, a free one may change", () =>
    Effect.gen(function* () {
      const books = new Books()
      const client = yield* connect(books)
      yield* client.as(clerk).call("book", { ...booking, memo: "May" })
      const error = yield* Effect.flip(client.as(clerk).call("book", { ...booking, amount: 101 }))
      assert.instanceOf(error, ValidationError)
      assert.deepStrictEqual(
        error.issues.map(({ path, message }) => [path, message]),
        [["amount", "differs from an earlier call that means the same operation"]]
      )
      const replay = yield* client.as(clerk).call("book", { ...booking, memo: "June" })
      assert.notStrictEqual(replay.replay, undefined)
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect("another principal, tenant or tool is another operation", () =>
    Effect.gen(function* () {
      const books = new Books()
      const client = yield* connect(books)
      yield* client.as(clerk).call("book", booking)
      yield* client.as(Principal.make({ id: "clerk-2", tenant: "acme", roles: ["clerk"] })).call("book", booking)
      yield* client.as(Principal.make({ id: "clerk-1", tenant: "other", roles: ["clerk"] })).call("book", booking)
      yield* client.as(clerk).call("book_keyed", booking)
      assert.strictEqual(books.entries.length, 4)
    })
  )

  it.effect("a client's own key names the operation, and guards every field", () =>
    Effect.gen(function* () {
      const books = new Books()
      const client = yield* connect(books)
      const key = { idempotencyKey: "0b6d2f0c-6a1f-4f0e" }
      yield* client.as(clerk).call("book", booking, key)
      const replay = yield* client.as(clerk).call("book", booking, key)
      assert.notStrictEqual(replay.replay, undefined)
      const other = yield* Effect.flip(client.as(clerk).call("book", { ...booking, account: "food" }, key))
      assert.deepStrictEqual(other._tag === "ValidationError" && other.issues.map((issue) => issue.path), ["account"])
      const bad = yield* Effect.flip(client.as(clerk).call("book", booking, { idempotencyKey: "short" }))
      assert.strictEqual(bad._tag, "ValidationError")
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect("a write that failed cleanly may be tried again, and is then executed", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.before = Effect.fail(ValidationError.at("account", "is closed"))
      const client = yield* connect(books)
      yield* Effect.flip(client.as(clerk).call("book_once", booking))
      books.before = Effect.void
      const done = yield* client.as(clerk).call("book_once", booking)
      assert.strictEqual(done.replay, undefined)
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect("a caller who leaves after the write began leaves it to finish, and a retry gets its result", () =>
    Effect.gen(function* () {
      const books = new Books()
      const latch = yield* Deferred.make<void>()
      books.program = Deferred.await(latch)
      const client = yield* connect(books)
      const fiber = yield* Effect.forkChild(client.as(clerk).call("book_once", booking))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(client.records[0].outcome, "Interrupted")
      yield* Deferred.succeed(latch, undefined)
      const retried = yield* client.as(clerk).call("book_once", booking)
      assert.deepStrictEqual(retried.result, { entry: 1 })
      assert.strictEqual(books.entries.length, 1)
    })
  )
})
