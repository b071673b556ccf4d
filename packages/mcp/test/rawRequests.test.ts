/**
 * Requests that no HTTP client would write, and what is said of them.
 */
import { AuditTrail, Connector, Policy, Tool } from "@ferrule/core"
import { Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import { HttpServer } from "effect/http"
import { exchange } from "./fuzz/HttpWire.ts"
import { legacy, makeHost, modern, send, serve, tokens, vicToken } from "./testHost.ts"

const call = modern("tools/call", { name: "echo", arguments: { text: "x" } })

/** Sends one request, line by line as given, and gives its answer. */
const raw = (port: string | number, line: string, headers: ReadonlyArray<string>, { body } = call) =>
  Effect.map(
    exchange({
      port: Number(port),
      pieces: [Buffer.from([line, ...headers, `content-length: ${Buffer.byteLength(body)}`, "", body].join("\r\n"))],
      isHead: [false],
      afterwards: "wait"
    }),
    ({ answers }) => [answers[0]?.status, answers[0]?.body.toString()] as const
  )

const lines = (headers: Readonly<Record<string, string>>) =>
  Object.entries(headers).map(([name, value]) => `${name}: ${value}`)

const local = ["host: localhost", ...lines(call.headers)]

describe("a request", () => {
  it.live("whose target names a host is addressed to that one, whatever its header says", () =>
    Effect.gen(function* () {
      const { port } = yield* serve((yield* makeHost).host)
      const statusOf = (target: string) => Effect.map(raw(port, `POST ${target} HTTP/1.1`, local), ([status]) => status)
      assert.strictEqual(yield* statusOf("http://localhost/mcp"), 200)
      for (const target of ["http://evil.example/mcp", "http://localhost@evil.example/mcp", "http://[/mcp"]) {
        assert.strictEqual(yield* statusOf(target), 403, target)
      }
    })
  )

  it.live("with two Host headers is refused, also when both say the same", () =>
    Effect.gen(function* () {
      const { port } = yield* serve((yield* makeHost).host)
      for (const second of ["evil.example", "localhost"]) {
        const [status, body] = yield* raw(port, "POST /mcp HTTP/1.1", [...local, `host: ${second}`])
        assert.strictEqual(status, 400)
        assert.include(body, "Send one Host header")
      }
    })
  )

  it.live("that names another version of HTTP on the same wire is held to the same", () =>
    Effect.gen(function* () {
      const { port } = yield* serve((yield* makeHost).host)
      for (const version of ["HTTP/0.9", "HTTP/2.0"]) {
        const line = `POST /mcp ${version}`
        assert.deepStrictEqual((yield* raw(port, line, [...local, "host: localhost"]))[0], 400)
        const [, ...others] = local
        assert.deepStrictEqual((yield* raw(port, line, ["host: localhost@evil.example", ...others]))[0], 403)
        assert.deepStrictEqual((yield* raw(port, line, [...local, `authorization: Bearer ${vicToken}`]))[0], 401)
        assert.deepStrictEqual((yield* raw(port, line, local))[0], 200)
      }
    })
  )

  it.live("that offers an upgrade is served without one", () =>
    Effect.gen(function* () {
      const description = "Stands for a tool, in a test of requests."
      const fields = Schema.Struct({ text: Schema.String.check(Schema.isMaxLength(9)).annotate({ description }) })
      const Echo = Tool.read("echo", {
        title: "Echo",
        description,
        input: fields,
        output: fields,
        allow: Policy.role("admin")
      })
      const Desk = Connector.make("raw-desk", { version: "1.0.0", tools: [Echo] })
      const services = yield* Mcp.layerHttpServer(Desk, { port: 0 }).pipe(
        Layer.provide([Desk.toLayer({ echo: Effect.succeed }), tokens, AuditTrail.layerNone, Logger.layer([])]),
        Layer.build
      )
      const { address } = Context.get(services, HttpServer.HttpServer)
      if (address._tag === "UnixPathAddress") return assert.fail("no port")
      for (const protocol of ["h2c", "websocket"]) {
        const upgrade = ["connection: upgrade", `upgrade: ${protocol}`]
        const [status, body] = yield* raw(address.port, "POST /mcp HTTP/1.1", [...local, ...upgrade])
        assert.strictEqual(status, 200, body)
        assert.include(body, '"structuredContent":{"text":"x"}')
      }
    })
  )
})

describe("a refusal of the SDK's", () => {
  it.live("repeats neither the headers nor the members that disagree", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      for (const header of ["mcp-name", "mcp-method", "mcp-protocol-version"]) {
        const { status, json, text } = yield* send(url, { ...call, headers: { ...call.headers, [header]: "hunter2" } })
        assert.deepStrictEqual(
          [status, json.error],
          [
            400,
            {
              code: -32_020,
              message:
                "The headers and the body disagree: MCP-Protocol-Version, Mcp-Method, Mcp-Name and each Mcp-Param header must be there and say what the body says"
            }
          ]
        )
        assert.strictEqual(json.id, 1)
        assert.notInclude(text, "hunter2")
      }
    })
  )

  it.live("does not repeat a version that it does not know", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { body, headers } = legacy("tools/list")
      for (const [version, said] of [
        ["1999-01-01", /^MCP-Protocol-Version names no version .* 2025-11-25/],
        ["hunter2", /^The envelope is missing or wrong/]
      ] as const) {
        const answer = yield* send(url, { body, headers: { ...headers, "mcp-protocol-version": version } })
        assert.strictEqual(answer.status, 400)
        assert.match(answer.json.error.message, said)
        assert.notInclude(answer.text, version)
      }
    })
  )

  it.live("says of wrong params that they are wrong, and not that the server failed", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const { json } = yield* send(url, legacy("initialize", { protocolVersion: 5 }))
      assert.deepStrictEqual(json.error, { code: -32_602, message: "The params are not what this method takes" })
    })
  )
})

describe("arguments with a member named __proto__", () => {
  it.live("reach the tool host as they are, on the SDK's way too", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const args = JSON.parse('{"text":"x","__proto__":{"text":"y"}}')
      for (const request of [modern, legacy]) {
        for (const more of [{}, { more: 1 }]) {
          const { json } = yield* send(url, request("tools/call", { name: "echo", arguments: args, ...more }))
          assert.strictEqual(json.result.content[0].text, '{"text":"x","__proto__":{"text":"y"}}')
        }
      }
    })
  )
})
