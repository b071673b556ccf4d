/**
 * Every tool by every caller over HTTP, in both protocol eras: what is declared is what happens, no handler runs for a call
 * that is refused, and a tool is listed exactly where some call of it could be allowed. `access.integration.test.ts` is the
 * same over stdio, where each caller is a process.
 */
import { AccessMatrix, AuditTrail, Connector } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Context, Effect, Layer, Logger, Redacted } from "effect"
import { HttpServer } from "effect/http"
import { desk, gatehouse, type Subject } from "./fixtures/access.ts"
import { type Caller, connect, expected, play, proves } from "./fixtures/accessProof.ts"

const overHttp = Effect.fnUntraced(function* <C extends Connector.Any>(subject: Subject<C>, options: ClientOptions) {
  const ran: Array<string> = []
  const tokenOf = ({ id }: Caller) => `token-of-${id}-for-the-proof`
  const tokens = Identity.layerTokens(
    subject.callers.map((principal) => ({ token: Redacted.make(tokenOf(principal)), principal }))
  )
  const given = Layer.mergeAll(
    subject.services((tool) => void ran.push(tool)),
    tokens,
    AuditTrail.layerNone,
    Logger.layer([])
  )
  const server = yield* Layer.build(Layer.provide(Mcp.layerHttpServer(subject.connector, { port: 0 }), given))
  const { address } = Context.get(server, HttpServer.HttpServer)
  const url = new URL(`http://127.0.0.1:${"port" in address ? address.port : 0}/mcp`)
  let allowed = 0
  for (const caller of subject.callers) {
    const headers = { authorization: `Bearer ${tokenOf(caller)}` }
    const client = yield* connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }), options)
    const before = ran.length
    const due = yield* play(client, subject, caller)
    assert.deepStrictEqual(ran.slice(before), due)
    allowed += due.length
  }
  return allowed
})

const about = <C extends Connector.Any>(subject: Subject<C>, calls: number, allowed: number) =>
  describe(`access to ${subject.connector.name}`, () => {
    it("is asked for each tool, and for each role that a policy names", () => {
      const matrix = AccessMatrix.make(subject.connector)
      assert.deepStrictEqual(new Set(subject.cases.map(({ tool }) => tool)), new Set(matrix.map(({ tool }) => tool)))
      const roles = new Set(subject.callers.flatMap((caller) => caller.roles))
      for (const { role } of matrix[0]!.cells) assert.isTrue(role === undefined || roles.has(role))
      assert.strictEqual(subject.cases.length * subject.callers.length, calls)
    })

    it("is what its matrix says", () => {
      const roleOf = ({ roles: [role], scopes }: Caller) => (scopes.length === 0 ? [role] : [])
      for (const caller of subject.callers.filter(({ roles }) => roles.length < 2)) {
        for (const { cells, tool } of AccessMatrix.make(subject.connector, roleOf(caller))) {
          for (const each of subject.cases.filter((each) => each.tool === tool)) {
            for (const { access } of cells) {
              const outcome = expected(each, caller)
              if (access === "always") assert.strictEqual(outcome, "allowed")
              if (access === "never") assert.strictEqual(outcome, "unknown")
              if (access === "with-scopes") assert.strictEqual(outcome, "refused")
              if (access === "with-arguments") assert.notStrictEqual(outcome, "unknown")
            }
          }
        }
      }
    })

    proves("HTTP", subject as Subject, allowed, (options) => overHttp(subject, options))
  })

about(desk, 54, 25)
about(gatehouse, 378, 173)
