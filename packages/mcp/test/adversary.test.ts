/**
 * What an adversary would try on the transports.
 */
import { AuditTrail, Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import type { ToolHost } from "@ferrule/mcp/ToolHost"
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Layer, Logger, Redacted, Schema } from "effect"
import { PassThrough } from "node:stream"
import { ada, legacy, makeHost, modern, send, serve as serveHost, vicToken } from "./testHost.ts"

const Name = Schema.String.check(Schema.isBetweenLength(1, 100)).annotate({ description: "A name." })
const fields = Schema.Struct({ name: Name })
const base = { description: "Stands for a tool, in a test of the transports.", input: fields, output: fields }
const broken = () => {
  throw new Error("dsn=postgres://root:hunter2@directory")
}
const Scoped = Tool.read("scoped", { ...base, title: "Scoped", allow: Policy.scope("desk:read") })
const Broken = Tool.read("broken", {
  ...base,
  title: "Broken",
  allow: Policy.all(Policy.scope("desk:read"), Policy.predicate("the directory says so", broken))
})
const Make = Tool.write("make", {
  ...base,
  title: "Make",
  allow: Policy.role("maker"),
  idempotency: { identity: ["name"], recovery: "repeatable" }
})
const Desk = Connector.make("adversary-desk", { version: "1.0.0", tools: [Scoped, Broken, Make] })
const handlers = Desk.toLayer({ scoped: Effect.succeed, broken: Effect.succeed, make: Effect.succeed })

const token = "full-token-0123456789"
const poorToken = "poor-token-0123456789"
const identity = Identity.layerTokens([
  {
    token: Redacted.make(token),
    principal: Principal.make({ id: "ada", roles: ["maker"], scopes: ["desk:read"] })
  },
  { token: Redacted.make(poorToken), principal: Principal.make({ id: "vic" }) }
])
const url = "http://localhost/mcp"

const open = (records: Array<AuditTrail.AuditRecord> = []) =>
  Effect.provide(Mcp.fetchHandler(Desk), [
    handlers,
    IdempotencyStore.layerMemory,
    identity,
    AuditTrail.layer((record) => Effect.sync(() => void records.push(record))),
    Logger.layer([])
  ])

const post = (
  handle: (request: Request) => Promise<Response>,
  { headers, body }: { headers: Record<string, string>; body: string }
) =>
  Effect.promise(async () => {
    const response = await handle(
      new Request(url, { method: "POST", headers: { host: "localhost", ...headers }, body })
    )
    return { status: response.status, text: await response.text() }
  })

describe("a call that is refused with 403 for its scopes", () => {
  it.live("leaves an audit record like every other", () =>
    Effect.gen(function* () {
      const records: Array<AuditTrail.AuditRecord> = []
      const handle = yield* open(records)
      const call = modern("tools/call", { name: "scoped", arguments: { name: "x" } }, poorToken)
      assert.strictEqual((yield* post(handle, call)).status, 403)
      assert.deepStrictEqual(
        records.map(({ tool, decision, outcome }) => [tool, decision, outcome]),
        [["scoped", "denied", "AuthorizationError"]]
      )
    })
  )
})

describe("a policy whose test throws, on a tool with scopes", () => {
  it.live("is refused over HTTP as on stdio, with an audit record and without what was thrown", () =>
    Effect.gen(function* () {
      const records: Array<AuditTrail.AuditRecord> = []
      const handle = yield* open(records)
      const call = modern("tools/call", { name: "broken", arguments: { name: "x" } }, token)
      const { status, text } = yield* post(handle, call)
      assert.notInclude(text, "hunter2")
      assert.strictEqual(status, 200)
      assert.include(text, "it could not be checked that the directory says so")
      assert.include(text, "Class: AuthorizationError")
      assert.strictEqual(records[0]?.outcome, "AuthorizationError")
    })
  )
})

describe("a hidden tool and one that does not exist", () => {
  it.live("are answered alike, also where the hidden one has header parameters and somebody else has used it", () =>
    Effect.gen(function* () {
      const { host } = yield* makeHost
      const visible = (id: string, name: string) => id === "ada" || name !== "region"
      const hiding: ToolHost = {
        ...host,
        list: (principal) =>
          principal.id === ada.id ? host.list(principal) : host.list(principal).filter(({ name }) => name !== "region"),
        call: (request) =>
          visible(request.principal.id, request.name) ? host.call(request) : Effect.as(Effect.void, undefined)
      }
      const server = yield* serveHost(hiding)
      const used = modern("tools/call", { name: "region", arguments: { region: "eu" } })
      yield* send(server, { ...used, headers: { ...used.headers, "mcp-param-region": "eu" } })
      for (const request of [modern, legacy]) {
        const hidden = yield* send(server, request("tools/call", { name: "region", arguments: {} }, vicToken))
        const unknown = yield* send(server, request("tools/call", { name: "nothing", arguments: {} }, vicToken))
        assert.strictEqual(hidden.text, unknown.text)
        assert.deepStrictEqual(Object.keys(hidden.headers), Object.keys(unknown.headers))
      }
    })
  )
})

describe("a request", () => {
  it.live("whose bytes are not UTF-8 is refused, since two different ones would become the same arguments", () =>
    Effect.gen(function* () {
      const server = yield* serveHost((yield* makeHost).host)
      const { headers, body } = modern("tools/call", { name: "echo", arguments: { text: "?" } })
      const bytes = Buffer.from(body)
      bytes[bytes.indexOf('"?"') + 1] = 0xff
      assert.strictEqual((yield* send(server, { headers, body: bytes })).status, 400)
    })
  )

  it.live("may bring its Idempotency-Key in quotes, which is the form that the header's draft asks for", () =>
    Effect.gen(function* () {
      const handle = yield* open()
      const { headers, body } = modern("tools/call", { name: "make", arguments: { name: "x" } }, token)
      const quoted = { ...headers, "idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"' }
      assert.notInclude((yield* post(handle, { headers: quoted, body })).text, "isError")
    })
  )
})

describe("standard output", () => {
  it.live("a server on stdio warns of its memory store on standard error, whatever runs it", () =>
    Effect.gen(function* () {
      const out: Array<unknown> = []
      const error: Array<unknown> = []
      const console: Console.Console = Object.assign(Object.create(globalThis.console), {
        log: (...line: ReadonlyArray<unknown>) => void out.push(...line),
        error: (...line: ReadonlyArray<unknown>) => void error.push(...line)
      })
      const stdin = new PassThrough()
      stdin.end()
      yield* Mcp.runStdio(Desk, { stdin, stdout: new PassThrough() }).pipe(
        Effect.provide(Layer.mergeAll(handlers, IdempotencyStore.layerMemory, Identity.layerDeclared(ada))),
        Effect.provideService(Console.Console, console)
      )
      assert.deepStrictEqual(out, [])
      assert.include(error.join(), "keeps its record of writes in memory")
    })
  )
})
