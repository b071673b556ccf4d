import {
  AuditTrail,
  Connector,
  type ConnectorError,
  IdempotencyStore,
  Operation,
  Policy,
  Principal,
  Scrubber,
  Tool,
  TransientError,
  ValidationError
} from "@ferrule/core"
import { TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Console, Duration, Effect, Exit, Layer, Logger, Redacted, References, Schema, Tracer } from "effect"

const secret = "correct-horse-battery"

const Text = Schema.String.check(Schema.isMaxLength(500)).annotate({ description: "A text." })
const Pin = Schema.String.check(Schema.isPattern(/^[a-z-]+$/), Schema.isMaxLength(40)).annotate({
  description: "Letters and dashes."
})
const common = {
  title: "Tell",
  description: "Gives what its handler has, in a test of secrets.",
  input: Schema.Struct({ name: Text }),
  allow: Policy.role("maker")
}
const once = { identity: ["name"], recovery: "repeatable", recordFailures: true } as const
const output = Schema.Struct({ text: Text, pin: Schema.optionalKey(Pin) })
const Desk = Connector.make("desk", {
  version: "1.0.0",
  tools: [
    Tool.read("look", { ...common, output }),
    Tool.write("make", { ...common, output, idempotency: once }),
    Tool.write("part", { ...common, output, idempotency: { identity: ["name"], recovery: "downstream-key" } })
  ]
})
const ada = Principal.make({ id: "ada", roles: ["maker"] })

/** A client of the desk whose every handler does this, with the texts that were kept. */
const desk = Effect.fnUntraced(function* (handler: Effect.Effect<typeof output.Type, ConnectorError, Operation>) {
  const store = yield* IdempotencyStore
  const kept: Array<string> = []
  const keeping = Layer.succeed(IdempotencyStore, {
    ...store,
    settle: (given) => {
      kept.push(given.result)
      return store.settle(given)
    }
  })
  const handlers = Desk.toLayer({ look: () => handler, make: () => handler, part: () => handler })
  const client = yield* Effect.provide(TestClient.make(Desk), [handlers, keeping])
  return { kept, call: client.as(ada).call }
})

const services = Layer.mergeAll(
  Layer.fresh(IdempotencyStore.layerMemory),
  Layer.fresh(Scrubber.layer),
  AuditTrail.layerNone,
  Logger.layer([])
)

const watched = Scrubber.watch(Redacted.make(secret))

describe("a secret that a handler gives away", () => {
  it.effect("is neither in a result nor in what is kept of it", () =>
    Effect.gen(function* () {
      yield* watched
      const { call, kept } = yield* desk(Effect.succeed({ text: `the key is "${secret}"` }))
      const expected = { text: 'the key is "<redacted>"' }
      assert.deepStrictEqual((yield* call("look", { name: "a" })).result, expected)
      assert.deepStrictEqual((yield* call("make", { name: "a" })).result, expected)
      assert.deepStrictEqual((yield* call("make", { name: "a" })).result, expected)
      assert.deepStrictEqual(
        kept.map((text) => text.replace(/"doneAt":\d+/, '"doneAt":0')),
        ['{"format":1,"doneAt":0,"result":{"text":"the key is \\"<redacted>\\""}}']
      )
    }).pipe(Effect.provide(services))
  )

  it.effect("makes no result where the output has no room for its replacement", () =>
    Effect.gen(function* () {
      yield* watched
      const { call, kept } = yield* desk(Effect.succeed({ text: "", pin: secret }))
      assert.strictEqual((yield* Effect.flip(call("look", { name: "a" })))._tag, "Internal")
      assert.strictEqual((yield* Effect.flip(call("make", { name: "a" })))._tag, "ResultUnavailable")
      assert.deepStrictEqual(
        kept.map((text) => text.replace(/"doneAt":\d+/, '"doneAt":0')),
        ['{"format":1,"doneAt":0,"nothing":"unreadable"}']
      )
    }).pipe(Effect.provide(services))
  )

  it.effect("is not in a replay either, when it became known after the result was kept", () =>
    Effect.gen(function* () {
      const { call } = yield* desk(Effect.succeed({ text: secret }))
      assert.deepStrictEqual((yield* call("make", { name: "a" })).result, { text: secret })
      yield* watched
      const { replay, result } = yield* call("make", { name: "a" })
      assert.isDefined(replay)
      assert.deepStrictEqual(result, { text: "<redacted>" })
    }).pipe(Effect.provide(services))
  )

  it.effect("is neither in an error, nor in one that is kept, nor in a step's result", () =>
    Effect.gen(function* () {
      yield* watched
      const refused = yield* desk(Effect.fail(ValidationError.at("name", `is not ${secret}`, `x${secret}`)))
      const issues = [{ path: "name", message: "is not <redacted>", expected: "x<redacted>" }]
      for (const tool of ["look", "make", "make"] as const) {
        const error = yield* Effect.flip(refused.call(tool, { name: "a" }))
        assert.instanceOf(error, ValidationError)
        assert.deepStrictEqual<unknown>(error.issues, issues)
        assert.strictEqual(error.message, "name is not <redacted>")
      }
      assert.isFalse(refused.kept.some((text) => text.includes(secret)))

      const later = yield* desk(
        Effect.fail(new TransientError({ message: secret, applied: "no", retryAfter: Duration.hours(1) }))
      )
      const error = yield* Effect.flip(later.call("look", { name: "b" }))
      assert.deepStrictEqual({ ...error, stack: undefined }, {
        ...new TransientError({ message: "<redacted>", applied: "no", retryAfter: Duration.hours(1) }),
        stack: undefined
      } as never)

      const stepped = yield* desk(
        Effect.flatMap(Operation, ({ step }) =>
          Effect.map(step("one", Schema.String, Effect.succeed(secret)), (text) => ({ text }))
        )
      )
      assert.deepStrictEqual((yield* stepped.call("part", { name: "c" })).result, { text: "<redacted>" })
      assert.isFalse(stepped.kept.some((text) => text.includes(secret)))
    }).pipe(Effect.provide(services))
  )

  it.effect("is not in the words of its progress", () =>
    Effect.gen(function* () {
      yield* watched
      const said: Array<unknown> = []
      const { call } = yield* desk(
        Effect.flatMap(Operation, ({ progress }) =>
          Effect.as(Effect.andThen(progress(1), progress(2, 3, `step ${secret}`)), { text: "" })
        )
      )
      yield* call("look", { name: "a" }, { progress: (...report) => Effect.sync(() => said.push(report)) })
      assert.deepStrictEqual(said, [
        [1, undefined],
        [2, 3, "step <redacted>"]
      ])
    }).pipe(Effect.provide(services))
  )
})

describe("a call", () => {
  const handlers = Desk.toLayer({
    look: () =>
      Effect.as(Effect.andThen(Effect.log(`log ${secret}`), Console.log({ said: `console ${secret}` })), { text: "" }),
    make: () => Effect.die("unused"),
    part: () => Effect.die("unused")
  })
  const look = <R>(layer: Layer.Layer<Layer.Success<typeof handlers>, never, R>) =>
    Effect.flatMap(TestClient.make(Desk), (client) => client.as(ada).call("look", { name: "a" })).pipe(
      Effect.provide([layer, Layer.fresh(IdempotencyStore.layerMemory), AuditTrail.layerNone])
    )

  it.effect("logs to the loggers of the handlers' layer where the program names none, without the secret", () =>
    Effect.gen(function* () {
      yield* watched
      const said: Array<unknown> = []
      const logger = Logger.layer([Logger.make<unknown, void>(({ message }) => said.push(message))])
      yield* look(Layer.provide(handlers, logger))
      assert.deepStrictEqual(said, [["log <redacted>"]])
    }).pipe(Effect.provide(Layer.fresh(Scrubber.layer)))
  )

  it.effect("writes nothing of it to the console, by a logger or by hand", () =>
    Effect.gen(function* () {
      yield* watched
      const said: Array<ReadonlyArray<unknown>> = []
      const recorder: Console.Console = { ...globalThis.console, log: (...args) => said.push(args) }
      yield* look(handlers).pipe(Effect.provideService(Console.Console, recorder))
      assert.deepStrictEqual(
        said.map((args) => args.at(-1)),
        ["log <redacted>", { said: "console <redacted>" }]
      )
    }).pipe(Effect.provide(Layer.fresh(Scrubber.layer)))
  )
})

describe("Scrubber.guarded", () => {
  it.effect("keeps a secret out of each part of a log entry, and its error an error", () =>
    Effect.gen(function* () {
      yield* watched
      const entries: Array<ReadonlyArray<unknown>> = []
      const logger = Logger.make<unknown, void>(({ cause, fiber, message }) => {
        entries.push([
          message,
          cause.reasons.map((reason) => (reason._tag === "Die" ? reason.defect : reason)),
          { ...fiber.getRef(References.CurrentLogAnnotations) },
          fiber.getRef(References.CurrentLogSpans).map(([label]) => label)
        ])
      })
      const fault = new TypeError(`no ${secret}`)
      yield* Effect.logError(`at ${secret}`, { secret }, Cause.die(fault)).pipe(
        Effect.annotateLogs({ key: secret }),
        Effect.withLogSpan(secret),
        Effect.andThen(Effect.logInfo("nothing", Cause.die(fault.constructor))),
        Scrubber.guarded,
        Effect.provide(Logger.layer([logger]))
      )
      const [message, [logged], annotations, spans] = entries[0] as [unknown, [Error], unknown, unknown]
      assert.deepStrictEqual(message, ["at <redacted>", { secret: "<redacted>" }])
      assert.instanceOf(logged, TypeError)
      assert.strictEqual(logged.message, "no <redacted>")
      assert.match(String(logged.stack), /^TypeError: no <redacted>\n +at /)
      assert.deepStrictEqual(annotations, { key: "<redacted>" })
      assert.deepStrictEqual(spans, ["<redacted>"])
      assert.deepStrictEqual(entries[1], [["nothing"], [TypeError], {}, []])
      assert.strictEqual(fault.message, `no ${secret}`)
    }).pipe(Effect.provide(services))
  )

  it.effect("keeps a secret out of each part of a span", () =>
    Effect.gen(function* () {
      yield* watched
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const external = Tracer.externalSpan({ spanId: "1", traceId: "2" })
      yield* Effect.annotateCurrentSpan("key", { secret }).pipe(
        Effect.andThen(Effect.currentSpan),
        Effect.tap((span) => Effect.sync(() => span.event(secret, 0n, { secret }))),
        Effect.andThen(Effect.die(new Error(secret))),
        Effect.withSpan(`span ${secret}`, {
          attributes: { secret },
          links: [{ span: external, attributes: { secret } }]
        }),
        Effect.exit,
        Scrubber.guarded,
        Effect.withTracer(tracer)
      )
      const [span] = spans
      assert.instanceOf(span, Tracer.NativeSpan)
      assert.strictEqual(span.name, "span <redacted>")
      assert.deepStrictEqual(Object.fromEntries(span.attributes), {
        key: { secret: "<redacted>" },
        secret: "<redacted>"
      })
      assert.deepStrictEqual(span.events, [["<redacted>", 0n, { secret: "<redacted>" }]])
      assert.deepStrictEqual(span.links, [{ span: external, attributes: { secret: "<redacted>" } }])
      assert.strictEqual(span.status._tag, "Ended")
      const exit = span.status._tag === "Ended" ? span.status.exit : Exit.void
      assert.match(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", /^Error: <redacted>\n/)
    }).pipe(Effect.provide(services))
  )
})

it.effect("Scrubber.layerGuarded guards what the layers beneath it log with", () => {
  const said: Array<unknown> = []
  const loggers = Logger.layer([Logger.make<unknown, void>(({ message }) => said.push(message))])
  return Effect.gen(function* () {
    yield* watched
    yield* Effect.log(secret)
    assert.deepStrictEqual(said, [["<redacted>"]])
  }).pipe(
    Effect.provide(
      Scrubber.layerGuarded.pipe(Layer.provideMerge(loggers), Layer.provideMerge(Layer.fresh(Scrubber.layer)))
    )
  )
})

it.effect("a secret of fewer than eight characters is not watched, and a warning without it says so", () => {
  const said: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => said.push(`${logLevel} ${String(message)}`))
  return Effect.gen(function* () {
    yield* Scrubber.watch(Redacted.make(" hunter2\n"))
    assert.strictEqual(yield* Scrubber.scrub("hunter2 and more"), "hunter2 and more")
    assert.deepStrictEqual(said, [
      "Warn A secret with fewer than 8 characters is not kept out of answers and logs, since ordinary words would go with it: use a longer one"
    ])
  }).pipe(Effect.provide([Layer.fresh(Scrubber.layer), Logger.layer([logger])]))
})
