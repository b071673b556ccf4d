import { type ConnectorError, Credential } from "@ferrule/core"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import * as UpstreamClient from "@ferrule/core/UpstreamClient"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { authorizationServer, client, lifetime } from "./fixtures/authorizationServer.ts"
import { serve } from "./fixtures/httpServer.ts"

const connector = { clientId: client.id, clientSecret: Redacted.make(client.secret) }

const textOf = ({ value }: Credential.Token) => Redacted.value(value)

/** An upstream that takes what the authorization server says is good, and notes each request by the test's clock. */
const upstreamOf = (server: Effect.Success<typeof authorizationServer>) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const requests: Array<{ readonly token: string; readonly at: number; readonly status: number }> = []
    const url = yield* serve(() => async (request, response) => {
      const token = request.headers.authorization?.replace("Bearer ", "") ?? ""
      const at = clock.currentTimeMillisUnsafe()
      const status = (await server.holderOf(token)) === undefined ? 401 : 200
      requests.push({ token, at, status })
      response.writeHead(status).end("{}")
    })
    return { url, requests }
  })

describe("a credential", () => {
  it.effect("is rotated and revoked under load: no call fails, and no token is used past its end", () =>
    Effect.gen(function* () {
      const server = yield* authorizationServer
      const upstream = yield* upstreamOf(server)
      const layer = OAuthCredential.layerClientCredentials({ ...connector, tokenUrl: server.tokenUrl })
      const context = yield* Layer.build(layer)
      const { token, revoke } = Context.get(context, Credential.Credential)
      const desk = yield* Effect.provideContext(UpstreamClient.make({ name: "The desk", url: upstream.url }), context)
      let failed = 0

      /** 1,000 calls at once, and what happens when some of them have arrived and others not. */
      const load = (meanwhile: Effect.Effect<void, ConnectorError> = Effect.void) =>
        Effect.gen(function* () {
          const before = upstream.requests.length
          const arrived = Effect.repeat(Effect.yieldNow, { until: () => upstream.requests.length > before })
          const calls = Effect.forEach(
            Array.from({ length: 1000 }, (_, n) => n),
            (n) => Effect.tapCause(desk.get(`/tickets/${n}`), () => Effect.sync(() => failed++)),
            { concurrency: "unbounded", discard: true }
          )
          const running = yield* Effect.forkChild(calls)
          yield* Effect.andThen(arrived, meanwhile)
          yield* Fiber.join(running)
        })

      // Each expiry falls into a load: renewed ahead of it, by one request.
      const asked: Array<number> = []
      for (let expiry = 0; expiry < 5; expiry++) {
        yield* load()
        yield* load(TestClock.adjust(Duration.seconds(lifetime * 0.9)))
        asked.push(server.state.asked)
        yield* load()
      }
      assert.deepStrictEqual(asked, [1, 2, 3, 4, 5])

      // A rotation with notice: the old token is good until the deadline, and unused from then on.
      yield* load()
      const old = textOf(yield* token)
      const askedBefore = server.state.asked
      yield* revoke("30 seconds")
      const deadline = (yield* Clock.currentTimeMillis) + 30_000
      yield* load()
      yield* TestClock.adjust("30 seconds")
      yield* server.revoke(old)
      yield* load()
      const late = upstream.requests.filter(({ at, token }) => token === old && at >= deadline)
      assert.lengthOf(late, 0)
      assert.strictEqual(server.state.asked, askedBefore + 1)
      assert.lengthOf(
        upstream.requests.filter(({ status }) => status === 401),
        0
      )

      // A revocation without notice, in the middle of 1,000 calls.
      yield* TestClock.adjust("1 minute")
      yield* load(Effect.flatMap(token, (current) => server.revoke(textOf(current))))
      yield* load()
      const refused = upstream.requests.filter(({ status }) => status === 401).length
      assert.isAbove(refused, 0)
      assert.strictEqual(server.state.asked, askedBefore + 2)

      const expired = upstream.requests.filter(({ at, token }) => at >= server.issuedAt.get(token)! + lifetime * 1000)
      assert.lengthOf(expired, 0)
      assert.strictEqual(failed, 0)
      process.stdout.write(
        `${upstream.requests.length} requests with ${server.state.asked} tokens over 5 expiries, a rotation and a revocation: ` +
          `${failed} failed, ${refused} refused and sent again, ${late.length + expired.length} with a token past its end\n`
      )
    })
  )
})
