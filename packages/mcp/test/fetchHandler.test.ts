import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as Serve from "../src/internal/serve.ts"
import * as Endpoint from "../src/internal/httpEndpoint.ts"
import * as WebHttp from "../src/internal/webHttp.ts"
import { ada, adaToken, legacy, makeHost, modern, send, serve, tokens, vicToken } from "./testHost.ts"

const url = "http://localhost:8000/mcp"

const webRequest = (
  { body, headers }: { body: string; headers: Record<string, string> },
  signal: AbortSignal | null = null
) => new Request(url, { method: "POST", headers: { ...headers, host: "localhost:8000" }, body, signal })

const messageOf = async (response: Response): Promise<unknown> => {
  const text = await response.text()
  return JSON.parse(text.startsWith("event: ") ? text.replace("event: message\ndata: ", "") : text)
}

describe("the fetch handler", () => {
  it.effect("answers calls, and refuses what the Node endpoint refuses", () =>
    Effect.gen(function* () {
      const handler = yield* Serve.fetchHandler(
        Effect.map(makeHost, ({ host }) => host),
        { maxBodySize: 1000 }
      )
      const status = (request: Request) =>
        Effect.map(
          Effect.promise(() => handler(request)),
          ({ status }) => status
        )
      const listing = modern("tools/list")
      assert.strictEqual(yield* status(webRequest(listing)), 200)
      assert.strictEqual(yield* status(webRequest(modern("tools/list", {}, ""))), 401)
      assert.strictEqual(yield* status(webRequest(modern("tools/call", { name: "scoped" }, vicToken))), 403)
      const evil = { ...listing.headers, origin: "https://evil.example" }
      assert.strictEqual(yield* status(webRequest({ ...listing, headers: evil })), 403)
      const get = new Request(url, { headers: { host: "localhost", authorization: `Bearer ${adaToken}` } })
      assert.strictEqual(yield* status(get), 405)
      const text = { ...listing.headers, "content-type": "text/plain" }
      assert.strictEqual(yield* status(webRequest({ ...listing, headers: text })), 415)
      assert.strictEqual(yield* status(webRequest({ ...listing, body: "x".repeat(1001) })), 413)
      assert.strictEqual(yield* status(webRequest({ ...listing, body: "[]" })), 400)
      assert.strictEqual(yield* status(webRequest({ ...listing, body: "{" })), 400)
    }).pipe(Effect.provide(tokens))
  )

  it.effect("refuses bytes that are no UTF-8 as the Node endpoint does, in one piece or in several", () =>
    Effect.gen(function* () {
      const { host } = yield* makeHost
      const handler = yield* Serve.fetchHandler(Effect.succeed(host), { maxBodySize: 1000 })
      const node = yield* serve(host, { maxBodySize: 1000 })
      const { headers, body } = modern("tools/call", { name: "echo", arguments: { text: "é" } })
      const bytes = Buffer.from(body)
      const cut = bytes.indexOf("é") + 1
      const post = (...pieces: ReadonlyArray<Buffer>) => {
        const stream = new ReadableStream({
          start: (controller) => {
            for (const piece of pieces) controller.enqueue(new Uint8Array(piece))
            controller.close()
          }
        })
        const all = { ...headers, host: "localhost:8000" }
        // `duplex` is not in the web's types yet.
        const init = { method: "POST", headers: all, body: stream, duplex: "half" } as RequestInit
        return Effect.promise(async () => {
          const answer = await handler(new Request(url, init))
          return { status: answer.status, text: await answer.text() }
        })
      }
      const whole = yield* post(bytes.subarray(0, cut), bytes.subarray(cut))
      assert.strictEqual(whole.status, 200)
      assert.include(whole.text, "é")
      const broken = Buffer.from(body.replace("é", "?"))
      broken[broken.indexOf("?")] = 0xff
      const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])
      for (const [wrong, at] of [[broken, 10] as const, [bytes.subarray(0, cut), cut] as const, [marked, 3] as const]) {
        const onNode = yield* send(node, { headers, body: wrong })
        assert.strictEqual(onNode.status, 400)
        assert.strictEqual(onNode.json.error.message, "The body is not JSON in UTF-8")
        assert.deepStrictEqual(yield* post(wrong), { status: 400, text: onNode.text })
        assert.deepStrictEqual(yield* post(wrong.subarray(0, at), wrong.subarray(at)), {
          status: 400,
          text: onNode.text
        })
      }
      assert.strictEqual((yield* post(bytes, Buffer.alloc(1000, 32))).status, 413)
    }).pipe(Effect.provide(tokens))
  )

  it.effect("interrupts the call of an aborted request", () =>
    Effect.gen(function* () {
      const { host, interrupted, started } = yield* makeHost
      const handler = yield* Serve.fetchHandler(Effect.succeed(host))
      for (const _meta of [{}, { progressToken: 1 }]) {
        const abort = new AbortController()
        const answer = handler(webRequest(modern("tools/call", { name: "slow", _meta }), abort.signal))
        yield* Deferred.await(started)
        abort.abort()
        yield* Deferred.await(interrupted)
        yield* Effect.ignore(Effect.tryPromise(() => answer))
      }
    }).pipe(Effect.provide(tokens))
  )
})

describe("the direct way", () => {
  const requests = [modern, legacy].flatMap((request) => [
    request("tools/list", {}),
    request("tools/call", { name: "echo", arguments: { text: '\u2028 "quoted" \\ 🎫' } }),
    request("tools/call", { name: "echo" }),
    request("tools/call", {
      name: "whoami",
      arguments: {},
      _meta: { traceparent: "t", "ferrule/idempotencyKey": "k" }
    }),
    request("tools/call", { name: "broken", arguments: {} }),
    request("tools/call", { name: "no_such_tool", arguments: {} }),
    request("tools/call", { name: "secret", arguments: {} })
  ])

  it.effect("gives the same answers as the SDK", () =>
    Effect.gen(function* () {
      const { host } = yield* makeHost
      const endpoint = yield* Endpoint.make({ ...host, list: (who) => host.list(who).slice(0, 7) }, {})
      const direct = WebHttp.handler(endpoint)
      for (const request of requests) {
        const ours = yield* direct(webRequest(request))
        const theirs = yield* Effect.promise(() =>
          endpoint.viaSdk(webRequest(request), { principal: ada }, JSON.parse(request.body))
        )
        assert.strictEqual(ours.status, theirs.status)
        assert.strictEqual(ours.headers.get("content-type"), "application/json")
        assert.deepStrictEqual(
          yield* Effect.promise(() => messageOf(ours)),
          yield* Effect.promise(() => messageOf(theirs))
        )
      }
    }).pipe(Effect.provide(tokens))
  )
})
