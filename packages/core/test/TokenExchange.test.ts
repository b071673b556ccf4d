import {
  Connector,
  type ConnectorError,
  Credential,
  IdempotencyStore,
  Pipeline,
  Policy,
  Principal,
  Tool,
  Upstream
} from "@ferrule/core"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import * as UpstreamClient from "@ferrule/core/UpstreamClient"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Logger, Redacted, Schedule, Schema } from "effect"
import { TestClock } from "effect/testing"
import { authorizationServer, client, lifetime } from "./fixtures/authorizationServer.ts"
import { findInContext } from "./fixtures/findInContext.ts"
import { bodyOf, serve } from "./fixtures/httpServer.ts"

const Name = Schema.String.check(Schema.isMaxLength(99)).annotate({ description: "A name." })
const Fields = Schema.Struct({ name: Name })
const common = {
  title: "Ask",
  description: "Asks the upstream who is asking, in a test of credentials.",
  input: Fields,
  output: Fields,
  allow: Policy.role("agent"),
  retry: Schedule.recurs(0)
}
const Ask = Tool.read("ask", common)
const Write = Tool.write("write", {
  ...common,
  idempotency: { identity: ["name"], recovery: "unknown", checkWith: "ask" }
})
const Office = Connector.make("office", { version: "1.0.0", tools: [Ask, Write] })

class Desk extends Context.Service<Desk, UpstreamClient.UpstreamClient>()("test/Desk") {}

const agent = (id: string) => Principal.make({ id, roles: ["agent"] })

/** An upstream that says for whom it was asked, by what the authorization server knows. */
const upstreamOf = (server: Effect.Success<typeof authorizationServer>) =>
  Effect.gen(function* () {
    const requests: Array<{ readonly token: string; readonly key: unknown }> = []
    const url = yield* serve(() => async (request, response) => {
      await bodyOf(request)
      const token = request.headers.authorization?.replace("Bearer ", "") ?? ""
      requests.push({ token, key: request.headers["idempotency-key"] })
      const name = await server.holderOf(token)
      response.writeHead(name === undefined ? 401 : 200).end(JSON.stringify({ name }))
    })
    return { url, requests }
  })

type Ask = (desk: UpstreamClient.UpstreamClient) => Effect.Effect<typeof Fields.Type, ConnectorError>

const decoded = Upstream.json(Fields, { name: "The desk" })

const setUp = Effect.fnUntraced(function* (
  options: { readonly capacity?: number; readonly tokenUrl?: string; readonly around?: Ask } = {}
) {
  const server = yield* authorizationServer
  const upstream = yield* upstreamOf(server)
  const credential = OAuthCredential.layerTokenExchange({
    tokenUrl: server.tokenUrl,
    clientId: client.id,
    clientSecret: Redacted.make(client.secret),
    ...options
  })
  const desk = Layer.effect(Desk, UpstreamClient.make({ name: "The desk", url: upstream.url }))
  const services = yield* Layer.build(Layer.provideMerge(desk, credential))
  const handlers = Office.toLayer({
    ask: () => Effect.flatMap(Desk, options.around ?? ((desk) => decoded(desk.get("/me")))),
    write: () =>
      Effect.flatMap(Desk, (desk) => decoded(UpstreamClient.withIdempotencyKey("desk")(desk).post("/tickets")))
  })
  const pipeline = yield* Pipeline.make(Office).pipe(
    Effect.provide(Layer.merge(handlers, IdempotencyStore.layerMemory)),
    Effect.provideContext(services)
  )
  /** What the caller is told. */
  const call = (id: string, token: string | undefined, tool = "ask", name = "x") =>
    Effect.map(
      pipeline.call({
        tool,
        arguments: { name },
        principal: agent(id),
        callerToken: token === undefined ? undefined : Redacted.make(token)
      }),
      (outcome) =>
        outcome._tag === "Completed" ? outcome.answer.json : outcome._tag === "Refused" ? outcome.refusal._tag : ""
    )
  return { server, upstream, call, credential: Context.get(services, Credential.Credential) }
})

/** The first token has been issued, and does not arrive before it is let through. */
const setUpHeldBack = Effect.fnUntraced(function* (options: { readonly capacity: number }) {
  const issued = yield* Deferred.make<void>()
  const heldBack = yield* Deferred.make<void>()
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  let tokenUrl = ""
  let count = 0
  const proxy = yield* serve(() => async (request, response) => {
    const isFirst = count++ === 0
    const { authorization = "", "content-type": type = "" } = request.headers
    const headers = { authorization, "content-type": type }
    const answer = await fetch(tokenUrl, { method: "POST", headers, body: await bodyOf(request) })
    const body = await answer.text()
    if (isFirst) await run(Effect.andThen(Deferred.succeed(issued, undefined), Deferred.await(heldBack)))
    response.writeHead(answer.status, { "content-type": "application/json" }).end(body)
  })
  const office = yield* setUp({ ...options, tokenUrl: proxy })
  tokenUrl = office.server.tokenUrl
  return { ...office, issued, heldBack }
})

const quiet = Effect.provide(Logger.layer([]))

describe("OAuthCredential.layerTokenExchange", () => {
  it.effect("has the upstream see each caller, and never a caller's own token", () =>
    Effect.gen(function* () {
      const { server, upstream, call } = yield* setUp()
      const ada = yield* server.signIn("ada")
      const bob = yield* server.signIn("bob")
      const answers = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, n) => n),
        (n) => (n % 2 === 0 ? call("ada", ada) : call("bob", bob)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(answers.slice(0, 2), [`{"name":"ada"}`, `{"name":"bob"}`])
      assert.deepStrictEqual(answers.filter((answer) => answer === `{"name":"ada"}`).length, 50)
      assert.deepStrictEqual(answers.filter((answer) => answer === `{"name":"bob"}`).length, 50)
      assert.strictEqual(server.state.asked, 2)
      assert.isFalse(upstream.requests.some(({ token }) => token === ada || token === bob))
    })
  )

  it.effect("keeps tokens by principal and by the token that proved it", () =>
    Effect.gen(function* () {
      const { server, call } = yield* setUp()
      const first = yield* server.signIn("ada")
      yield* call("ada", first)
      yield* call("ada", first)
      assert.strictEqual(server.state.asked, 1)
      yield* call("ada", yield* server.signIn("ada"))
      assert.strictEqual(server.state.asked, 2)
      // The same token, taken for another principal's.
      yield* call("ad", first)
      assert.strictEqual(server.state.asked, 3)
    })
  )

  it.effect("renews each ahead of its end, with the token of the call that needs it", () =>
    Effect.gen(function* () {
      const { server, call } = yield* setUp()
      const ada = yield* server.signIn("ada")
      assert.strictEqual(yield* call("ada", ada), `{"name":"ada"}`)
      yield* TestClock.adjust(`${lifetime} seconds`)
      assert.strictEqual(yield* call("ada", ada), `{"name":"ada"}`)
      assert.strictEqual(server.state.asked, 2)
    })
  )

  it.effect("replaces a token that the upstream refuses, for that caller only", () =>
    Effect.gen(function* () {
      const { server, upstream, call } = yield* setUp()
      const ada = yield* server.signIn("ada")
      const bob = yield* server.signIn("bob")
      yield* call("ada", ada)
      yield* call("bob", bob)
      yield* server.revoke(upstream.requests[0]!.token)
      assert.strictEqual(yield* call("ada", ada), `{"name":"ada"}`)
      assert.strictEqual(yield* call("bob", bob), `{"name":"bob"}`)
      assert.strictEqual(server.state.asked, 3)
    })
  )

  it.effect("ends the use of all of them when it is revoked", () =>
    Effect.gen(function* () {
      const { server, upstream, call, credential } = yield* setUp()
      const ada = yield* server.signIn("ada")
      const bob = yield* server.signIn("bob")
      yield* call("ada", ada)
      yield* call("bob", bob)
      yield* credential.revoke()
      yield* call("ada", ada)
      yield* call("bob", bob)
      assert.strictEqual(new Set(upstream.requests.map(({ token }) => token)).size, 4)
    })
  )

  it.effect("holds as many as it may, and lets go of the one that was asked for least recently", () =>
    Effect.gen(function* () {
      const { server, call } = yield* setUp({ capacity: 2 })
      const [ada, bob, cyd] = [yield* server.signIn("ada"), yield* server.signIn("bob"), yield* server.signIn("cyd")]
      for (const [id, token] of [
        ["ada", ada],
        ["bob", bob],
        ["ada", ada],
        ["cyd", cyd],
        ["ada", ada]
      ] as const) {
        yield* call(id, token)
      }
      assert.strictEqual(server.state.asked, 3)
      yield* call("bob", bob)
      assert.strictEqual(server.state.asked, 4)
    })
  )

  it.effect("ends the use of one that is still on its way to a caller who was let go of", () =>
    Effect.gen(function* () {
      const { server, upstream, issued, heldBack, call, credential } = yield* setUpHeldBack({ capacity: 1 })
      const ada = yield* Effect.forkChild(call("ada", yield* server.signIn("ada")))
      yield* Deferred.await(issued)
      assert.strictEqual(yield* call("bob", yield* server.signIn("bob")), `{"name":"bob"}`)
      const revoked = [...server.issuedAt.keys()]
      yield* credential.revoke()
      yield* Deferred.succeed(heldBack, undefined)
      assert.strictEqual(yield* Fiber.join(ada), `{"name":"ada"}`)
      assert.lengthOf(upstream.requests, 2)
      assert.notInclude(revoked, upstream.requests[1]!.token)
    })
  )

  it.effect("tells a caller for whom there is no token to stop, and an operator of one without a token", () =>
    Effect.gen(function* () {
      const { server, upstream, call } = yield* setUp()
      const ada = yield* server.signIn("ada")
      yield* server.revoke(ada)
      assert.strictEqual(yield* call("ada", ada), "AuthorizationError")
      assert.strictEqual(yield* call("ada", undefined), "Internal")
      assert.lengthOf(upstream.requests, 0)
    }).pipe(quiet)
  )

  it.effect("does not pass on a caller's own token that the server hands back", () =>
    Effect.gen(function* () {
      const echo = yield* serve(() => async (request, response) => {
        const token = new URLSearchParams(await bodyOf(request)).get("subject_token")
        response.end(JSON.stringify({ access_token: token, token_type: "Bearer" }))
      })
      const { server, upstream, call } = yield* setUp({ tokenUrl: echo })
      assert.strictEqual(yield* call("ada", yield* server.signIn("ada")), "Internal")
      assert.lengthOf(upstream.requests, 0)
    }).pipe(quiet)
  )

  it.effect(
    "sends the call's idempotency key with a write, and leaves a write that was never sent to be repeated",
    () =>
      Effect.gen(function* () {
        const { server, upstream, call } = yield* setUp()
        const ada = yield* server.signIn("ada")
        server.state.isDown = true
        assert.strictEqual(yield* call("ada", ada, "write"), "TransientError")
        // Nothing that only operators can mend makes its outcome unknown either.
        assert.strictEqual(yield* call("ada", undefined, "write"), "Internal")
        server.state.isDown = false
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* call("ada", ada, "write"), `{"name":"ada"}`)
        assert.strictEqual(yield* call("ada", ada, "write"), `{"name":"ada"}`)
        assert.lengthOf(upstream.requests, 1)
        assert.match(String(upstream.requests[0]?.key), /^[A-Za-z0-9_-]{43}$/)
      }).pipe(quiet)
  )

  describe("keeps the caller's token from a handler, which", () => {
    it.effect("finds it nowhere in its context or its fiber", () =>
      Effect.gen(function* () {
        const found: Array<ReadonlyArray<string>> = []
        let ada = ""
        const { server, call } = yield* setUp({
          around: (desk) =>
            Effect.withFiber((fiber) => {
              const look = Context.makeUnsafe<never>(
                new Map<string, unknown>([
                  ["fiber", fiber],
                  ["desk", desk]
                ])
              )
              found.push(findInContext(look, ada), findInContext(fiber.context, ada))
              return Effect.succeed({ name: "looked" })
            })
        })
        ada = yield* server.signIn("ada")
        assert.strictEqual(yield* call("ada", ada), `{"name":"looked"}`)
        assert.deepStrictEqual(found, [[], []])
      })
    )

    it.effect("gets the caller's rights only for the caller, whoever it says that the principal is", () =>
      Effect.gen(function* () {
        const { server, call } = yield* setUp({
          around: (desk) => Effect.provideService(decoded(desk.get("/me")), Principal, agent("root"))
        })
        assert.strictEqual(yield* call("ada", yield* server.signIn("ada")), `{"name":"ada"}`)
      })
    )

    it.effect("can't go on acting for the caller once it has ended", () =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<void>()
        let later: Fiber.Fiber<unknown, unknown> | undefined
        const { server, upstream, call } = yield* setUp({
          around: (desk) =>
            Effect.gen(function* () {
              later = yield* Effect.forkDetach(Effect.andThen(Deferred.await(ended), desk.get("/me")))
              return { name: "left" }
            })
        })
        assert.strictEqual(yield* call("ada", yield* server.signIn("ada")), `{"name":"left"}`)
        yield* Deferred.succeed(ended, undefined)
        const exit = yield* Fiber.await(later!)
        assert.include(String(exit), "there is no caller's token")
        assert.lengthOf(upstream.requests, 0)
      }).pipe(quiet)
    )
  })
})
