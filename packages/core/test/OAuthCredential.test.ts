import { Credential, Scrubber, TransientError, Upstream } from "@ferrule/core"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, DateTime, Duration, Effect, Exit, Layer, Logger, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { authorizationServer, client, lifetime, postClient } from "./fixtures/authorizationServer.ts"
import { bodyOf, serve } from "./fixtures/httpServer.ts"

const built = <E>(layer: Layer.Layer<Credential.Credential, E>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context, Credential.Credential))

const connector = { clientId: client.id, clientSecret: Redacted.make(client.secret) }

const textOf = ({ value }: Credential.Token) => Redacted.value(value)

const faultOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, Upstream.Fault)
    assert.strictEqual(defect.applied, "no")
    return defect.message
  })

const quiet = Effect.provide(Logger.layer([]))

/** A token endpoint that gives this answer, and what it was sent. */
const answering = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const requests: Array<{ readonly authorization: string | undefined; readonly form: URLSearchParams }> = []
    const url = yield* serve(() => async (request, response) => {
      requests.push({
        authorization: request.headers.authorization,
        form: new URLSearchParams(await bodyOf(request))
      })
      response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body))
    })
    const credential = yield* built(OAuthCredential.layerClientCredentials({ ...connector, tokenUrl: `${url}/token` }))
    return { ...credential, requests }
  })

describe("OAuthCredential.layerClientCredentials", () => {
  it.effect("gets a token from a real server, by each way to authenticate", () =>
    Effect.gen(function* () {
      const server = yield* authorizationServer
      const basic = yield* built(OAuthCredential.layerClientCredentials({ ...connector, tokenUrl: server.tokenUrl }))
      const token = yield* basic.token
      assert.strictEqual(yield* Effect.promise(() => server.holderOf(textOf(token))), client.id)
      assert.deepStrictEqual(token.expiresAt, DateTime.makeUnsafe(lifetime * 1000))
      const post = yield* built(
        OAuthCredential.layerClientCredentials({
          tokenUrl: server.tokenUrl,
          clientId: postClient.id,
          clientSecret: Redacted.make(postClient.secret),
          authentication: "client_secret_post",
          scopes: ["tickets"]
        })
      )
      const byPost = yield* post.token
      assert.strictEqual(yield* Effect.promise(() => server.holderOf(textOf(byPost))), postClient.id)
    })
  )

  it.effect("asks as RFC 6749 and RFC 8707 have it", () =>
    Effect.gen(function* () {
      const { requests, token } = yield* answering(200, { access_token: "token-of-a-server", token_type: "Bearer" })
      yield* token
      assert.deepStrictEqual(
        requests[0]?.authorization,
        `Basic ${btoa("connector:client-secret%3A+100%25+%26+more%2B%3F")}`
      )
      assert.deepStrictEqual([...requests[0]!.form], [["grant_type", "client_credentials"]])
      const seen: Array<URLSearchParams> = []
      const url = yield* serve(() => async (request, response) => {
        seen.push(new URLSearchParams(await bodyOf(request)))
        assert.isUndefined(request.headers.authorization)
        response.end(JSON.stringify({ access_token: "token-of-a-server", token_type: "bearer" }))
      })
      const post = yield* built(
        OAuthCredential.layerClientCredentials({
          ...connector,
          tokenUrl: url,
          authentication: "client_secret_post",
          scopes: ["read", "write"],
          audience: "desk",
          resource: "https://desk.example.com"
        })
      )
      yield* post.token
      assert.deepStrictEqual(Object.fromEntries(seen[0]!), {
        grant_type: "client_credentials",
        scope: "read write",
        audience: "desk",
        resource: "https://desk.example.com",
        client_id: client.id,
        client_secret: client.secret
      })
    })
  )

  it.effect(
    "counts a token's life from when it was asked for, and takes five minutes where the server says nothing",
    () =>
      Effect.gen(function* () {
        const endOf = (expires: object) =>
          Effect.gen(function* () {
            const answer = { access_token: "token-of-a-server", token_type: "Bearer", ...expires }
            const { expiresAt } = yield* (yield* answering(200, answer)).token
            return expiresAt && DateTime.toEpochMillis(expiresAt)
          })
        assert.strictEqual(yield* endOf({ expires_in: 60 }), 60_000)
        assert.strictEqual(yield* endOf({ expires_in: "60" }), 60_000)
        assert.strictEqual(yield* endOf({}), 300_000)
      })
  )

  it.effect("says whose fault it is that there is no token", () =>
    Effect.gen(function* () {
      const server = "The authorization server"
      const faults: ReadonlyArray<readonly [status: number, body: unknown, message: string]> = [
        [
          401,
          { error: "invalid_client" },
          "refused the connector a token (invalid_client): check the client's id, its secret, and how it authenticates"
        ],
        [
          400,
          { error: "unauthorized_client" },
          "refused the connector a token (unauthorized_client): let the client use this grant there"
        ],
        [
          400,
          { error: "invalid_scope" },
          "refused the connector a token (invalid_scope): check the scopes that are asked for"
        ],
        [
          400,
          { error: "invalid_target" },
          "refused the connector a token (invalid_target): check the audience and the resource"
        ],
        [
          400,
          { error: "__proto__" },
          "refused the connector a token (status 400), for a reason that OAuth does not have"
        ],
        [
          404,
          "<html>secret-in-a-page</html>",
          "refused the connector a token (status 404), for a reason that OAuth does not have"
        ],
        [204, "", "answered a token request with status 204"],
        [302, "", "answered with status 302, which this request can't use"],
        [200, { access_token: "abc", token_type: "DPoP" }, "sent an answer other than agreed, at token_type"],
        [200, { token_type: "Bearer" }, "sent an answer other than agreed, at access_token"],
        [
          200,
          { access_token: "abc", token_type: "Bearer", expires_in: -1 },
          "sent an answer other than agreed, at expires_in"
        ],
        [
          200,
          { access_token: "a\r\nb", token_type: "Bearer" },
          "sent a token that can't be used: the token has a space, or another character that a header may not have"
        ],
        [
          200,
          { access_token: "abc", token_type: "Bearer", expires_in: 0 },
          "was given a token that is revoked or has expired; its operators have to put another in its place"
        ]
      ]
      for (const [status, body, message] of faults) {
        const { token } = yield* answering(status, body, { location: "/elsewhere" })
        assert.strictEqual(yield* faultOf(token), `${server} ${message}`)
      }
      const transient: ReadonlyArray<readonly [status: number, body: unknown, message: string]> = [
        [500, "", "failed (status 500)"],
        [503, { error: "invalid_client" }, "failed (status 503)"],
        [429, "", "limits how often it is called and has refused this call"],
        [400, { error: "temporarily_unavailable" }, "is busy"],
        [200, "{", "was asked, but its answer was lost on the way"]
      ]
      for (const [status, body, message] of transient) {
        const error = yield* Effect.flip((yield* answering(status, body)).token)
        assert.instanceOf(error, TransientError)
        assert.strictEqual(error.message, `${server} ${message}`)
        assert.strictEqual(error.applied, "no", message)
      }
    }).pipe(quiet)
  )

  it.effect("asks a server that refuses it once for 1,000 calls, logs why, and shows no secret", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make((options) => void lines.push(Logger.formatJson.log(options)))
      const echo = `the client ${client.id} with ${client.secret} is unknown`
      // The log of the layer's renewals, and of the calls.
      const { exits, requests } = yield* Effect.gen(function* () {
        const { requests, token } = yield* answering(401, { error: "invalid_client", error_description: echo })
        const exits = yield* Effect.all(
          Array.from({ length: 1000 }, () => Effect.exit(token)),
          { concurrency: "unbounded" }
        )
        return { exits, requests }
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.lengthOf(requests, 1)
      assert.isTrue(exits.every((exit) => Exit.isFailure(exit) && Cause.hasDies(exit.cause)))
      const reason =
        "refused the connector a token (invalid_client): check the client's id, its secret, and how it authenticates"
      assert.isTrue(lines.some((line) => line.includes(reason)))
      assert.notInclude(JSON.stringify([lines, exits.map(String)]), "100%")
    })
  )

  it.effect("waits as long as a server that is down asks for, and goes on after that", () =>
    Effect.gen(function* () {
      const server = yield* authorizationServer
      server.state.isDown = true
      const { token } = yield* built(
        OAuthCredential.layerClientCredentials({ ...connector, tokenUrl: server.tokenUrl })
      )
      const error = yield* Effect.flip(token)
      assert.instanceOf(error, TransientError)
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(2))
      server.state.isDown = false
      yield* TestClock.adjust("1999 millis")
      assert.instanceOf(yield* Effect.flip(token), TransientError)
      assert.strictEqual(server.state.asked, 1)
      yield* TestClock.adjust("1 millis")
      yield* token
      assert.strictEqual(server.state.asked, 2)
    }).pipe(quiet)
  )

  it.effect("cannot be built for an address in the clear, or without a client", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        built(
          OAuthCredential.layerClientCredentials({
            tokenUrl: "http://login.example.com/token",
            clientId: "",
            clientSecret: Redacted.make("")
          })
        )
      )
      assert.strictEqual(error._tag, "DefinitionError")
      assert.deepStrictEqual("faults" in error && error.faults, [
        "tokenUrl can't be used: it must begin with https:, except on this machine, or everyone on the way can read the secret",
        "clientId is empty",
        "clientSecret is empty"
      ])
    })
  )

  it.effect("makes the client secret and the tokens known to the scrubber", () =>
    Effect.gen(function* () {
      const server = yield* authorizationServer
      const { token } = yield* built(
        OAuthCredential.layerClientCredentials({ ...connector, tokenUrl: server.tokenUrl })
      )
      const text = textOf(yield* token)
      const echo = `${client.secret} ${btoa(`${client.id}:${client.secret}`)} ${encodeURIComponent(text)}`
      assert.strictEqual((yield* Scrubber.scrub(echo)).match(/<redacted>/g)?.length, 3)
    }).pipe(Effect.provide(Scrubber.layer))
  )

  it.effect("shows the next client secret where the server no longer takes the old one, and asks no third time", () =>
    Effect.gen(function* () {
      const server = { takes: "secret-number-one", shown: new Array<string>() }
      const tokenUrl = yield* serve(() => async (request, response) => {
        const shown = atob(request.headers.authorization?.replace("Basic ", "") ?? "").split(":")[1] ?? ""
        server.shown.push(shown)
        if (shown === server.takes) {
          response.end(JSON.stringify({ access_token: "token-of-a-server", token_type: "Bearer" }))
        } else response.writeHead(401).end(JSON.stringify({ error: "invalid_client" }))
      })
      let current = "secret-number-one"
      const clientSecret = yield* Credential.make(Effect.sync(() => ({ value: Redacted.make(current) })))
      const { token } = yield* built(
        OAuthCredential.layerClientCredentials({ tokenUrl, clientId: client.id, clientSecret })
      )
      const expire = TestClock.adjust("5 minutes")

      yield* token
      server.takes = current = "secret-number-two"
      yield* expire
      yield* token
      assert.deepStrictEqual(server.shown, ["secret-number-one", "secret-number-one", "secret-number-two"])

      server.takes = "secret-number-three"
      yield* expire
      assert.include(yield* faultOf(token), "invalid_client")
      assert.deepStrictEqual(server.shown.slice(3), ["secret-number-two"])
    }).pipe(quiet)
  )
})
