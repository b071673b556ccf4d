/**
 * Every way in which a request may prove its caller badly, over real HTTP with real keys: in both eras, answered directly
 * and by the SDK, for a read and for a write. Each is a 401 with the right challenge, and no handler runs.
 */
import { Identity } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { base64url, CompactSign, type JWTPayload, SignJWT, UnsecuredJWT } from "jose"
import { makeSigner, sign } from "./fixtures/authority.ts"
import { Handlers, serveDesk } from "./fixtures/desk.ts"
import { audience, goodClaims, http, now, setUp } from "./fixtures/tokens.ts"
import { vi } from "vitest"
import { legacy, modern, send } from "./testHost.ts"

// Some hundred requests, each on a connection of its own, which a busy machine takes its time for.
vi.setConfig({ testTimeout: 60_000 })

interface Bad {
  readonly authorization?: string | Array<string> | undefined
  readonly query?: string
  readonly challenge: string
}

const parameters =
  'scope="desk:read desk:write", resource_metadata="https://desk.example.com/.well-known/oauth-protected-resource/mcp"'
const missing = `Bearer ${parameters}`
const invalid = `Bearer error="invalid_token", error_description="The credentials were not accepted.", ${parameters}`
const malformed = `Bearer error="invalid_request", error_description="Send one Authorization header with one bearer token, and no token anywhere else.", ${parameters}`

const tokenCases = Effect.gen(function* () {
  const { authority, options, signer, token } = yield* setUp
  const stranger = yield* makeSigner("key-1")
  const unknown = yield* makeSigner("key-2")
  const rsa = yield* makeSigner("key-1", "RS256")
  const good = yield* token()
  const [head, body, signature] = good.split(".") as [string, string, string]
  const claims = goodClaims(authority)
  const forged = base64url.encode(JSON.stringify({ ...claims, sub: "root" }))
  const header = (value: object) => base64url.encode(JSON.stringify(value))
  const hmac = (secret: string) =>
    Effect.promise(() =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", kid: "key-1", typ: "at+jwt" })
        .sign(new TextEncoder().encode(secret.padEnd(32)))
    )
  /** As the claims are written, for what JSON of a program would not say. */
  const raw = (text: string) =>
    Effect.promise(() =>
      new CompactSign(new TextEncoder().encode(text))
        .setProtectedHeader({ alg: "ES256", kid: "key-1", typ: "at+jwt" })
        .sign(signer.privateKey)
    )
  const without = (...names: ReadonlyArray<string>) =>
    sign(signer, Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name))))
  const withClaims = (changed: Record<string, unknown>) => token(changed as JWTPayload)

  const tokens: Record<string, string> = {
    expired: yield* token({ exp: now - 31 }),
    "without an expiry": yield* without("exp"),
    "an expiry that is a text": yield* withClaims({ exp: String(now + 600) }),
    "an expiry beyond all numbers": yield* raw(JSON.stringify(claims).replace(String(now + 600), "1e999")),
    "not yet valid": yield* token({ nbf: now + 31 }),
    "issued in the future": yield* token({ iat: now + 31 }),
    "another issuer": yield* token({ iss: "https://login.evil.example" }),
    "an issuer with a slash more": yield* token({ iss: `${authority.issuer}/` }),
    "without an issuer": yield* without("iss"),
    "another audience": yield* token({ aud: "https://other.example.com/mcp" }),
    "an audience that begins like this one": yield* token({ aud: `${audience}/admin` }),
    "the audience in other letters": yield* token({ aud: audience.toUpperCase() }),
    "audiences without this one": yield* token({ aud: ["https://a.example", "https://b.example"] }),
    "an empty list of audiences": yield* token({ aud: [] }),
    "without an audience": yield* without("aud"),
    "changed claims": `${head}.${forged}.${signature}`,
    "a changed signature": `${head}.${body}.${signature.slice(0, -4)}AAAA`,
    "no signature": `${head}.${body}.`,
    "another's key under a known id": yield* token({}, {}, stranger),
    "another's key of another kind under a known id": yield* token({}, {}, rsa),
    "an unknown key id": yield* token({}, {}, unknown),
    "its own key in the header": yield* token({}, { jwk: unknown.jwk, kid: undefined }, unknown),
    "a key set of its own in the header": yield* token({}, { jku: "https://evil.example/keys" }, unknown),
    "alg none": new UnsecuredJWT(claims).encode(),
    "alg None with the good signature": `${header({ alg: "None", kid: "key-1" })}.${body}.${signature}`,
    "alg none without a signature's dot": `${header({ alg: "none" })}.${body}`,
    "HS256 with the public key as JSON": yield* hmac(JSON.stringify(signer.jwk)),
    "HS256 with a coordinate of the public key": yield* hmac(signer.jwk.x!),
    "HS256 with nothing": yield* hmac(""),
    "an algorithm that does not exist": `${header({ alg: "XS256", kid: "key-1" })}.${body}.${signature}`,
    "a critical header that nobody knows": `${header({ alg: "ES256", kid: "key-1", crit: ["x"], x: 1 })}.${body}.${signature}`,
    "another type": yield* token({}, { typ: "JWT" }),
    "an ID token's lack of a type": yield* token({}, { typ: undefined }),
    "another tenant": yield* token({ org: "globex" }),
    "without a tenant": yield* without("org"),
    "a tenant that is a list": yield* token({ org: ["acme"] }),
    "without a required claim": yield* without("client_id"),
    "without a subject": yield* without("sub"),
    "a subject that is a number": yield* withClaims({ sub: 7 }),
    "an empty subject": yield* token({ sub: "" }),
    "a subject of 300 characters": yield* token({ sub: "a".repeat(300) }),
    "roles that are a text": yield* token({ roles: "admin" }),
    "roles that are an object": yield* token({ roles: { admin: true } }),
    "roles that are numbers": yield* token({ roles: [1] }),
    "roles that are null": yield* token({ roles: null }),
    "roles that are kept elsewhere": yield* token({ roles: [], _claim_names: { roles: "src1" } }),
    "a scope that is a number": yield* token({ scope: 1 }),
    "a scope with a line break": yield* token({ scope: "desk:read\ndesk:write" }),
    "scopes with a space inside": yield* token({ scope: ["desk:read desk:write"] }),
    "claims that are a list": yield* raw("[]"),
    "claims that are no JSON": yield* raw("{"),
    "more than eight thousand characters, and good otherwise": yield* token({ groups: ["x".repeat(6000)] }),
    "two parts": `${head}.${body}`,
    "five parts, as an encrypted token": `${good}.${head}.${body}`,
    "a word": "letmein"
  }
  const cases: Record<string, Bad> = {
    "no credentials": { challenge: missing },
    "another scheme": { authorization: `Basic ${base64url.encode("ada:secret")}`, challenge: missing },
    "no token after the scheme": { authorization: "Bearer", challenge: malformed },
    "two tokens after the scheme": { authorization: `Bearer ${good} ${good}`, challenge: malformed },
    "a token that is no token": { authorization: "Bearer {}", challenge: malformed },
    "two schemes in one header": { authorization: `Basic YTpi, Bearer ${good}`, challenge: malformed },
    "the header twice": { authorization: [`Bearer ${good}`, `Bearer ${good}`], challenge: malformed },
    "the header with two callers": {
      authorization: [`Bearer ${good}`, `Bearer ${tokens["expired"]}`],
      challenge: malformed
    },
    "the header with two schemes": { authorization: [`Bearer ${good}`, "Basic YTpi"], challenge: malformed },
    "a token in the query": { query: `?access_token=${good}`, challenge: malformed },
    "a token in the query by another name": { query: `?a=1&token=${good}`, challenge: malformed },
    "a token in the query and in the header": {
      query: `?access_token=${good}`,
      authorization: `Bearer ${good}`,
      challenge: malformed
    }
  }
  for (const [name, token] of Object.entries(tokens)) {
    cases[name] = { authorization: `Bearer ${token}`, challenge: invalid }
  }
  return { authority, options, good, cases }
})

const eras = { "2026-07-28": modern, "2025-11-25": legacy }
// A member that a plain request does not have leaves the whole message to the SDK.
const ways = { direct: {}, "by the SDK": { unusual: 1 } }
const calls = { read: { name: "read", arguments: { name: "x" } }, write: { name: "write", arguments: { name: "x" } } }

describe("a request with bad credentials", () => {
  it.effect("is a 401 with the right challenge, and no handler runs", () =>
    Effect.gen(function* () {
      const { authority, cases, good, options } = yield* tokenCases
      const handlers = new Handlers()
      const url = yield* serveDesk(handlers, Identity.layerJwt(options).pipe(Layer.provide(http)))
      let requests = 0
      let accepted = 0
      for (const [era, request] of Object.entries(eras)) {
        for (const [way, unusual] of Object.entries(ways)) {
          for (const [tool, call] of Object.entries(calls)) {
            const { body, headers } = request("tools/call", { ...call, ...unusual }, "")
            const ask = (authorization: string | Array<string> | undefined, query = "") =>
              send(new URL(`${url.href}${query}`), {
                headers: { ...headers, ...(authorization !== undefined && { authorization }) },
                body
              })
            for (const [name, { authorization, challenge, query }] of Object.entries(cases)) {
              const title = `${name}, ${era}, ${way}, ${tool}`
              const answer = yield* ask(authorization, query)
              requests++
              assert.strictEqual(answer.status, 401, title)
              assert.strictEqual(answer.headers["www-authenticate"], challenge, title)
              assert.strictEqual(handlers.runs, accepted, title)
              assert.notInclude(answer.text + JSON.stringify(answer.headers), good.slice(-20), title)
            }
            // What is refused above is refused for its credentials alone.
            const allowed = yield* ask(`Bearer ${good}`)
            assert.strictEqual(allowed.status, 200, allowed.text)
            assert.isUndefined(allowed.json.result.isError, allowed.text)
            if (tool === "read" || accepted === 1) accepted++
            assert.strictEqual(handlers.runs, accepted)
          }
        }
      }
      // Once at the start, and once for all the tokens of an unknown key.
      assert.strictEqual(authority.keyRequests, 2)
      assert.strictEqual(requests, 536)
      // oxlint-disable-next-line no-console -- how much was tried is part of the result
      console.log(`${requests} requests with bad credentials: 401 each, no handler ran`)
    })
  )
})
