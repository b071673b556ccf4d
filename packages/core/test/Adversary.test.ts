/**
 * What an adversary would try: timing, foreign errors, clocks, stores and sinks that fail.
 */
import {
  AuditTrail,
  type ConnectorError,
  IdempotencyStore,
  Principal,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Books, clerk, Ledger } from "./fixtures/ledger.ts"

const quiet = Layer.mergeAll(AuditTrail.layerNone, Logger.layer([]))
const booking = { account: "rent", amount: 100 }

const serve = (books: Books) =>
  TestClient.make(Ledger).pipe(Effect.provide(Layer.merge(books.layer, IdempotencyStore.layerMemory)))

/** A ledger of which only the write that reconciles matters. */
const reconciling = (handler: {
  readonly find: () => Effect.Effect<Option.Option<{ readonly entry: number }>, ConnectorError>
  readonly execute: (input: { readonly account: string }) => Effect.Effect<{ readonly entry: number }, ConnectorError>
}) =>
  Ledger.toLayer({
    balance: () => Effect.succeed({ cents: 0 }),
    book: () => Effect.succeed({ entry: 1 }),
    book_once: () => Effect.succeed({ entry: 1 }),
    book_keyed: () => Effect.succeed({ entry: 1 }),
    book_own: () => Effect.succeed({ entry: 1 }),
    book_found: handler
  })

describe("a write that reconciles", () => {
  it.effect("is not done again while the upstream may still be doing what the timeout cut off", () =>
    Effect.gen(function* () {
      const entries: Array<string> = []
      const find = () => Effect.sync(() => (entries.length > 0 ? Option.some({ entry: 1 }) : Option.none()))
      // The upstream carries on when its client goes, and is done two seconds after the tool has given up.
      const execute = ({ account }: { readonly account: string }) =>
        Effect.sync(() => ({ entry: entries.push(account) })).pipe(
          Effect.delay("32 seconds"),
          Effect.forkDetach,
          Effect.flatMap(Fiber.join)
        )
      const client = yield* TestClient.make(Ledger).pipe(
        Effect.provide(Layer.merge(reconciling({ find, execute }), IdempotencyStore.layerMemory))
      )
      const first = yield* Effect.forkDetach(Effect.flip(client.as(clerk).call("book_found", booking)))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* Fiber.join(first))._tag, "TransientError")
      // "Wait a moment, then repeat the same call", and so it does.
      const second = yield* Effect.forkDetach(client.as(clerk).call("book_found", booking))
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.await(second)
      assert.strictEqual(entries.length, 1)
    }).pipe(Effect.provide(quiet))
  )

  it.effect("is not done by a second process while the first, after a long search, still writes", () =>
    Effect.gen(function* () {
      const entries: Array<string> = []
      let searches = 0
      let lost = true
      const find = () =>
        Effect.suspend(() => Effect.sleep(searches++ === 0 ? "25 seconds" : "1 second")).pipe(
          Effect.map(() => (entries.length > 0 ? Option.some({ entry: 1 }) : Option.none()))
        )
      const execute = ({ account }: { readonly account: string }) =>
        Effect.suspend(() =>
          lost
            ? Effect.fail(new TransientError({ message: "lost" }))
            : Effect.delay(
                Effect.sync(() => ({ entry: entries.push(account) })),
                "25 seconds"
              )
        )
      const context = yield* Layer.build(Layer.merge(reconciling({ find, execute }), IdempotencyStore.layerMemory))
      const one = yield* Effect.provideContext(TestClient.make(Ledger), context)
      const two = yield* Effect.provideContext(TestClient.make(Ledger), context)
      yield* Effect.flip(one.as(clerk).call("book_found", booking))
      lost = false
      yield* TestClock.adjust("77 seconds")
      // It searches for 25 seconds and then writes for 25 more.
      const first = yield* Effect.forkDetach(one.as(clerk).call("book_found", booking))
      yield* TestClock.adjust("39 seconds")
      const second = yield* Effect.forkDetach(two.as(clerk).call("book_found", booking))
      yield* TestClock.adjust("5 minutes")
      yield* Fiber.awaitAll([first, second])
      assert.strictEqual(entries.length, 1)
    }).pipe(Effect.scoped, Effect.provide(quiet))
  )

  it.effect("does not call its search before it needs one, so a search that throws harms no first call", () =>
    Effect.gen(function* () {
      const layer = reconciling({
        find: () => {
          throw new Error("no index")
        },
        execute: () => Effect.succeed({ entry: 1 })
      })
      const client = yield* TestClient.make(Ledger).pipe(
        Effect.provide(Layer.merge(layer, IdempotencyStore.layerMemory))
      )
      const { result } = yield* client.as(clerk).call("book_found", booking)
      assert.deepStrictEqual(result, { entry: 1 })
    }).pipe(Effect.provide(quiet))
  )
})

describe("a write", () => {
  for (const tool of ["book_once", "book_found"] as const) {
    it.effect(`${tool}: a failure that is none of the three classes, after it wrote, does not free its key`, () =>
      Effect.gen(function* () {
        const books = new Books()
        // What a handler typed with `any` may fail with.
        books.program = Effect.fail({
          _tag: "SqlError",
          message: "password=hunter2"
        }) as unknown as Effect.Effect<never>
        const client = yield* serve(books)
        const error = yield* Effect.flip(client.as(clerk).call(tool, booking))
        books.program = Effect.void
        const second = yield* Effect.forkDetach(Effect.exit(client.as(clerk).call(tool, booking)))
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(second)
        assert.strictEqual(books.entries.length, 1)
        assert.strictEqual(error._tag, "Internal")
      }).pipe(Effect.provide(quiet))
    )
  }

  it.effect("is not done twice when the machine's clock is set by a year in its middle", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let ahead = 0
      const time = () => clock.currentTimeMillisUnsafe() + ahead
      const set: Clock.Clock = {
        currentTimeMillisUnsafe: time,
        currentTimeMillis: Effect.sync(time),
        currentTimeNanosUnsafe: () => BigInt(time()) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => BigInt(time()) * 1_000_000n),
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) => clock.sleep(duration)
      }
      const books = new Books()
      books.program = Effect.sync(() => {
        ahead = Duration.toMillis("365 days")
      })
      yield* Effect.flatMap(serve(books), (client) => client.as(clerk).call("book_once", booking)).pipe(
        Effect.provideService(Clock.Clock, set)
      )
      assert.strictEqual(books.entries.length, 1)
    }).pipe(Effect.provide(quiet))
  )

  it.effect("does not claim that nothing was executed, when an earlier attempt of the same call may have been", () =>
    Effect.gen(function* () {
      const books = new Books()
      let attempt = 0
      books.program = Effect.suspend((): Effect.Effect<void, ConnectorError> =>
        attempt++ === 0
          ? Effect.fail(new TransientError({ message: "The answer was lost" }))
          : Effect.fail(ValidationError.at("account", "was closed meanwhile"))
      )
      const client = yield* serve(books)
      const fiber = yield* Effect.forkDetach(Effect.flip(client.as(clerk).call("book_keyed", booking)))
      yield* TestClock.adjust("10 seconds")
      assert.notStrictEqual((yield* Fiber.join(fiber))._tag, "ValidationError")
    }).pipe(Effect.provide(quiet))
  )

  it.effect("of which a part may have been done asks to check, not to fix arguments", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = Effect.failCause(
        Cause.combine(
          Cause.fail(ValidationError.at("account", "is closed")),
          Cause.fail(new TransientError({ message: "The answer was lost" }))
        )
      )
      const client = yield* serve(books)
      assert.strictEqual((yield* Effect.flip(client.as(clerk).call("book_once", booking)))._tag, "OutcomeUnknown")
    }).pipe(Effect.provide(quiet))
  )

  it.effect("whose handler was interrupted asks to check, when no later call could find out", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = Effect.interrupt
      const client = yield* serve(books)
      assert.strictEqual((yield* Effect.flip(client.as(clerk).call("book_once", booking)))._tag, "OutcomeUnknown")
    }).pipe(Effect.provide(quiet))
  )
})

describe("a store that does not answer", () => {
  const silent = (step: "claim" | "settle") =>
    Layer.effect(
      IdempotencyStore,
      Effect.map(IdempotencyStore, (store) => ({ ...store, scope: "shared" as const, [step]: () => Effect.never }))
    ).pipe(Layer.provide(IdempotencyStore.layerMemory))

  const call = Effect.fnUntraced(function* (step: "claim" | "settle") {
    const scope = yield* Scope.make()
    const client = yield* TestClient.make(Ledger).pipe(
      Effect.provide(Layer.merge(new Books().layer, silent(step))),
      Scope.provide(scope)
    )
    return { scope, fiber: yield* Effect.forkDetach(Effect.exit(client.as(clerk).call("book", booking))) }
  })

  for (const step of ["claim", "settle"] as const) {
    it.effect(`keeps no caller waiting for ever (${step})`, () =>
      Effect.gen(function* () {
        const { fiber } = yield* call(step)
        yield* TestClock.adjust("10 minutes")
        assert.isDefined(fiber.pollUnsafe())
      }).pipe(Effect.provide(quiet))
    )

    it.effect(`keeps no connector from shutting down (${step})`, () =>
      Effect.gen(function* () {
        const { scope } = yield* call(step)
        yield* TestClock.adjust("1 second")
        const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
        yield* TestClock.adjust("1 minute")
        assert.isDefined(closing.pollUnsafe())
      }).pipe(Effect.provide(quiet))
    )
  }

  it.effect("lets a caller leave", () =>
    Effect.gen(function* () {
      const { fiber } = yield* call("claim")
      yield* TestClock.adjust("1 second")
      fiber.interruptUnsafe()
      yield* TestClock.adjust("1 minute")
      assert.isDefined(fiber.pollUnsafe())
    }).pipe(Effect.provide(quiet))
  )
})

describe("operators", () => {
  it.effect("find a defect in the log, also where an error came with it", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = Effect.failCause(
        Cause.combine(Cause.fail(ValidationError.at("account", "is closed")), Cause.die(new Error("broken pipe")))
      )
      const client = yield* serve(books)
      const logged: Array<string> = []
      const logger = Logger.make(({ cause }) => void logged.push(Cause.pretty(cause)))
      yield* Effect.flip(client.as(clerk).call("balance", { account: "rent" })).pipe(
        Effect.provide([Logger.layer([logger]), AuditTrail.layerNone])
      )
      assert.include(logged.join(), "broken pipe")
    })
  )

  it.effect("whose audit trail is down do not take the result of a write from its caller", () =>
    Effect.gen(function* () {
      const client = yield* serve(new Books())
      const down = AuditTrail.layer(() => Effect.die(new Error("The disk is full")))
      const { result } = yield* Effect.provide(client.as(clerk).call("book", booking), [down, Logger.layer([])])
      assert.deepStrictEqual(result, { entry: 1 })
    })
  )

  it.effect("can stop a connector whose handler hangs where it can't be interrupted", () =>
    Effect.gen(function* () {
      const books = new Books()
      books.program = Effect.uninterruptible(Effect.never)
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(serve(books), scope)
      yield* Effect.forkDetach(Effect.exit(client.as(clerk).call("book_once", booking)))
      yield* TestClock.adjust("1 second")
      const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("1 minute")
      assert.isDefined(closing.pollUnsafe())
    }).pipe(Effect.provide(quiet))
  )
})

describe("a principal", () => {
  it("whose id is not well-formed, and would share its keys with others, is refused", () => {
    assert.throws(() => Principal.make({ id: "a\ud800" }), "well-formed")
  })
})
