import { ClaimMapping, Credentials, Identity } from "@ferrule/mcp"
import { assert, describe, it, vi } from "@effect/vitest"
import { type Duration, Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { createServer } from "node:http"
import { text } from "node:stream/consumers"
import type * as Audit from "../../src/Audit.ts"
import * as Bench from "../../src/internal/Bench.ts"
import { expiry, passthrough, rotation } from "../../src/probes/sessions.ts"
import { badTokens } from "../../src/probes/tokens.ts"
import { asking, listening } from "../fixtures/clients.ts"
import { granted } from "../fixtures/granted.ts"
import { findings } from "../fixtures/probing.ts"
import { workshop } from "../fixtures/workshop.ts"

vi.setConfig({ testTimeout: 60_000 })

const introspecting = (authority: Audit.Authority, cacheFor?: Duration.Input) =>
  Layer.provide(
    Identity.layerIntrospection({
      ...authority,
      ...authority.introspection,
      cacheFor,
      mapping: { ...ClaimMapping.standard, tenant: "tenant" }
    }),
    FetchHttpClient.layer
  )

/** Asks about a token once, and takes it for good from then on. */
const trusting = (authority: Audit.Authority) =>
  Layer.effect(
    Identity,
    Effect.map(Identity, (identity) => {
      const known = new Map<string, Effect.Success<ReturnType<typeof identity.authenticate>>>()
      return Identity.of({
        authenticate: (credentials) => {
          const token = Credentials.$is("Bearer")(credentials) ? Redacted.value(credentials.token) : ""
          const found = known.get(token)
          return found === undefined
            ? Effect.tap(identity.authenticate(credentials), (one) => Effect.sync(() => known.set(token, one)))
            : Effect.succeed(found)
        }
      })
    })
  ).pipe(Layer.provide(introspecting(authority)))

/** Asks a server of the company's own, which asks the audit's. */
const elsewhere = (authority: Audit.Authority) =>
  Layer.unwrap(
    Effect.map(
      listening(() =>
        createServer((request, response) => {
          const { authorization = "", "content-type": type = "" } = request.headers
          void text(request)
            .then((body) =>
              fetch(authority.introspection.endpoint, {
                method: "POST",
                headers: { authorization, "content-type": type },
                body
              })
            )
            .then((answer) => answer.text())
            .then((body) => response.setHeader("content-type", "application/json").end(body))
        })
      ),
      (endpoint) => introspecting({ ...authority, introspection: { ...authority.introspection, endpoint } }, 0)
    )
  )

const recognisedBy = (identity: NonNullable<Audit.Audit["identity"]>, audit: Audit.Audit = workshop()) => ({
  ...audit,
  identity
})

const noteOf = (audit: Audit.Audit) =>
  Effect.scoped(
    Effect.gen(function* () {
      const outcome = yield* expiry.run(yield* Bench.make(audit))
      return "faults" in outcome ? outcome.note : undefined
    })
  )

describe("C08, a token that is revoked", () => {
  it.live("is refused within the time that an answer is kept", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(expiry, recognisedBy(introspecting)), [])
      assert.strictEqual(
        yield* noteOf(recognisedBy(introspecting)),
        "a session that outlives its token by 50 minutes, judged by the module's identity; a revoked token is refused 1 min later at most"
      )
      const unkept = recognisedBy((authority) => introspecting(authority, 0))
      assert.match((yield* noteOf(unkept))!, /a revoked token is refused at once$/)
    })
  )

  it.live("is found to be taken for good", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(expiry, recognisedBy(trusting)), [
        "order_part answers a session whose token has expired with 200",
        "order_part serves a kept result to a session whose token has expired",
        "order_part answers a session whose token was revoked an hour before"
      ])
    })
  )

  it.live("is not said to be refused by an identity that asks nobody", () =>
    Effect.gen(function* () {
      assert.match(
        (yield* noteOf(workshop()))!,
        /revocation before the expiry is not seen, since its identity asks nobody/
      )
    })
  )
})

describe("an identity that asks about tokens", () => {
  it.live("refuses each bad token, and is no upstream that a token is passed on to", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(badTokens, recognisedBy(introspecting)), [])
      const fetching = asking((url) => fetch(url))
      assert.deepStrictEqual(yield* findings(passthrough, recognisedBy(elsewhere, fetching)), [])
    })
  )
})

describe("C07, a credential that its upstream refuses", () => {
  const noteOf = (audit: Audit.Audit) =>
    Effect.scoped(
      Effect.gen(function* () {
        const outcome = yield* rotation.run(yield* Bench.make(audit))
        return "faults" in outcome ? outcome.note?.replace(/^.*?another; /, "") : undefined
      })
    )

  it.live("is replaced by the next one", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(rotation, granted("oauth")), [])
      assert.match((yield* noteOf(granted("oauth")))!, /look, put got another credential when the upstream refused/)
    })
  )

  it.live("is found to be held on to", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(rotation, granted("kept")), [
        "look gets no other credential when its upstream refuses the one that it has",
        "put gets no other credential when its upstream refuses the one that it has"
      ])
    })
  )

  it.live("is found to be sent again when there is another", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(rotation, granted("swinging")), [
        "look goes on sending a credential that its upstream refuses, when it has another"
      ])
    })
  )

  it.live("is not said to be replaced where it is given", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(rotation, granted("given")), [])
      assert.match(
        (yield* noteOf(granted("given")))!,
        /the credential of look, put is given to it, and how it is changed/
      )
    })
  )
})
