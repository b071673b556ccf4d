/**
 * What a client is told about signing in: the metadata of RFC 9728 and the challenges that lead to it. And what becomes of a
 * token once it has done its work: nothing that a handler could reach, or a log or a trace keep.
 */
import { Identity } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Tracer } from "effect"
import { findInContext } from "../../core/test/fixtures/findInContext.ts"
import * as ConnectorHost from "../src/internal/connectorHost.ts"
import * as Serve from "../src/internal/serve.ts"
import { Desk, Handlers, serveDesk } from "./fixtures/desk.ts"
import { http, setUp } from "./fixtures/tokens.ts"
import { legacy, modern, send, tokens } from "./testHost.ts"

const metadataUrl = "https://desk.example.com/.well-known/oauth-protected-resource/mcp"
const call = (name: string) => ({ name, arguments: { name: "x" } })
const jwt = (options: Parameters<typeof Identity.layerJwt>[0]) => Identity.layerJwt(options).pipe(Layer.provide(http))
const eras = [modern, legacy]
// The second leaves the request to the SDK.
const ways = [{}, { unusual: 1 }]

const wellKnown = (url: URL) => new URL("/.well-known/oauth-protected-resource/mcp", url)

describe("the metadata of the resource", () => {
  it.effect("is served beside the endpoint, to everybody", () =>
    Effect.gen(function* () {
      const { authority, options } = yield* setUp
      const url = yield* serveDesk(new Handlers(), jwt(options))
      const answer = yield* send(wellKnown(url), { method: "GET" })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers["content-type"], "application/json")
      assert.strictEqual(answer.headers["access-control-allow-origin"], "*")
      assert.deepStrictEqual(answer.json, {
        resource: "https://desk.example.com/mcp",
        authorization_servers: [authority.issuer],
        scopes_supported: ["desk:read", "desk:write"],
        bearer_methods_supported: ["header"],
        resource_name: "A desk"
      })
      const preflight = yield* send(wellKnown(url), { method: "OPTIONS" })
      assert.strictEqual(preflight.status, 204)
      assert.strictEqual(preflight.headers["access-control-allow-headers"], "*")
      assert.strictEqual((yield* send(wellKnown(url), { method: "POST" })).status, 405)
    })
  )

  it.effect("names the resource as clients call it, and the scopes as they ask for them", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const audience = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
      const identity = jwt({
        ...options,
        audience,
        resource: "https://gateway.example.com/desks/one",
        scopePrefix: `api://${audience}/`,
        signInScopes: ["desk:read"]
      })
      const url = yield* serveDesk(new Handlers(), identity)
      const path = "/.well-known/oauth-protected-resource/desks/one"
      const { json } = yield* send(new URL(path, url), { method: "GET" })
      assert.strictEqual(json.resource, "https://gateway.example.com/desks/one")
      assert.deepStrictEqual(json.scopes_supported, [`api://${audience}/desk:read`, `api://${audience}/desk:write`])
      const missing = yield* send(url, modern("tools/list", {}, ""))
      assert.strictEqual(
        missing.headers["www-authenticate"],
        `Bearer scope="api://${audience}/desk:read", resource_metadata="https://gateway.example.com${path}"`
      )
      const reader = yield* token({ aud: audience, scope: "desk:read" })
      const lacking = yield* send(url, modern("tools/call", call("write"), reader))
      assert.include(
        lacking.headers["www-authenticate"],
        `scope="api://${audience}/desk:read api://${audience}/desk:write"`
      )
    })
  )

  it.effect("is served by the fetch handler too, and by no endpoint without an authorization server", () =>
    Effect.gen(function* () {
      const { options } = yield* setUp
      const handlers = new Handlers()
      const fetch = yield* Serve.fetchHandler(ConnectorHost.make(Desk)).pipe(
        Effect.provide([jwt(options), handlers.layer])
      )
      const found = yield* Effect.promise(() =>
        fetch(new Request("http://localhost/.well-known/oauth-protected-resource/mcp"))
      )
      assert.strictEqual(found.status, 200)
      const elsewhere = yield* Effect.promise(() => fetch(new Request("http://localhost/.well-known/other")))
      assert.strictEqual(elsewhere.status, 403)
      const url = yield* serveDesk(handlers, tokens)
      assert.strictEqual((yield* send(wellKnown(url), { method: "GET" })).status, 404)
    })
  )
})

describe("a fetch handler", () => {
  it.effect("refuses credentials that are presented twice or in the query", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const handlers = new Handlers()
      const fetch = yield* Serve.fetchHandler(ConnectorHost.make(Desk)).pipe(
        Effect.provide([jwt(options), handlers.layer])
      )
      const good = `Bearer ${yield* token()}`
      const { body, headers } = modern("tools/call", call("who"), "")
      const ask = (authorization: ReadonlyArray<string>, query = "") =>
        Effect.promise(() => {
          const all = new Headers({ ...headers, host: "localhost" })
          for (const value of authorization) all.append("authorization", value)
          return fetch(new Request(`http://localhost/mcp${query}`, { method: "POST", headers: all, body }))
        })
      assert.strictEqual((yield* ask([good])).status, 200)
      for (const refused of [yield* ask([good, good]), yield* ask([good], `?access_token=${good.slice(7)}`)]) {
        assert.strictEqual(refused.status, 401)
        assert.include(refused.headers.get("www-authenticate"), 'Bearer error="invalid_request"')
      }
      assert.strictEqual(handlers.runs, 1)
    })
  )
})

describe("a caller who lacks a scope", () => {
  it.effect("gets one challenge with every scope of the call, in both eras, directly and by the SDK", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, jwt(options))
      const reader = yield* token({ scope: "desk:read" })
      for (const request of eras) {
        for (const way of ways) {
          const refused = yield* send(url, request("tools/call", { ...call("write"), ...way }, reader))
          assert.strictEqual(refused.status, 403)
          assert.strictEqual(
            refused.headers["www-authenticate"],
            `Bearer error="insufficient_scope", error_description="Insufficient scope", scope="desk:read desk:write", resource_metadata="${metadataUrl}"`
          )
          const wrong = { name: "write", arguments: { name: 7 }, ...way }
          const invalid = yield* send(url, request("tools/call", wrong, reader))
          assert.strictEqual(invalid.status, 200)
          assert.strictEqual(invalid.json.result._meta["ferrule/error"].class, "ValidationError")
          assert.strictEqual(handlers.runs, 0)
        }
      }
      const allowed = yield* send(url, modern("tools/call", call("read"), reader))
      assert.strictEqual(allowed.status, 200)
      assert.strictEqual(handlers.runs, 1)
    })
  )
})

describe("a token", () => {
  it.effect("is nowhere in the context of a handler, in both eras, directly and by the SDK", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, jwt(options))
      const secret = yield* token()
      const found: Array<string> = []
      handlers.look = Effect.map(Effect.context(), (context) => void found.push(...findInContext(context, secret)))
      for (const request of eras) {
        for (const way of ways) {
          for (const name of ["who", "write"]) {
            const answer = yield* send(url, request("tools/call", { ...call(name), ...way }, secret))
            assert.strictEqual(answer.status, 200)
          }
        }
      }
      // Four reads, and one write that is then replayed.
      assert.strictEqual(handlers.runs, 5)
      assert.deepStrictEqual(found, [])
    })
  )

  it.effect("that came in the query is not in the trace of the request that was refused for it", () =>
    Effect.gen(function* () {
      const { options, token } = yield* setUp
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (details) => {
          const span = new Tracer.NativeSpan(details)
          spans.push(span)
          return span
        }
      })
      const url = yield* serveDesk(new Handlers(), jwt(options)).pipe(Effect.provideService(Tracer.Tracer, tracer))
      const secret = yield* token()
      const refused = yield* send(new URL(`${url.href}?access_token=${secret}`), modern("tools/list", {}, secret))
      assert.strictEqual(refused.status, 401)
      const attributes = spans.map((span) => Object.fromEntries(span.attributes))
      assert.deepInclude(attributes.at(-1), { "url.path": "/mcp", "http.response.status_code": 401 })
      assert.notInclude(JSON.stringify(attributes), secret)
    })
  )
})
