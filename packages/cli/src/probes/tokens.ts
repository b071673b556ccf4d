/**
 * Probes of how callers prove who they are: without a token, with one that is wrong in one way, and with one in the wrong place.
 */
import * as Effect from "effect/Effect"
import { type Bench, type Caller, eras, type Instance, type TokenChange } from "../internal/Bench.ts"
import { identityNote } from "../internal/bench/note.ts"
import { callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { tally } from "../internal/tally.ts"
import { callOf, nobody, strangeTokens, takesTokens } from "../internal/tokenCalls.ts"
import { exchange, request, said } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

export const noToken: Probe = {
  info: {
    id: "C01",
    title: "A call without a token is answered with 401 and where to sign in",
    why: "Every tool of an endpoint that lets strangers in is open to the network. A client that is not told where to sign in can't.",
    fix: "Serve the connector with an identity that refuses the anonymous, such as Identity.layerJwt, and with its own address as the audience or resource.",
    severity: "block",
    question: "credentials"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    const name = bench.connector.name
    let count = 0
    const methods = [
      ...bench.tools.map((tool) => ({
        subject: tool.name,
        method: "tools/call",
        params: { name: tool.name, arguments: bench.argumentsOf(tool) }
      })),
      { subject: name, method: "tools/list", params: {} }
    ]
    for (const { method, params, subject } of methods) {
      for (const era of eras) {
        const answer = yield* instance.send(request({ era, method, params }))
        const challenge = answer.headers.get("www-authenticate") ?? ""
        count++
        if (transcript.length < 2) {
          transcript.push(exchange(`${era}, no token`, `${method} ${subject}`, answer))
        }
        if (answer.status !== 401) {
          faults.push({
            subject,
            message: `answers ${method} without a token with ${answer.status}`,
            evidence: said(answer)
          })
        } else if (!/^Bearer\b.*\bresource_metadata="/.test(challenge)) {
          faults.push({
            subject: name,
            message: "does not say in its challenge where to sign in (resource_metadata)",
            evidence: said(answer),
            severity: "warn"
          })
        }
      }
    }
    if (instance.executions.length > 0) {
      faults.push({ subject: instance.executions[0]!.tool, message: "its handler ran for a caller without a token" })
    }
    const metadata = yield* metadataFaults(bench, instance)
    return {
      faults: tally([...faults, ...metadata.faults]),
      note: `${count} calls, judged ${identityNote(bench)}`,
      transcript: [...transcript, ...metadata.transcript]
    }
  })
}

/** RFC 9728, section 3.3: the resource must be the very address that the client called. */
const metadataFaults = Effect.fnUntraced(function* (bench: Bench, instance: Instance) {
  const path = `/.well-known/oauth-protected-resource${new URL(instance.url).pathname}`
  const answer = yield* instance.send({ method: "GET", path })
  const transcript = [exchange("the metadata", `GET ${path}`, answer)]
  const fault = (message: string) => ({
    subject: bench.connector.name,
    message,
    evidence: said(answer),
    severity: "warn" as const
  })
  const metadata = answer.status === 200 ? objectOf(answer.text) : undefined
  if (metadata === undefined) return { faults: [fault("publishes no metadata of a protected resource")], transcript }
  const servers = metadata["authorization_servers"]
  return {
    faults: [
      ...(metadata["resource"] === instance.url ? [] : [fault("names another address than its own as the resource")]),
      ...(Array.isArray(servers) && servers.length > 0 ? [] : [fault("names no authorization server")])
    ],
    transcript
  }
})

const objectOf = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

const wrong = (seconds: number): ReadonlyArray<readonly [what: string, change: TokenChange]> => [
  ["expired an hour ago", { claims: { iat: seconds - 7200, exp: seconds - 3600 } }],
  ["without an expiry", { claims: { exp: undefined } }],
  ["not valid before an hour from now", { claims: { nbf: seconds + 3600 } }],
  ["issued an hour from now", { claims: { iat: seconds + 3600, exp: seconds + 7200 } }],
  ["for another audience", { claims: { aud: "https://other.example/mcp" } }],
  ["without an audience", { claims: { aud: undefined } }],
  ["of another issuer", { claims: { iss: "https://login.example" } }],
  ["signed by another key", { signature: "another key" }],
  ["with a changed signature", { signature: "broken" }],
  ["without a signature (alg none)", { signature: "none" }],
  ["signed with the public key as a secret (HS256)", { signature: "public key" }],
  ["a refresh token", { claims: { typ: "Refresh", aud: "https://login.example" }, header: { typ: "JWT" } }],
  ["an id token", { claims: { aud: "a-client", nonce: "n" }, header: { typ: "JWT" } }]
]

export const badTokens: Probe = {
  info: {
    id: "C02",
    title: "A token that is wrong in one way is refused, and nothing runs",
    why: "A resource server that takes a token which was not made for it, or is over, lets in whoever holds any token at all.",
    fix: "Use Identity.layerJwt or layerIntrospection with issuer and audience, and no code of your own that reads tokens.",
    severity: "block",
    question: "credentials"
  },
  run: Effect.fnUntraced(function* (bench) {
    const one = callable(bench)[0]
    if (one === undefined) return nobody
    const instance = yield* bench.start()
    if (!(yield* takesTokens(instance, one))) return strangeTokens
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    const [executions, upstream] = [instance.executions.length, instance.upstream.length]
    const cases = wrong(yield* secondsOf(instance, one.caller))
    for (const [what, change] of cases) {
      const token = yield* instance.token(one.caller, change)
      for (const era of eras) {
        const answer = yield* instance.send(callOf(one, era, token))
        if (transcript.length < 3) transcript.push(exchange(what, `tools/call ${one.tool.name}`, answer))
        if (answer.status !== 401) {
          faults.push({
            subject: bench.connector.name,
            message: `answers a token ${what} with ${answer.status} instead of 401`,
            evidence: `${era}: ${said(answer)}`
          })
        }
      }
    }
    if (instance.executions.length > executions) {
      faults.push({ subject: one.tool.name, message: "its handler ran for a token that is not good" })
    }
    if (instance.upstream.length > upstream) {
      faults.push({ subject: one.tool.name, message: "sent a request upstream for a token that is not good" })
    }
    return {
      faults: tally(faults),
      note: `${cases.length} tokens × ${eras.length} eras, judged ${identityNote(bench)}`,
      transcript
    }
  })
}

/** The time at which the instance signs. */
const secondsOf = (instance: Instance, caller: Caller): Effect.Effect<number> =>
  Effect.map(instance.token(caller), (token) => {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"))
    return Number((claims as { readonly iat: number }).iat)
  })

export const tokenInQuery: Probe = {
  info: {
    id: "C05",
    title: "A token in the query string is refused",
    why: "Addresses are kept in logs, histories and proxies, and a token in them with them (RFC 9700, section 4.3.2).",
    fix: "Take tokens from the Authorization header alone.",
    severity: "block",
    question: "credentials"
  },
  run: Effect.fnUntraced(function* (bench) {
    const one = callable(bench)[0]
    if (one === undefined) return nobody
    const instance = yield* bench.start()
    if (!(yield* takesTokens(instance, one))) return strangeTokens
    const token = yield* instance.token(one.caller)
    const before = instance.executions.length
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const name of ["access_token", "token"]) {
      for (const header of [undefined, token]) {
        for (const era of eras) {
          const path = `${new URL(instance.url).pathname}?${name}=${token}`
          const answer = yield* instance.send({ ...callOf(one, era, header), path })
          const what = `${name} in the query${header === undefined ? "" : ", and a token in the header"}`
          if (transcript.length < 2) transcript.push(exchange(what, `POST /mcp?${name}=<token>`, answer))
          if (answer.status < 400) {
            faults.push({
              subject: bench.connector.name,
              message: `accepts a request with ${what}`,
              evidence: `${era}: ${said(answer)}`
            })
          }
        }
      }
    }
    if (instance.executions.length > before) {
      faults.push({ subject: one.tool.name, message: "its handler ran for a token in the query" })
    }
    const kept = instance.output.filter(({ text }) => text.includes(token))
    for (const way of new Set(kept.map(({ way }) => way))) {
      faults.push({ subject: bench.connector.name, message: `a token from the query is in the ${way}` })
    }
    return { faults: tally(faults), note: `8 requests, judged ${identityNote(bench)}`, transcript }
  })
}
