/**
 * The ready-made server: who can reach it, and what it says when it can't be reached.
 */
import { AuditTrail, Connector, DefinitionError, Policy, Tool } from "@ferrule/core"
import { ListenError, Mcp } from "@ferrule/mcp"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Schema, Scope } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { connect, createServer } from "node:net"
import { networkInterfaces } from "node:os"
import { adaToken, legacy, modern, send, tokens } from "./testHost.ts"

const fields = Schema.Struct({ name: Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "A name." }) })
const common = { description: "Stands for a tool, in a test of servers.", input: fields, output: fields }
const Look = Tool.read("look", { ...common, title: "Look", allow: Policy.role("admin") })
const Wait = Tool.read("wait", { ...common, title: "Wait", allow: Policy.role("admin") })
const Desk = Connector.make("server-desk", { version: "1.0.0", tools: [Look, Wait] })

const quiet = Layer.merge(AuditTrail.layerNone, Logger.layer([]))

const start = (options: Mcp.HttpServerOptions, wait: Effect.Effect<unknown> = Effect.void) =>
  Mcp.layerHttpServer(Desk, options).pipe(
    Layer.provide([Desk.toLayer({ look: Effect.succeed, wait: (input) => Effect.as(wait, input) }), tokens]),
    Layer.build,
    Effect.map((services) => Context.get(services, HttpServer.HttpServer).address),
    Effect.flatMap((address) => (address._tag === "UnixPathAddress" ? Effect.die("no port") : Effect.succeed(address))),
    Effect.provide(quiet)
  )

const call = modern("tools/call", { name: "look", arguments: { name: "x" } })

/** Tries to reach a port, and gives the error's code when nothing answers. */
const reach = (host: string, port: number) =>
  Effect.callback<string>((resume) => {
    const socket = connect({ host, port })
    socket.on("connect", () => {
      socket.destroy()
      resume(Effect.succeed("connected"))
    })
    socket.on("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(String(error.code))))
  })

/** Listens on a free port until the scope closes. */
const occupy = Effect.map(
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer()
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ),
  (server) => Number(Object(server.address()).port)
)

describe("a server of its own", () => {
  it.live("is reached on 127.0.0.1 and on no other address of the machine", () =>
    Effect.gen(function* () {
      const { address, port } = yield* start({ port: 0 })
      assert.strictEqual(String(address), "127.0.0.1")
      assert.strictEqual(yield* reach("127.0.0.1", port), "connected")
      const others = Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .filter(({ address, scopeid }) => address !== "127.0.0.1" && !scopeid)
        .map(({ address }) => address)
      // On Linux all of 127.0.0.0/8 is this machine.
      if (process.platform === "linux") others.push("127.0.0.2")
      assert.isAbove(others.length, 0)
      for (const other of others) assert.strictEqual(yield* reach(other, port), "ECONNREFUSED", other)
    })
  )

  it.live("serves clients of both eras at /mcp, and nothing elsewhere", () =>
    Effect.gen(function* () {
      const { port } = yield* start({ port: 0 })
      const url = new URL(`http://127.0.0.1:${port}/mcp`)
      for (const mode of [{ pin: "2026-07-28" } as const, "legacy" as const]) {
        const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } })
        const headers = { authorization: `Bearer ${adaToken}` }
        yield* Effect.promise(() =>
          client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
        )
        const answer = yield* Effect.promise(() => client.callTool({ name: "look", arguments: { name: "x" } }))
        assert.deepStrictEqual(answer.structuredContent, { name: "x" })
        yield* Effect.promise(() => client.close())
      }
      assert.strictEqual((yield* send(url, modern("tools/list", {}, ""))).status, 401)
      const elsewhere = yield* send(new URL("/", url), call)
      assert.deepStrictEqual([elsewhere.status, elsewhere.text], [404, ""])
      const upgrade = { ...call.headers, connection: "upgrade", upgrade: "websocket" }
      assert.strictEqual((yield* send(url, { method: "GET", headers: upgrade })).status, 405)
    })
  )

  it.live("takes the path, the names and the size that it is given", () =>
    Effect.gen(function* () {
      const options: Mcp.HttpServerOptions = {
        port: 0,
        path: "/desk",
        allowedHosts: ["desk.example"],
        allowedOrigins: ["app.example"],
        maxBodySize: 1000
      }
      const { port } = yield* start(options)
      const url = new URL(`http://127.0.0.1:${port}/desk`)
      const status = (extra: Record<string, string>, body = call.body) =>
        Effect.map(send(url, { headers: { ...call.headers, ...extra }, body }), ({ status }) => status)
      assert.strictEqual(yield* status({}), 403)
      assert.strictEqual(yield* status({ host: "desk.example" }), 200)
      assert.strictEqual(yield* status({ host: "desk.example", origin: "https://app.example" }), 200)
      assert.strictEqual(yield* status({ host: "desk.example", origin: "https://evil.example" }), 403)
      assert.strictEqual(yield* status({ host: "desk.example" }, "x".repeat(1001)), 413)
    })
  )

  it.live("has no routes but its own, also beside another server of the same program", () =>
    Effect.gen(function* () {
      const ports: Array<number> = []
      const serverAt = (path: `/${string}`) =>
        HttpServer.HttpServer.pipe(
          Effect.map(({ address }) => void ports.push(address._tag === "UnixPathAddress" ? 0 : address.port)),
          Layer.effectDiscard,
          Layer.provide(Mcp.layerHttpServer(Desk, { port: 0, path }))
        )
      const handlers = Desk.toLayer({ look: Effect.succeed, wait: Effect.succeed })
      yield* Layer.build(
        Layer.provide(Layer.merge(serverAt("/a"), serverAt("/b")), [HttpRouter.layer, handlers, tokens, quiet])
      )
      const found: Array<string> = []
      for (const port of ports) {
        for (const path of ["/a", "/b"]) {
          const { status } = yield* send(new URL(path, `http://127.0.0.1:${port}`), modern("tools/list"))
          if (status === 200) found.push(path)
        }
      }
      assert.deepStrictEqual(found.sort(), ["/a", "/b"])
    })
  )

  it.live("does not leave the loopback interface without the names that clients call it by", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::", "", "192.0.2.1", "::ffff:10.0.0.1", "desk.example", "127.0.0.1.example"]) {
        for (const names of [{}, { allowedHosts: [] }, { allowedOrigins: ["desk.example"] }]) {
          const error = yield* Effect.flip(start({ port: 0, host, ...names }))
          assert.instanceOf(error, DefinitionError)
          assert.strictEqual(
            error.message,
            `The HTTP server of server-desk cannot be built:\n  - host "${host}" is reached from other machines, so allowedHosts must name what clients call this server by, such as allowedHosts: ["desk.example.com"]; leave host out to stay on 127.0.0.1`
          )
        }
      }
    })
  )

  it.live("leaves the loopback interface with those names, and answers to no other", () =>
    Effect.gen(function* () {
      const { address, port } = yield* start({ port: 0, host: "0.0.0.0", allowedHosts: ["desk.example"] })
      assert.strictEqual(String(address), "0.0.0.0")
      const url = new URL(`http://127.0.0.1:${port}/mcp`)
      const named = yield* send(url, { ...call, headers: { ...call.headers, host: `desk.example:${port}` } })
      assert.strictEqual(named.status, 200)
      assert.strictEqual((yield* send(url, call)).status, 403)
      for (const host of ["localhost", "127.0.0.2", "127.0.0.1"]) yield* start({ port: 0, host })
    })
  )

  it.live("names the address that is taken, and what to change", () =>
    Effect.gen(function* () {
      const port = yield* occupy
      const error = yield* Effect.flip(start({ port }))
      assert.instanceOf(error, ListenError)
      assert.strictEqual(
        error.message,
        `Nothing can listen on 127.0.0.1:${port}: another program listens there; end it, or give another port.`
      )
      assert.strictEqual(error.code, "EADDRINUSE")
    })
  )

  it.live("names an address that is not this machine's, and ports that are none", () =>
    Effect.gen(function* () {
      for (const [host, named] of [
        ["192.0.2.1", "192.0.2.1:0"] as const,
        ["2001:db8::1", "[2001:db8::1]:0"] as const
      ]) {
        const error = yield* Effect.flip(start({ port: 0, host, allowedHosts: ["desk.example"] }))
        assert.strictEqual(
          error.message,
          `Nothing can listen on ${named}: this machine has no such address; let host name one of its own, or leave it out.`
        )
      }
      for (const port of [-1, 65_536, 1.5, Number.NaN, "3000" as never]) {
        const error = yield* Effect.flip(start({ port, host: "0.0.0.0" }))
        assert.instanceOf(error, DefinitionError)
        assert.include(error.message, "port must be an integer from 0 to 65535")
        assert.include(error.message, "allowedHosts must name")
      }
    })
  )

  it.effect("gives a call ten seconds when it ends, and then cuts it off", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const wait = Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
      const { port } = yield* Scope.provide(start({ port: 0 }, wait), scope)
      const url = new URL(`http://127.0.0.1:${port}/mcp`)
      const request = modern("tools/call", { name: "wait", arguments: { name: "x" } })
      const waiting = yield* Effect.forkChild(Effect.flip(send(url, request)), { startImmediately: true })
      yield* Deferred.await(started)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Deferred.await(interrupted)
      assert.include(String(yield* Fiber.join(waiting)), "socket hang up")
      yield* Fiber.join(closing)
    })
  )

  it.live("ends at once where nothing is asked, whatever connections are open", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { port } = yield* Scope.provide(start({ port: 0 }), scope)
      const silent = connect({ host: "127.0.0.1", port })
      const halfway = connect({ host: "127.0.0.1", port })
      halfway.write("POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
      const closed = [silent, halfway].map(
        (socket) => new Promise((resolve) => socket.on("error", resolve).on("close", resolve))
      )
      yield* send(new URL(`http://127.0.0.1:${port}/mcp`), call)
      yield* Scope.close(scope, Exit.void).pipe(Effect.timeout("3 seconds"))
      yield* Effect.promise(() => Promise.all(closed))
    })
  )

  it.live("answers the calls in flight before it ends, and lets go of the port", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const wait = Effect.andThen(Deferred.succeed(started, undefined), Deferred.await(gate))
      const { port } = yield* Scope.provide(start({ port: 0 }, wait), scope)
      const url = new URL(`http://127.0.0.1:${port}/mcp`)
      const waiting = yield* Effect.forkChild(
        send(url, legacy("tools/call", { name: "wait", arguments: { name: "x" } }))
      )
      yield* Deferred.await(started)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.strictEqual(yield* reach("127.0.0.1", port), "ECONNREFUSED")
      yield* Deferred.succeed(gate, undefined)
      const answer = yield* Fiber.join(waiting)
      assert.deepStrictEqual(answer.json.result.structuredContent, { name: "x" })
      yield* Fiber.join(closing)
      yield* start({ port })
    })
  )
})
