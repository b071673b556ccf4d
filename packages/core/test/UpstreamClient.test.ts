import { AuthorizationError, Credential, TransientError, Upstream, ValidationError } from "@ferrule/core"
import * as UpstreamClient from "@ferrule/core/UpstreamClient"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer, Logger, Redacted, Schema, Stream, Tracer } from "effect"
import { FetchHttpClient, HttpClientRequest } from "effect/http"
import type * as Http from "node:http"
import { inspect } from "node:util"
import { bodyOf, serve } from "./fixtures/httpServer.ts"

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** An upstream that takes the tokens in `accepted`, and keeps what it was sent. */
const upstream = (answer: (seen: Seen, response: Http.ServerResponse) => void = (_, response) => response.end("{}")) =>
  Effect.gen(function* () {
    const accepted = new Set<string>()
    const requests: Array<Seen> = []
    const url = yield* serve(() => async (request, response) => {
      const seen = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: await bodyOf(request)
      }
      requests.push(seen)
      const token = request.headers.authorization?.replace("Bearer ", "") ?? String(request.headers["x-api-key"])
      if (!accepted.has(token)) return response.writeHead(401).end(`{"refused":"${token}"}`)
      return answer(seen, response)
    })
    return { url, accepted, requests }
  })

/** Tokens that count up, so that a dropped one is followed by another. */
const counted = (asked: { count: number } = { count: 0 }) =>
  Layer.effect(
    Credential.Credential,
    Credential.make(Effect.sync(() => ({ value: Redacted.make(`secret-token-${++asked.count}`) })))
  )

const clientOf = (
  options: Omit<UpstreamClient.Options, "name">,
  credential: Layer.Layer<Credential.Credential, unknown> = counted()
) =>
  Effect.flatMap(Layer.build(credential), (context) =>
    Effect.provideContext(UpstreamClient.make({ name: "The desk", ...options }), context)
  )

const faultOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, Upstream.Fault)
    return { message: defect.message, applied: defect.applied }
  })

const quiet = Effect.provide(Logger.layer([]))
const tokensOf = (requests: ReadonlyArray<Seen>) => requests.map(({ headers }) => headers.authorization)

describe("UpstreamClient", () => {
  it.effect("sends the token below its address, and gives the answer", () =>
    Effect.gen(function* () {
      const { url, accepted, requests } = yield* upstream((_, response) => response.end(`{"id":7}`))
      accepted.add("secret-token-1")
      const desk = yield* clientOf({ url: `${url}/api` })
      const Ticket = Schema.Struct({ id: Schema.Int })
      const ticket = yield* desk
        .get("/tickets/7", { urlParams: { full: true } })
        .pipe(Upstream.json(Ticket, { name: "The desk" }))
      assert.deepStrictEqual(ticket, { id: 7 })
      yield* desk.get(`${url}/api/tickets?page=2`)
      assert.deepStrictEqual(
        requests.map(({ url }) => url),
        ["/api/tickets/7?full=true", "/api/tickets?page=2"]
      )
      assert.deepStrictEqual(tokensOf(requests), ["Bearer secret-token-1", "Bearer secret-token-1"])
    })
  )

  it.effect("sends the bare token in a header of the upstream's own", () =>
    Effect.gen(function* () {
      const { url, accepted, requests } = yield* upstream()
      accepted.add("secret-token-1")
      const desk = yield* clientOf({ url, header: "X-Api-Key" })
      yield* desk.get("/")
      assert.strictEqual(requests[0]?.headers["x-api-key"], "secret-token-1")
      assert.isUndefined(requests[0]?.headers.authorization)
    })
  )

  it.effect("gives every failure its class, except the statuses that are answers", () =>
    Effect.gen(function* () {
      const { url, accepted } = yield* upstream(({ url }, response) => response.writeHead(Number(url.slice(1))).end())
      accepted.add("secret-token-1")
      const desk = yield* clientOf({ url, pass: [404] })
      assert.strictEqual((yield* desk.get("/204")).status, 204)
      assert.strictEqual((yield* desk.get("/404")).status, 404)
      assert.instanceOf(yield* Effect.flip(desk.get("/422")), ValidationError)
      assert.instanceOf(yield* Effect.flip(desk.get("/403")), AuthorizationError)
      assert.instanceOf(yield* Effect.flip(desk.get("/503")), TransientError)
      const gone = yield* Effect.scoped(Effect.map(upstream(), ({ url }) => url))
      const unreachable = yield* Effect.flip((yield* clientOf({ url: gone })).post("/"))
      assert.instanceOf(unreachable, TransientError)
      assert.strictEqual(unreachable.applied, "no")
    }).pipe(quiet)
  )

  describe("after 401", () => {
    it.effect("sends a write once more, whole, with another token", () =>
      Effect.gen(function* () {
        const { url, accepted, requests } = yield* upstream()
        accepted.add("secret-token-2")
        const desk = yield* clientOf({ url })
        const request = HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post("/tickets"), { subject: "Printer" })
        assert.strictEqual((yield* desk.execute(request)).status, 200)
        assert.deepStrictEqual(tokensOf(requests), ["Bearer secret-token-1", "Bearer secret-token-2"])
        assert.deepStrictEqual(
          requests.map(({ body }) => body),
          [`{"subject":"Printer"}`, `{"subject":"Printer"}`]
        )
      })
    )

    it.effect("gives up when the second token is refused too", () =>
      Effect.gen(function* () {
        const { url, requests } = yield* upstream()
        const desk = yield* clientOf({ url })
        assert.instanceOf(yield* Effect.flip(desk.post("/tickets")), AuthorizationError)
        assert.lengthOf(requests, 2)
      }).pipe(quiet)
    )

    it.effect("does not send the same token twice", () =>
      Effect.gen(function* () {
        const { url, requests } = yield* upstream()
        const desk = yield* clientOf({ url }, Credential.layerStatic(Redacted.make("static-token")))
        assert.instanceOf(yield* Effect.flip(desk.get("/")), AuthorizationError)
        assert.lengthOf(requests, 1)
      }).pipe(quiet)
    )

    it.effect("does not send a stream twice: the call can be repeated, since nothing was done", () =>
      Effect.gen(function* () {
        const { url, accepted, requests } = yield* upstream()
        accepted.add("secret-token-2")
        const desk = yield* clientOf({ url })
        const post = desk.execute(
          HttpClientRequest.bodyStream(HttpClientRequest.post("/"), Stream.make(new Uint8Array([1])))
        )
        const error = yield* Effect.flip(post)
        assert.instanceOf(error, TransientError)
        assert.strictEqual(error.applied, "no")
        assert.lengthOf(requests, 1)
        assert.strictEqual((yield* post).status, 200)
      })
    )

    it.effect("says that a write was not done when no other token can be had", () =>
      Effect.gen(function* () {
        const { url } = yield* upstream()
        let count = 0
        const once = Credential.layer(
          Effect.suspend(() =>
            ++count === 1
              ? Effect.succeed({ value: Redacted.make("secret-token-1") })
              : Effect.fail(new TransientError({ message: "The vault is sealed" }))
          )
        )
        const error = yield* Effect.flip((yield* clientOf({ url }, once)).post("/tickets"))
        assert.instanceOf(error, TransientError)
        assert.strictEqual(error.applied, "no")
      }).pipe(quiet)
    )

    it.effect("1,000 calls whose token was revoked all succeed, with one more token", () =>
      Effect.gen(function* () {
        const { url, accepted, requests } = yield* upstream()
        const asked = { count: 0 }
        accepted.add("secret-token-1")
        const desk = yield* clientOf({ url }, counted(asked))
        yield* desk.get("/")
        accepted.delete("secret-token-1")
        accepted.add("secret-token-2")
        const answers = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, n) => n),
          (n) => desk.get(`/${n}`),
          {
            concurrency: 200
          }
        )
        assert.isTrue(answers.every(({ status }) => status === 200))
        assert.strictEqual(asked.count, 2)
        assert.strictEqual(tokensOf(requests).filter((token) => token === "Bearer secret-token-2").length, 1000)
      })
    )
  })

  describe("keeps the token to itself:", () => {
    it.effect("https is required, except on this machine", () =>
      Effect.gen(function* () {
        const faultAt = (url: string) =>
          Effect.map(Effect.exit(clientOf({ url })), (exit) =>
            Exit.isSuccess(exit) ? undefined : (Cause.squash(exit.cause) as { faults: ReadonlyArray<string> }).faults[0]
          )
        const inTheClear =
          "url can't be used: it must begin with https:, except on this machine, or everyone on the way can read the secret"
        for (const url of [
          "http://desk.example.com",
          "http://10.0.0.1",
          "http://127.0.0.1.example.com",
          "http://localhost.example.com",
          "ftp://desk.example.com"
        ]) {
          assert.strictEqual(yield* faultAt(url), inTheClear)
        }
        for (const url of [
          "https://desk.example.com/api",
          "http://localhost:8080",
          "http://127.1.2.3",
          "http://[::1]:80"
        ]) {
          assert.isUndefined(yield* faultAt(url))
        }
        assert.strictEqual(yield* faultAt("desk"), "url can't be used: it is no URL")
        assert.strictEqual(
          yield* faultAt("https://desk.example.com?key=1"),
          "url can't be used: it has a query or a fragment"
        )
        assert.strictEqual(
          yield* faultAt("https://ada:pw@desk.example.com"),
          "url can't be used: it holds a user name or a password, which ends up in logs"
        )
      })
    )

    it.effect("a redirect is not followed, to this host or another", () =>
      Effect.gen(function* () {
        const other = yield* upstream()
        for (const status of [301, 302, 303, 307, 308]) {
          for (const location of [`${other.url}/steal`, "/elsewhere"]) {
            const { url, accepted, requests } = yield* upstream((_, response) =>
              response.writeHead(status, { location }).end()
            )
            accepted.add("secret-token-1")
            assert.deepStrictEqual(yield* faultOf((yield* clientOf({ url })).post("/")), {
              message: `The desk answered with a redirect (status ${status}), which is not followed, since the token would go with it: give its final address as url`,
              // A 303 stands for a write that is done.
              applied: undefined
            })
            assert.lengthOf(requests, 1)
          }
        }
        assert.lengthOf(other.requests, 0)
      })
    )

    it.effect("nothing is sent to what is not below the address", () =>
      Effect.gen(function* () {
        const other = yield* upstream()
        const { url, requests } = yield* upstream()
        const desk = yield* clientOf({ url: `${url}/api` })
        for (const place of [
          `${other.url}/`,
          `${url}/admin`,
          `${url}/apix`,
          "/../admin",
          "/tickets/../../admin",
          "/%2e%2e/admin",
          "/tickets/..%2f..%2Fadmin",
          "/tickets/%2E%2e%5Cadmin",
          "/tickets%2f..",
          "/tickets/..;/admin"
        ]) {
          const { applied, message } = yield* faultOf(desk.get(place))
          assert.strictEqual(message, `The desk was to be sent a request for what is not below ${url}/api/`)
          assert.strictEqual(applied, "no")
        }
        assert.lengthOf([...requests, ...other.requests], 0)
        for (const place of ["//evil.example.com/x", "@evil.example.com"]) yield* Effect.exit(desk.get(place))
        assert.isTrue(requests.every(({ url }) => url.startsWith("/api/")))
      }).pipe(quiet)
    )

    it.effect("no request, response, error or span that the client gives out has it", () =>
      Effect.gen(function* () {
        const { url, accepted } = yield* upstream(({ url }, response) => response.end(url === "/ok" ? "{" : "{}"))
        accepted.add("secret-token-1")
        const desk = yield* clientOf({ url })
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const response = yield* Effect.withTracer(desk.get("/ok"), tracer)
        const unreadable = yield* Effect.flip(response.json)
        const everything = inspect([response, response.request, unreadable, spans], {
          depth: 12,
          showHidden: true,
          getters: true
        })
        assert.lengthOf(spans, 1)
        assert.include(everything, "/ok")
        assert.notInclude(everything, "secret-token-1")
      })
    )

    it.effect("nor has a span the values of a query, in its attributes or its errors", () =>
      Effect.gen(function* () {
        const { url, accepted, requests } = yield* upstream((_, response) => response.writeHead(404).end())
        accepted.add("secret-token-1")
        const desk = yield* clientOf({ url, pass: [404] })
        const attributes: Array<unknown> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            const { attribute, end } = span
            return Object.assign(span, {
              attribute: (key: string, value: unknown) => {
                attributes.push([key, value])
                attribute.call(span, key, value)
              },
              // As exporters do, at once.
              end: (at: bigint, exit: Exit.Exit<unknown, unknown>) => {
                if (Exit.isFailure(exit)) attributes.push(Cause.pretty(exit.cause).split("\n")[0])
                end.call(span, at, exit)
              }
            })
          }
        })
        yield* Effect.withTracer(desk.get("/search?name=Jane+Doe", { urlParams: { born: "1970-01-01" } }), tracer)
        assert.strictEqual(requests[0]?.url, "/search?name=Jane+Doe&born=1970-01-01")
        assert.deepInclude(attributes, ["url.query", "name=REDACTED&born=REDACTED"])
        assert.include(attributes, `HttpClientError: StatusCode error (404 GET ${url}/search?name=REDACTED)`)
        assert.notMatch(inspect(attributes), /Jane|1970/)
      })
    )

    it.effect("a handler's own fetch does not get it", () =>
      Effect.gen(function* () {
        const { url, accepted } = yield* upstream()
        accepted.add("secret-token-1")
        const desk = yield* clientOf({ url })
        const seen: Array<unknown> = []
        const spy: typeof globalThis.fetch = (...args) => {
          seen.push(args)
          return Promise.resolve(new Response("{}"))
        }
        const response = yield* Effect.provideService(desk.get("/"), FetchHttpClient.Fetch, spy)
        assert.strictEqual(response.status, 200)
        assert.deepStrictEqual(seen, [])
      })
    )
  })

  it.effect("carries the trace", () =>
    Effect.gen(function* () {
      const { url, accepted, requests } = yield* upstream()
      accepted.add("secret-token-1")
      const desk = yield* clientOf({ url })
      const traceId = yield* Effect.useSpan("call", (span) =>
        Effect.as(Effect.withParentSpan(desk.get("/"), span), span.traceId)
      )
      assert.match(String(requests[0]?.headers["traceparent"]), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`))
    })
  )
})
