import { AuditTrail, Connector, Policy, Principal, Tool } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema, Tracer } from "effect"
import * as ConnectorHost from "../src/internal/connectorHost.ts"

const Name = Schema.String.check(Schema.isMaxLength(50)).annotate({ description: "A name." })
const Look = Tool.read("look", {
  title: "Look",
  description: "Stands for a read, in a test of spans.",
  input: Schema.Struct({ name: Name }),
  output: Schema.Struct({ trace: Name }),
  allow: Policy.role("maker")
})
const Workshop = Connector.make("workshop", { version: "1.0.0", tools: [Look] })
const handlers = Workshop.toLayer({
  look: () =>
    Effect.match(Effect.currentParentSpan, {
      onSuccess: (span) => ({ trace: span.traceId }),
      onFailure: () => ({ trace: "none" })
    })
})
const ada = Principal.make({ id: "ada", roles: ["maker"] })
const trace = "4bf92f3577b34da6a3ce929d0e0e4736"

const call = Effect.fnUntraced(function* (name: string, args: unknown, meta?: Record<string, unknown>) {
  const host = yield* Effect.provide(ConnectorHost.make(Workshop), [handlers, AuditTrail.layerNone])
  return yield* Effect.provide(
    host.call({ name, arguments: args, principal: ada, meta, idempotencyKey: undefined, progress: undefined }),
    AuditTrail.layerNone
  )
})

/** Keeps the spans that it makes. */
const recorder = () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

describe("a call", () => {
  it.effect("continues the trace that its request names, down to the handler, also where nothing exports it", () =>
    Effect.gen(function* () {
      const result = yield* call("look", { name: "vase" }, { traceparent: `00-${trace}-00f067aa0ba902b7-01` })
      assert.deepStrictEqual(result?.structuredContent, { trace })
    })
  )

  it.effect("makes no span where nobody would see it", () =>
    Effect.gen(function* () {
      const result = yield* call("look", { name: "vase" })
      assert.deepStrictEqual(result?.structuredContent, { trace: "none" })
    })
  )

  it.effect("leaves a span with the tool and the class of its refusal, and without arguments", () =>
    Effect.gen(function* () {
      const { spans, tracer } = recorder()
      yield* Effect.provideService(call("look", { name: "vase-canary" }), Tracer.Tracer, tracer)
      yield* Effect.provideService(call("look", { name: 7, extra: "vase-canary" }), Tracer.Tracer, tracer)
      yield* Effect.provideService(call("vase-canary", {}), Tracer.Tracer, tracer)
      assert.deepStrictEqual(
        spans.map(({ name, kind, attributes }) => [name, kind, Object.fromEntries(attributes)]),
        [
          ["tools/call look", "server", { "mcp.method.name": "tools/call", "gen_ai.tool.name": "look" }],
          [
            "tools/call look",
            "server",
            { "mcp.method.name": "tools/call", "gen_ai.tool.name": "look", "error.type": "ValidationError" }
          ],
          ["tools/call unknown", "server", { "mcp.method.name": "tools/call" }]
        ]
      )
      assert.isTrue(spans.every((span) => Option.isNone(span.parent)))
    })
  )

  it.effect("does not take a malformed trace for one", () =>
    Effect.gen(function* () {
      for (const traceparent of ["", "00-zz-zz-01", 7, { a: 1 }]) {
        const result = yield* call("look", { name: "vase" }, { traceparent })
        assert.deepStrictEqual(result?.structuredContent, { trace: "none" })
      }
    })
  )
})
