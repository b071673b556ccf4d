/**
 * Who is let in at an address: nobody without a token, nobody by a token in the address, and no page of another site.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Answer, RawRequest } from "../internal/Bench.ts"
import { send } from "../internal/bench/rawRequest.ts"
import { cut } from "../internal/Call.ts"
import type { BenchFault, Outcome, WireProbe } from "../internal/Check.ts"
import { isLoopback } from "../internal/connect.ts"
import type { WireTarget } from "../internal/WireTarget.ts"
import type { Exchange } from "../Report.ts"
import { version } from "../version.ts"
import { noToken, tokenInQuery } from "../probes/tokens.ts"
import { origins } from "../probes/transport.ts"

const overStdio = { notApplicable: "Over stdio, whoever starts the process owns it." }

export const withoutToken: WireProbe = {
  info: noToken.info,
  run: (wire) =>
    atAddress(wire, function* ({ ask, url }) {
      const { answer, exchange } = yield* ask("without a token", {})
      const fault = (message: string) => ({ subject: wire.name, message, evidence: exchange.answered })
      if (answer.status !== 401) {
        return {
          faults: [fault(`answers a caller without a token with HTTP ${answer.status}`)],
          transcript: [exchange]
        }
      }
      const challenge = answer.headers.get("www-authenticate") ?? ""
      const metadata = /resource_metadata="([^"]+)"/.exec(challenge)?.[1]
      if (metadata === undefined || !URL.canParse(metadata)) {
        const message = "refuses a caller without a token, and does not say where its metadata is"
        return { faults: [fault(message)], transcript: [exchange] }
      }
      const published: unknown = yield* Effect.promise((signal) =>
        fetch(metadata, { redirect: "error", signal }).then(
          (response) => response.json(),
          () => undefined
        )
      )
      const resource =
        typeof published === "object" && published !== null && "resource" in published ? published.resource : undefined
      return {
        faults: resource === url.href ? [] : [fault("publishes metadata whose resource is not its address")],
        note: "1 request",
        transcript: [exchange]
      }
    })
}

export const tokenInAddress: WireProbe = {
  info: tokenInQuery.info,
  run: (wire) =>
    atAddress(wire, function* ({ ask, url }) {
      if (wire.token === undefined) return { notSeen: "It takes a token to try: give one with --token-env." }
      if (url.protocol === "http:" && !isLoopback(url)) return { notSeen: "The token is not sent over http." }
      const secret = encodeURIComponent(Redacted.value(wire.token.value))
      const path = `${url.pathname}${url.search === "" ? "?" : `${url.search}&`}access_token=`
      const { answer, exchange } = yield* ask("with the token in the address", { path: path + secret })
      const message = `takes a token that is in the address, with HTTP ${answer.status}`
      // The exchange is left out: an answer may say the address back.
      return {
        faults: answer.status === 401 || answer.status === 403 ? [] : [{ subject: wire.name, message }],
        note: "1 request",
        transcript: [{ ...exchange, answered: `HTTP ${answer.status}` }]
      }
    })
}

export const foreignCallers: WireProbe = {
  info: origins.info,
  run: (wire) =>
    atAddress(wire, function* ({ ask, authorization, url }) {
      const origin = { ...authorization, origin: "https://attacker.example" }
      const cases = [yield* ask("with the Origin of another site", { headers: origin })]
      // Behind a proxy, another Host is another site's.
      if (isLoopback(url)) {
        cases.push(yield* ask("with another Host", { headers: { ...authorization, host: "attacker.example" } }))
      }
      return {
        faults: cases
          .filter(({ answer }) => answer.status !== 403 && answer.status !== 401 && answer.status !== 421)
          .map(({ answer, exchange }) => ({
            subject: wire.name,
            message: `answers a request ${exchange.what} with HTTP ${answer.status}`,
            evidence: exchange.answered
          })),
        note: `${cases.length} requests`,
        transcript: cases.map(({ exchange }) => exchange)
      }
    })
}

interface Address {
  readonly url: URL
  readonly authorization: Readonly<Record<string, string>>
  readonly ask: (
    what: string,
    request: RawRequest
  ) => Effect.Effect<{ readonly answer: Answer; readonly exchange: Exchange }, BenchFault>
}

/** What every server answers a client that it lets in. */
const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "ferrule", version } }
})

const atAddress = (
  { target, token }: WireTarget,
  probe: (address: Address) => Generator<Effect.Effect<unknown, BenchFault>, Outcome, never>
): Effect.Effect<Outcome, BenchFault> => {
  if (target._tag === "Command") return Effect.succeed(overStdio)
  const { url } = target
  const authorization = token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token.value)}` }
  const ask: Address["ask"] = (what, { headers, ...request }) =>
    Effect.map(
      Effect.timed(
        send(url.href, {
          ...request,
          body: initialize,
          headers: {
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
            ...headers
          }
        })
      ),
      ([took, answer]) => {
        const answered = cut(`HTTP ${answer.status} ${answer.text}`)
        return { answer, exchange: { what, sent: "POST initialize", answered, millis: Duration.toMillis(took) } }
      }
    )
  return Effect.gen(() => probe({ url, authorization, ask }))
}
