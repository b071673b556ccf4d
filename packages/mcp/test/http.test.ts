import { Identity } from "@ferrule/mcp/Identity"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Logger } from "effect"
import { connect, createServer as createHttp2Server } from "node:http2"
import {
  ada,
  adaToken,
  baseHeaders,
  envelope,
  legacy,
  makeHost,
  modern,
  send,
  serve,
  tokens,
  vicToken
} from "./testHost.ts"

const call = (name: string, args: unknown = {}) => ({ name, arguments: args })

describe("the HTTP endpoint", () => {
  it.effect("answers a plain call of each era with the result alone", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const now = yield* send(url, modern("tools/call", call("echo", { text: "é" })))
      assert.strictEqual(now.status, 200)
      assert.strictEqual(now.headers["content-type"], "application/json")
      assert.deepStrictEqual(now.json, {
        jsonrpc: "2.0",
        id: 1,
        result: {
          content: [{ type: "text", text: '{"text":"é"}' }],
          resultType: "complete",
          _meta: {
            "io.modelcontextprotocol/serverInfo": { name: "test-desk", version: "1.2.3", title: "Test desk" }
          }
        }
      })
      const before = yield* send(url, legacy("tools/call", call("echo", { text: "é" })))
      assert.deepStrictEqual(before.json, {
        jsonrpc: "2.0",
        id: 1,
        result: { content: [{ type: "text", text: '{"text":"é"}' }] }
      })
    })
  )

  it.effect("hands arguments that are no object to the tool, and an empty object where there are none", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const request of [modern, legacy]) {
        const list = yield* send(url, request("tools/call", call("echo", [1])))
        assert.strictEqual(list.json.result.content[0].text, "[1]")
        const nothing = yield* send(url, request("tools/call", call("echo", null)))
        assert.strictEqual(nothing.json.result.content[0].text, "null")
        const absent = yield* send(url, request("tools/call", { name: "echo" }))
        assert.strictEqual(absent.json.result.content[0].text, "{}")
      }
    })
  )

  it.effect("gives an unknown tool and a hidden one the same answer, which does not repeat the name", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const request of [modern, legacy]) {
        const unknown = yield* send(url, request("tools/call", call("no_such_tool"), vicToken))
        const hidden = yield* send(url, request("tools/call", call("secret"), vicToken))
        assert.deepStrictEqual(unknown.json.error, {
          code: -32602,
          message: "Unknown tool: list the tools to see those available to you"
        })
        assert.strictEqual(hidden.text, unknown.text)
        assert.strictEqual(hidden.status, unknown.status)
        assert.strictEqual((yield* send(url, request("tools/call", call("secret")))).json.result.isError, undefined)
      }
    })
  )

  it.effect("lists to each caller what it may call, for that caller's cache only", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const names = ({ tools }: { tools: Array<{ name: string }> }) => tools.map(({ name }) => name)
      for (const request of [modern, legacy]) {
        const admin = yield* send(url, request("tools/list", {}))
        const viewer = yield* send(url, request("tools/list", {}, vicToken))
        assert.include(names(admin.json.result), "secret")
        assert.notInclude(names(viewer.json.result), "secret")
        const again = yield* send(url, request("tools/list", {}))
        assert.strictEqual(again.text, admin.text)
        if (request === modern) {
          assert.strictEqual(viewer.json.result.cacheScope, "private")
          assert.strictEqual(viewer.json.result.ttlMs, 60_000)
          assert.strictEqual(viewer.json.result.resultType, "complete")
        }
      }
      const cursor = yield* send(url, modern("tools/list", { cursor: "2" }))
      assert.strictEqual(cursor.json.error.code, -32602)
    })
  )

  it.effect("answers over HTTP/2 as well", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host, {}, tokens, createHttp2Server)
      const { body, headers } = modern("tools/call", call("whoami"), vicToken)
      const answer = yield* Effect.callback<string>((resume) => {
        const session = connect(url.origin)
        const stream = session.request({ ...headers, ":method": "POST", ":path": "/mcp" })
        let text = ""
        stream.setEncoding("utf8")
        stream.on("data", (chunk) => (text += chunk))
        stream.on("end", () => resume(Effect.succeed(text)))
        stream.end(body)
        return Effect.sync(() => session.destroy())
      })
      assert.deepStrictEqual(JSON.parse(answer).result.structuredContent, { id: "vic" })
    })
  )

  it.effect("never describes a defect to the client", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ cause, message }) => logged.push(message, cause))
      const url = yield* serve((yield* makeHost).host).pipe(Effect.provide(Logger.layer([logger])))
      for (const request of [modern, legacy]) {
        for (const meta of [{}, { _meta: { progressToken: 1 } }]) {
          const answer = yield* send(url, request("tools/call", { ...call("broken"), ...meta }))
          assert.deepStrictEqual(answer.json.error, { code: -32603, message: "Internal error" })
          assert.notInclude(answer.text, "hunter2")
        }
      }
      assert.include(String(logged), "hunter2")
    })
  )

  it.effect("passes the caller, the trace and the idempotency key to the tool", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      for (const request of [modern, legacy]) {
        const { headers, body } = request("tools/call", call("whoami"), vicToken)
        const answer = yield* send(url, { headers: { ...headers, traceparent, "idempotency-key": "k1" }, body })
        assert.deepStrictEqual(JSON.parse(answer.json.result.content[0].text), {
          id: "vic",
          traceparent,
          idempotencyKey: "k1"
        })
        assert.deepStrictEqual(answer.json.result.structuredContent, { id: "vic" })
        assert.strictEqual(answer.json.result._meta["ferrule/test"], true)
      }
      const inMeta = yield* send(url, modern("tools/call", { ...call("whoami"), _meta: { traceparent: "from-meta" } }))
      assert.include(inMeta.json.result.content[0].text, "from-meta")
    })
  )
})

describe("a caller", () => {
  it.effect("without a token, or with a bad one, gets a 401 with a challenge that repeats nothing", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const request = modern("tools/call", call("echo"), "")
      const missing = yield* send(url, request)
      assert.strictEqual(missing.status, 401)
      assert.strictEqual(missing.headers["www-authenticate"], "Bearer")
      assert.strictEqual(missing.json.error, "invalid_token")
      for (const authorization of ["Bearer wrong-token-0123456789", `bearer ${vicToken}x`]) {
        const wrong = yield* send(url, { ...request, headers: { ...request.headers, authorization } })
        assert.strictEqual(wrong.status, 401)
        assert.strictEqual(
          wrong.headers["www-authenticate"],
          'Bearer error="invalid_token", error_description="The credentials were not accepted."'
        )
        assert.notInclude(wrong.text + JSON.stringify(wrong.headers), "token-0123456789")
      }
      const basic = yield* send(url, { ...request, headers: { ...request.headers, authorization: "Basic YTpi" } })
      assert.strictEqual(basic.headers["www-authenticate"], "Bearer")
      const scheme = yield* send(url, {
        ...request,
        headers: { ...request.headers, authorization: `bearer ${adaToken}` }
      })
      assert.strictEqual(scheme.status, 200)
    })
  )

  it.effect("is refused by an identity that was declared for stdio", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host, {}, Identity.layerDeclared(ada))
      assert.strictEqual((yield* send(url, modern("tools/list", {}, ""))).status, 401)
      assert.strictEqual((yield* send(url, modern("tools/list"))).status, 401)
    })
  )

  it.effect("that lacks scopes gets a 403 that names all of them, but only for a call that could run", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const request of [modern, legacy]) {
        const refused = yield* send(url, request("tools/call", call("scoped"), vicToken))
        assert.strictEqual(refused.status, 403)
        assert.strictEqual(
          refused.headers["www-authenticate"],
          'Bearer error="insufficient_scope", error_description="Insufficient scope", scope="tickets:read tickets:write"'
        )
        const invalid = yield* send(url, request("tools/call", call("scoped", "not an object"), vicToken))
        assert.strictEqual(invalid.status, 200)
        const allowed = yield* send(url, request("tools/call", call("scoped")))
        assert.strictEqual(allowed.json.result.content[0].text, '"allowed"')
      }
    })
  )
})

describe("a request", () => {
  it.effect("to a foreign host or from a foreign page is refused before its credentials are looked at", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { body, headers } = modern("tools/list", {}, "")
      const status = (extra: Record<string, string>) =>
        Effect.map(send(url, { body, headers: { ...headers, ...extra } }), ({ status }) => status)
      assert.strictEqual(yield* status({ host: "evil.example" }), 403)
      assert.strictEqual(yield* status({ host: "localhost.evil.example:80" }), 403)
      assert.strictEqual(yield* status({ origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* status({ origin: "null" }), 403)
      assert.strictEqual(yield* status({ host: "localhost:99", origin: "http://127.0.0.1:3000" }), 401)
      assert.strictEqual(yield* status({ host: "[::1]:99" }), 401)
    })
  )

  it.effect("reaches the names that the server was given, and no longer the loopback ones", () =>
    Effect.gen(function* () {
      const { host } = yield* makeHost
      const url = yield* serve(host, { allowedHosts: ["desk.example"], allowedOrigins: ["app.example"] })
      const { body, headers } = modern("tools/list")
      const status = (extra: Record<string, string>) =>
        Effect.map(send(url, { body, headers: { ...headers, ...extra } }), ({ status }) => status)
      assert.strictEqual(yield* status({ host: "desk.example" }), 200)
      assert.strictEqual(yield* status({ host: "desk.example:443", origin: "https://app.example" }), 200)
      assert.strictEqual(yield* status({ host: "desk.example", origin: "https://desk.example" }), 403)
      assert.strictEqual(yield* status({}), 403)
    })
  )

  it.effect("with another method gets a 405, with another media type a 415", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const method of ["GET", "DELETE", "PUT"]) {
        const answer = yield* send(url, { method, headers: { authorization: `Bearer ${adaToken}` } })
        assert.strictEqual(answer.status, 405)
        assert.strictEqual(answer.headers.allow, "POST")
      }
      const { body, headers } = modern("tools/list")
      for (const type of ["text/plain", "application/jsonp", "application/json-seq"]) {
        const answer = yield* send(url, { body, headers: { ...headers, "content-type": type } })
        assert.strictEqual(answer.status, 415)
      }
      const charset = yield* send(url, {
        body,
        headers: { ...headers, "content-type": "application/json; charset=utf-8" }
      })
      assert.strictEqual(charset.status, 200)
    })
  )

  it.effect("with a body over the limit gets a 413, whether or not it says how long it is", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host, { maxBodySize: 1000 })
      const { headers } = modern("tools/list")
      const body = JSON.stringify({ filler: "x".repeat(2000) })
      const announced = yield* send(url, { headers: { ...headers, "content-length": String(body.length) }, body })
      assert.strictEqual(announced.status, 413)
      const chunked = yield* send(url, { headers: { ...headers, "transfer-encoding": "chunked" }, body })
      assert.strictEqual(chunked.status, 413)
      assert.deepStrictEqual(chunked.json.error, { code: -32600, message: "The body is larger than 1000 bytes" })
      assert.strictEqual((yield* send(url, modern("tools/list"))).status, 200)
    })
  )

  it.effect("of any size gets its 413 before it has been sent, and a client that asks first never sends it", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { body, headers } = modern("tools/call", call("echo", { text: "x".repeat(3_000_000) }))
      const large = yield* send(url, { headers, body })
      assert.strictEqual(large.status, 200)
      assert.strictEqual((yield* send(url, { headers, body: Buffer.alloc(5_000_000, 32) })).status, 413)
      const expecting = { ...headers, expect: "100-continue" }
      assert.strictEqual((yield* send(url, { headers: expecting, body })).status, 200)
      const refused = yield* send(url, { headers: { ...expecting, "content-length": "999999999" } })
      assert.strictEqual(refused.status, 413)
    })
  )

  it.effect("that is not one JSON-RPC message gets a 400 that says so", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const error = (body: string) =>
        Effect.map(send(url, { headers: baseHeaders(), body }), ({ status, json }) => [status, json.error.code])
      assert.deepStrictEqual(yield* error("{nonsense"), [400, -32700])
      assert.deepStrictEqual(yield* error(""), [400, -32700])
      assert.deepStrictEqual(yield* error('[{"jsonrpc":"2.0","id":1,"method":"ping"}]'), [400, -32600])
      assert.deepStrictEqual(yield* error("[]"), [400, -32600])
      assert.deepStrictEqual(yield* error("42"), [400, -32600])
      assert.deepStrictEqual(yield* error('{"jsonrpc":"1.0","id":1,"method":"ping"}'), [400, -32600])
    })
  )

  it.effect("of the 2026 era must say the same in its headers as in its body", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { body, headers } = modern("tools/call", call("echo"))
      const outcome = (change: Record<string, string | undefined>) => {
        const merged = Object.entries({ ...headers, ...change }).filter(
          (entry): entry is [string, string] => !!entry[1]
        )
        return Effect.map(send(url, { body, headers: Object.fromEntries(merged) }), ({ status, json }) => [
          status,
          json.error?.code
        ])
      }
      assert.deepStrictEqual(yield* outcome({ "mcp-method": undefined }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-method": "tools/list" }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-name": undefined }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-name": "secret" }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-name": "=?base64?c2VjcmV0?=" }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-name": "=?base64?***?=" }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-name": "=?base64?ZWNobw==?=" }), [200, undefined])
      assert.deepStrictEqual(yield* outcome({ "mcp-protocol-version": undefined }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-protocol-version": "2025-11-25" }), [400, -32020])
    })
  )

  it.effect("of the 2026 era must carry a whole envelope of a revision that is served", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { headers } = modern("tools/call", call("echo"))
      const outcome = (meta: Record<string, unknown> | undefined, version = "2026-07-28") => {
        const body = JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { ...call("echo"), ...(meta === undefined ? {} : { _meta: meta }) }
        })
        return Effect.map(
          send(url, { body, headers: { ...headers, "mcp-protocol-version": version } }),
          ({ status, json }) => [status, json.error?.code]
        )
      }
      assert.deepStrictEqual(yield* outcome(undefined), [400, -32602])
      const { "io.modelcontextprotocol/clientCapabilities": _, ...incomplete } = envelope
      assert.deepStrictEqual(yield* outcome(incomplete), [400, -32602])
      const wrong = { ...envelope, "io.modelcontextprotocol/clientCapabilities": "none" }
      assert.deepStrictEqual(yield* outcome(wrong), [400, -32602])
      const future = { ...envelope, "io.modelcontextprotocol/protocolVersion": "2030-01-01" }
      assert.deepStrictEqual(yield* outcome(future, "2030-01-01"), [400, -32022])
      assert.deepStrictEqual(yield* outcome(envelope), [200, undefined])
    })
  )

  it.effect("must repeat a header parameter of the tool, and the tool does not run when it differs", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { body, headers } = modern("tools/call", call("region", { region: "Köln" }))
      const outcome = (extra: Record<string, string>) =>
        Effect.map(send(url, { body, headers: { ...headers, ...extra } }), ({ status, json }) => [
          status,
          json.error?.code
        ])
      assert.deepStrictEqual(yield* outcome({}), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-param-region": "Bonn" }), [400, -32020])
      assert.deepStrictEqual(yield* outcome({ "mcp-param-region": "=?base64?S8O2bG4=?=" }), [200, undefined])
      assert.strictEqual((yield* send(url, legacy("tools/call", call("region", { region: "Köln" })))).status, 200)
    })
  )

  it.effect("for a method that does not exist gets a 404 in the 2026 era, and an error in the 2025 one", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const now = yield* send(url, modern("tools/burn"))
      assert.deepStrictEqual([now.status, now.json.error.code], [404, -32601])
      const before = yield* send(url, legacy("tools/burn", {}))
      assert.include(before.text, "-32601")
    })
  )

  it.effect("of the 2025 era can initialize, notify and ping without a session", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const protocolVersion of ["2025-11-25", "2025-06-18"]) {
        const { headers, body } = legacy("initialize", {
          protocolVersion,
          capabilities: {},
          clientInfo: { name: "test", version: "1" }
        })
        const answer = yield* send(url, { headers, body })
        assert.include(answer.text, `"protocolVersion":"${protocolVersion}"`)
        assert.include(answer.text, '"name":"test-desk"')
        assert.include(answer.text, '"instructions":"Ask before you delete."')
        assert.strictEqual(answer.headers["mcp-session-id"], undefined)
      }
      const notified = yield* send(url, {
        headers: baseHeaders(),
        body: JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })
      })
      assert.deepStrictEqual([notified.status, notified.text], [202, ""])
      assert.include((yield* send(url, legacy("ping"))).text, '"result":{}')
    })
  )

  it.effect("of the 2026 era discovers what the server is", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { result } = (yield* send(url, modern("server/discover"))).json
      assert.deepStrictEqual(result.supportedVersions, ["2026-07-28"])
      assert.deepStrictEqual(result.capabilities, { tools: { listChanged: false } })
      assert.strictEqual(result.instructions, "Ask before you delete.")
      assert.strictEqual(result.resultType, "complete")
      assert.strictEqual(result._meta["io.modelcontextprotocol/serverInfo"].name, "test-desk")
    })
  )
})

describe("a call", () => {
  it.effect("streams rising progress to a client that asked for it, and nothing after its result", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const request of [modern, legacy]) {
        const answer = yield* send(url, request("tools/call", { ...call("steps"), _meta: { progressToken: "p" } }))
        assert.strictEqual(answer.headers["content-type"], "text/event-stream")
        assert.strictEqual(answer.headers["x-accel-buffering"], "no")
        const events = answer.text
          .split("\n\n")
          .filter((event) => event !== "")
          .map((event) => JSON.parse(event.replace("event: message\ndata: ", "")))
        assert.deepStrictEqual(
          events.map(({ params }) => params),
          [
            { progressToken: "p", progress: 10, total: 100, message: "a tenth" },
            { progressToken: "p", progress: 50, total: 100 },
            undefined
          ]
        )
        assert.deepStrictEqual(events[2].result.content, [{ type: "text", text: '{"reported":true}' }])
      }
    })
  )

  it.effect("answers JSON to a client that did not ask for progress, or takes no stream", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const silent = yield* send(url, modern("tools/call", call("steps")))
      assert.strictEqual(silent.json.result.content[0].text, '{"reported":false}')
      const { headers, body } = modern("tools/call", { ...call("steps"), _meta: { progressToken: 1 } })
      const json = yield* send(url, { headers: { ...headers, accept: "application/json" }, body })
      assert.strictEqual(json.json.result.content[0].text, '{"reported":false}')
    })
  )

  for (const [era, request] of [["2026", modern] as const, ["2025", legacy] as const]) {
    it.effect(`of the ${era} era is interrupted when its client disconnects`, () =>
      Effect.gen(function* () {
        const { host, interrupted, started } = yield* makeHost
        const url = yield* serve(host)
        yield* Effect.raceFirst(send(url, request("tools/call", call("slow"))), Deferred.await(started))
        yield* Deferred.await(interrupted)
        assert.strictEqual((yield* send(url, request("tools/call", call("echo")))).status, 200)
      })
    )

    it.effect(`of the ${era} era is interrupted on the SDK's way too`, () =>
      Effect.gen(function* () {
        const { host, interrupted, started } = yield* makeHost
        const url = yield* serve({
          ...host,
          // A header parameter, even an unused one, leaves the call to the SDK.
          list: (principal) =>
            host.list(principal).map((tool) => ({
              ...tool,
              inputSchema: { ...tool.inputSchema, properties: { x: { type: "string", "x-mcp-header": "X" } } }
            }))
        })
        yield* Effect.raceFirst(send(url, request("tools/call", call("slow"))), Deferred.await(started))
        yield* Deferred.await(interrupted)
      })
    )
  }

  it.effect("logs nothing when its client disconnects", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => logged.push(message))
      const { host, interrupted, started } = yield* makeHost
      const url = yield* serve(host).pipe(Effect.provide(Logger.layer([logger])))
      yield* Effect.raceFirst(send(url, modern("tools/call", call("slow"))), Deferred.await(started))
      yield* Deferred.await(interrupted)
      yield* send(url, modern("tools/call", call("echo")))
      assert.deepStrictEqual(logged, [])
    })
  )
})
