import {
  AuditTrail,
  AuthorizationError,
  Connector,
  IdempotencyStore,
  Policy,
  Principal,
  Tool,
  TransientError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Fiber, Layer, Logger, References, Schema } from "effect"
import { TestClock } from "effect/testing"

/** Says which queue a ticket is in, as a system of record would. */
class Queues extends Context.Service<
  Queues,
  { readonly queueOf: (ticket: string) => Effect.Effect<string, TransientError> }
>()("test/Queues") {}

const Ticket = Schema.String.check(Schema.isMaxLength(20)).annotate({ description: "A ticket's id." })
const fields = Schema.Struct({ ticket: Ticket })

const Reassign = Tool.write("reassign", {
  title: "Reassign a ticket",
  description: "Stands for a write, in a test of policies.",
  input: fields,
  output: fields,
  allow: ({ predicate }) =>
    Policy.any(
      Policy.role("admin"),
      Policy.all(
        Policy.role("agent"),
        predicate("the ticket is in the caller's queue", ({ claims }, { ticket }) =>
          Effect.map(
            Effect.flatMap(Queues, ({ queueOf }) => queueOf(ticket)),
            (queue) => queue === claims["queue"]
          )
        )
      )
    ),
  idempotency: { identity: ["ticket"], recovery: "repeatable" }
})
const Look = Tool.read("look", {
  title: "Look at a ticket",
  description: "Stands for a read, in a test of policies.",
  input: fields,
  output: fields,
  allow: Policy.predicate("the claim is there", ({ claims: { queue } }) => {
    if (queue === undefined) throw new Error("password=hunter2")
    return true
  })
})
const Desk = Connector.make("desk", { version: "1.0.0", tools: [Reassign, Look] })

const ana = Principal.make({ id: "ana", roles: ["agent"], claims: { queue: "billing" } })
const ada = Principal.make({ id: "ada", roles: ["admin"] })
const vera = Principal.make({ id: "vera", roles: ["viewer"] })

const connect = Effect.fnUntraced(function* (queueOf: (ticket: string) => Effect.Effect<string, TransientError>) {
  const seen = { asked: 0, executed: 0 }
  const records: Array<AuditTrail.AuditRecord> = []
  const logged: Array<{ readonly text: string; readonly annotations: Readonly<Record<string, unknown>> }> = []
  const handle = (input: typeof fields.Type) => Effect.sync(() => (seen.executed++, input))
  const client = yield* TestClient.make(Desk).pipe(
    Effect.provide([
      Desk.toLayer({ reassign: handle, look: handle }),
      IdempotencyStore.layerMemory,
      Layer.succeed(Queues, { queueOf: (ticket) => (seen.asked++, queueOf(ticket)) })
    ])
  )
  const logger = Logger.make(({ cause, fiber, message }) => {
    logged.push({
      text: `${String(message)} ${Cause.pretty(cause)}`,
      annotations: fiber.getRef(References.CurrentLogAnnotations)
    })
  })
  const around = Layer.merge(
    AuditTrail.layer((record) => Effect.sync(() => void records.push(record))),
    Logger.layer([logger])
  )
  return {
    seen,
    records,
    logged,
    call: (principal: typeof ana, tool: "reassign" | "look", ticket = "T-1") =>
      Effect.provide(client.as(principal).call(tool, { ticket }), around)
  }
})

const down = new TransientError({ message: "dsn=postgres://root:hunter2@db is down", retryAfter: Duration.seconds(9) })

describe("a rule that asks a service", () => {
  it.effect("gets the one that the connector was served with, and decides by it", () =>
    Effect.gen(function* () {
      const { call, records, seen } = yield* connect((ticket) =>
        Effect.succeed(ticket === "T-1" ? "billing" : "support")
      )
      assert.deepStrictEqual((yield* call(ana, "reassign")).result, { ticket: "T-1" })
      const refused = yield* Effect.flip(call(ana, "reassign", "T-2"))
      assert.instanceOf(refused, AuthorizationError)
      assert.strictEqual(
        refused.message,
        "reassign needs the role admin or (the role agent and that the ticket is in the caller's queue)."
      )
      assert.deepStrictEqual(refused.roles, ["admin"])
      assert.deepStrictEqual(seen, { asked: 2, executed: 1 })
      assert.deepStrictEqual(
        records.map(({ decision, explanation, reference }) => [decision, explanation, reference === undefined]),
        [
          ["allowed", "has the role agent; the ticket is in the caller's queue", false],
          ["denied", "lacks the role admin; it is not so that the ticket is in the caller's queue", true]
        ]
      )
    })
  )

  it.effect("is not asked for a caller whom the roles decide about", () =>
    Effect.gen(function* () {
      const { call, records, seen } = yield* connect(() => Effect.succeed("billing"))
      yield* call(ada, "reassign")
      assert.strictEqual((yield* Effect.flip(call(vera, "reassign")))._tag, "NoSuchTool")
      assert.deepStrictEqual(seen, { asked: 0, executed: 1 })
      assert.deepStrictEqual(
        records.map(({ decision, explanation }) => [decision, explanation]),
        [
          ["allowed", "has the role admin"],
          ["hidden", "lacks the role admin; lacks the role agent"]
        ]
      )
    })
  )

  it.effect("is asked on every call, so a replay too needs its yes", () =>
    Effect.gen(function* () {
      let queue = "billing"
      const { call, seen } = yield* connect(() => Effect.sync(() => queue))
      yield* call(ana, "reassign")
      queue = "support"
      assert.instanceOf(yield* Effect.flip(call(ana, "reassign")), AuthorizationError)
      assert.deepStrictEqual(seen, { asked: 2, executed: 1 })
    })
  )

  it.effect("of a service that is down, tells the caller to wait and repeat, and nothing is executed", () =>
    Effect.gen(function* () {
      const { call, logged, records, seen } = yield* connect(() => Effect.fail(down))
      const error = yield* Effect.flip(call(ana, "reassign"))
      assert.instanceOf(error, TransientError)
      assert.strictEqual(
        error.message,
        "reassign needs the role admin or (the role agent and that the ticket is in the caller's queue), " +
          "and it could not be checked that the ticket is in the caller's queue"
      )
      assert.strictEqual(error.applied, "no")
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(9))
      assert.deepStrictEqual(seen, { asked: 1, executed: 0 })
      const { correlationId, decision, explanation, outcome, reference } = records[0]!
      assert.deepStrictEqual(
        { decision, explanation, outcome, reference },
        {
          decision: "denied",
          explanation: "lacks the role admin; it could not be checked that the ticket is in the caller's queue",
          outcome: "TransientError",
          reference: undefined
        }
      )
      assert.include(logged[0]!.text, "A rule of a policy could not be checked")
      assert.include(logged[0]!.text, "hunter2")
      assert.deepStrictEqual(logged[0]!.annotations, {
        correlationId,
        tool: "reassign",
        rule: "the ticket is in the caller's queue"
      })
    })
  )

  it.effect("of a service that does not answer, does the same after five seconds", () =>
    Effect.gen(function* () {
      const { call, logged, seen } = yield* connect(() => Effect.never)
      const calling = yield* Effect.forkChild(Effect.flip(call(ana, "reassign")), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(calling)
      assert.instanceOf(error, TransientError)
      assert.strictEqual(error.applied, "no")
      assert.strictEqual(seen.executed, 0)
      assert.include(logged[0]!.text, "was not answered within 5s")
    })
  )

  it.effect("of a service that breaks, tells the caller to stop, and the log why", () =>
    Effect.gen(function* () {
      const { call, logged, seen } = yield* connect(() => Effect.die(new Error("password=hunter2")))
      const error = yield* Effect.flip(call(ana, "reassign"))
      assert.instanceOf(error, AuthorizationError)
      assert.strictEqual(
        error.message,
        "reassign needs the role admin or (the role agent and that the ticket is in the caller's queue), " +
          "and it could not be checked that the ticket is in the caller's queue."
      )
      assert.deepStrictEqual([error.roles, error.scopes], [[], []])
      assert.strictEqual(seen.executed, 0)
      assert.include(logged[0]!.text, "hunter2")
    })
  )

  it.effect("is interrupted with its caller, and nothing is executed", () =>
    Effect.gen(function* () {
      let interrupted = false
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const { call, records, seen } = yield* connect(() => slow)
      const calling = yield* Effect.forkChild(call(ana, "reassign"), { startImmediately: true })
      yield* Fiber.interrupt(calling)
      assert.isTrue(interrupted)
      assert.strictEqual(seen.executed, 0)
      assert.strictEqual(records[0]!.outcome, "Interrupted")
    })
  )
})

describe("a rule that throws", () => {
  it.effect("denies, says so without its words, and leaves them to the log", () =>
    Effect.gen(function* () {
      const { call, logged, records, seen } = yield* connect(() => Effect.never)
      const error = yield* Effect.flip(call(ada, "look"))
      assert.instanceOf(error, AuthorizationError)
      assert.strictEqual(
        error.message,
        "look needs that the claim is there, and it could not be checked that the claim is there."
      )
      assert.strictEqual(seen.executed, 0)
      assert.notInclude(JSON.stringify([error, records]), "hunter2")
      assert.include(logged[0]!.text, "hunter2")
      assert.strictEqual(records[0]!.explanation, "it could not be checked that the claim is there")
    })
  )
})
