/**
 * Who is at the other end of a connection that lasts, and how the token that proved a caller gets to the pipeline.
 */
import { AuditTrail } from "@ferrule/core"
import { Identity, Unauthenticated } from "@ferrule/mcp"
import type { ToolHost, ToolRequest } from "@ferrule/mcp/ToolHost"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Layer, Logger, Queue, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { createInterface } from "node:readline"
import { PassThrough } from "node:stream"
import * as ConnectorHost from "../src/internal/connectorHost.ts"
import * as Serve from "../src/internal/serve.ts"
import { Desk, Handlers } from "./fixtures/desk.ts"
import { http, now, setUp } from "./fixtures/tokens.ts"
import { adaToken, envelope, legacy, modern, send, serve } from "./testHost.ts"

const params = { name: "who", arguments: { name: "x" } }
const eras = {
  "2026-07-28": { ...params, _meta: envelope },
  "2025-11-25": params
}

const environment = (variables: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromUnknown(variables))

/** Serves on a pair of streams until the scope closes, and gives a way to ask for a tool. */
const overStdio = <E, R, E2>(makeHost: Effect.Effect<ToolHost, E, R>, identity: Layer.Layer<Identity, E2>) =>
  Effect.gen(function* () {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()]
    const answers = yield* Queue.unbounded<string>()
    createInterface({ input: stdout }).on("line", (line) => Queue.offerUnsafe(answers, line))
    yield* Layer.build(Serve.layerStdio(makeHost, { stdin, stdout }).pipe(Layer.provide(identity)))
    return (params: object) =>
      Effect.suspend(() => {
        stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params })}\n`)
        return Effect.map(Queue.take(answers), (line) => JSON.parse(line).result)
      })
  })

const processToken = (options: Parameters<typeof Identity.layerJwt>[0]) =>
  Identity.layerProcessToken(Config.Redacted("DESK_TOKEN")).pipe(
    Layer.provide(Identity.layerJwt(options)),
    Layer.provide(http)
  )

describe("a process that was started with a token", () => {
  it.effect("serves as the token's principal until it expires, and then runs no handler", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const handlers = new Handlers()
      const secret = yield* token({ exp: now + 60 })
      const logged: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => logged.push(String(message)))])
      const host = Effect.provide(ConnectorHost.make(Desk), handlers.layer)
      const identity = processToken(options).pipe(Layer.provide(environment({ DESK_TOKEN: secret })))
      const records: Array<AuditTrail.AuditRecord> = []
      const trail = AuditTrail.layer((record) => Effect.sync(() => records.push(record)))
      const call = yield* overStdio(host, identity).pipe(Effect.provide([logger, trail]))
      for (const request of Object.values(eras)) {
        assert.strictEqual(JSON.parse((yield* call(request)).structuredContent.caller).id, "ada")
      }
      yield* TestClock.adjust("90 seconds")
      for (const request of Object.values(eras)) {
        const refused = yield* call(request)
        assert.isTrue(refused.isError)
        assert.strictEqual(refused._meta["ferrule/error"].class, "AuthorizationError")
        assert.include(refused.content[0].text, "The token that this connector was started with has expired")
        assert.deepStrictEqual(records.pop(), {
          time: (now + 90) * 1000,
          connector: "desk",
          correlationId: refused._meta["ferrule/error"].correlationId,
          principal: "ada",
          tenant: "acme",
          tool: "who",
          kind: "read",
          decision: "denied",
          explanation: "The credentials were not accepted.",
          outcome: "AuthorizationError",
          reference: undefined,
          replayed: false,
          found: false,
          attempts: 0,
          duration: 0
        })
      }
      assert.strictEqual(handlers.runs, 2)
      assert.deepStrictEqual(logged, [
        "A call was refused: The credentials were not accepted.",
        "A call was refused: The credentials were not accepted."
      ])
    })
  )

  it.effect("does not start with a bad token or none, and lets nobody in over HTTP", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const start = (variables: Record<string, string>) =>
        Effect.flip(
          overStdio(
            Effect.provide(ConnectorHost.make(Desk), new Handlers().layer),
            processToken(options).pipe(Layer.provide(environment(variables)))
          )
        )
      const expired = yield* start({ DESK_TOKEN: yield* token({ exp: now - 60 }) })
      assert.deepStrictEqual(expired, new Unauthenticated({ reason: "invalid" }))
      assert.strictEqual((yield* start({}))._tag, "ConfigError")
      const good = yield* token()
      const identity = processToken(options).pipe(Layer.provide(environment({ DESK_TOKEN: good })))
      const { host } = yield* recording
      const url = yield* serve(host, {}, Layer.orDie(identity))
      for (const given of [good, ""])
        assert.strictEqual((yield* send(url, modern("tools/list", {}, given))).status, 401)
    })
  )

  it.effect("answers that the same call may be repeated while its token can't be checked", () =>
    Effect.gen(function* () {
      const { authority, options } = yield* setUp
      authority.answers = { secret: { active: true, aud: options.audience, sub: "ada", org: "acme", client_id: "c" } }
      const introspection = Identity.layerIntrospection({
        ...options,
        endpoint: authority.endpoint,
        clientId: "desk",
        clientSecret: Redacted.make("desk-secret")
      })
      const identity = Identity.layerProcessToken(Redacted.make("secret")).pipe(
        Layer.provide(introspection),
        Layer.provide(http)
      )
      const handlers = new Handlers()
      const host = Effect.provide(ConnectorHost.make(Desk), handlers.layer)
      const call = yield* overStdio(host, identity).pipe(Effect.provide(Logger.layer([])))
      authority.answers = undefined
      yield* TestClock.adjust("1 minute")
      const { _meta: meta } = yield* call(params)
      assert.strictEqual(meta["ferrule/error"].class, "TransientError")
      assert.strictEqual(meta["ferrule/error"].retryAfterMs, 5000)
      assert.strictEqual(handlers.runs, 0)
    })
  )
})

/** A host that keeps what it is called with. */
const recording = Effect.sync(() => {
  const requests: Array<ToolRequest> = []
  const host: ToolHost = {
    name: "recording",
    version: "1.0.0",
    title: undefined,
    instructions: undefined,
    scopes: [],
    list: () => [{ name: "who", inputSchema: { type: "object" } }],
    missingScopes: () => [],
    call: (request) => {
      requests.push(request)
      return Effect.succeed({ content: [] })
    }
  }
  return { host, requests }
})

describe("the token that proved a caller", () => {
  it.effect("is handed to the pipeline over HTTP, in both eras, directly and by the SDK, and over stdio", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const { host, requests } = yield* recording
      const secret = yield* token()
      const identity = Layer.orDie(Identity.layerJwt(options).pipe(Layer.provide(http)))
      const url = yield* serve(host, {}, identity)
      for (const request of [modern, legacy]) {
        for (const way of [{}, { unusual: 1 }]) yield* send(url, request("tools/call", { ...params, ...way }, secret))
      }
      const call = yield* overStdio(
        Effect.succeed(host),
        processToken(options).pipe(Layer.provide(environment({ DESK_TOKEN: secret })))
      )
      for (const request of Object.values(eras)) yield* call(request)
      assert.deepStrictEqual(
        requests.map(({ callerToken }) => callerToken && Redacted.value(callerToken)),
        Array.from({ length: 6 }, () => secret)
      )
    })
  )

  it.effect("stays behind where it is an entry of a table, which no authorization server would exchange", () =>
    Effect.gen(function* () {
      const { host, requests } = yield* recording
      const url = yield* serve(host)
      yield* send(url, modern("tools/call", params, adaToken))
      assert.deepStrictEqual(
        requests.map(({ callerToken }) => callerToken),
        [undefined]
      )
    })
  )
})
