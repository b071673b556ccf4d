/**
 * Probes of what becomes of a caller's token once it was good: where it goes, and when it ends.
 */
import * as Effect from "effect/Effect"
import { identityNote } from "../internal/bench/note.ts"
import { shown } from "../internal/bench/upstream.ts"
import { call, cut } from "../internal/Call.ts"
import { callable, callableWrites } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { type Departure, departuresOf, isNothing, spokenTo, unseenOf } from "../internal/departures.ts"
import { leaksIn } from "../internal/leaks.ts"
import { callOf, nobody, strangeTokens, takesTokens } from "../internal/tokenCalls.ts"
import { withoutSubject } from "../internal/tokenExchange.ts"
import { watchUpstream } from "../internal/watchUpstream.ts"
import { exchange, said } from "../internal/wire.ts"
import { revocation } from "./revocation.ts"
import { upstreamCredentials } from "./upstreamCredentials.ts"

export const passthrough: Probe = {
  info: {
    id: "C06",
    title: "The caller's token is never sent upstream",
    why: "A token that is passed on lets the upstream act as the caller elsewhere, and lets a token that was made for the upstream in (token passthrough, which MCP forbids).",
    fix: "Give the handler a Credential of its own, or exchange the token on behalf of the caller.",
    severity: "block",
    question: "credentials"
  },
  limit: 90,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    if (tools.length === 0) return nobody
    const watch = watchUpstream()
    const instance = yield* bench.start({ upstream: watch.upstream })
    const departures: Array<Departure> = []
    const faults: Array<Fault> = []
    for (const one of tools) {
      const token = yield* instance.token(one.caller)
      const client = yield* instance.connect(one.caller, one.era, { tokenOf: () => token })
      const departure = yield* departuresOf(instance, watch, client, one)
      departures.push(departure)
      const secrets = [token, token.split(".")[2] ?? token].map((value) => ({ what: "the caller's token", value }))
      const [leak] = textsOf(departure).flatMap(({ text, to }) =>
        leaksIn(text, secrets).map(({ form }) => ({ form, to }))
      )
      if (leak !== undefined) {
        faults.push({
          subject: one.tool.name,
          message: `sends the caller's token upstream, ${leak.form}`,
          evidence: `to ${leak.to}`
        })
      }
    }
    const requests = departures.flatMap(({ others, sent }) => [...sent, ...others])
    const spoken = spokenTo(departures)
    const unseen = unseenOf(departures)
    if (departures.every(isNothing)) {
      return {
        notApplicable:
          "Over the layers that it is probed with, it has no upstream that a token could be passed on to: while each of its tools was called, no request, message, connection, program or thread left this process."
      }
    }
    if (faults.length === 0 && unseen !== undefined) {
      return {
        notSeen: `${requests.length} requests to upstreams hold no token of a caller. What went by ${unseen} can't be seen.`
      }
    }
    const grants = requests.filter(({ isGrant }) => isGrant).length
    return {
      faults,
      note: [
        `${tools.length} tools, ${requests.length} requests to upstreams`,
        ...(grants === 0 ? [] : [`${grants} of them to a token endpoint, which may be handed it to exchange`]),
        ...(spoken.length === 0 ? [] : [`what went to ${spoken.join(", ")} and is no HTTP`])
      ].join(", "),
      transcript: departures.slice(0, 3).flatMap(({ called, others, sent }) => {
        const [first] = [...sent, ...others]
        if (first === undefined) return []
        const { headers, method, url } = first
        return [
          {
            what: `${called.tool} asks upstream`,
            sent: `${method} ${url.href} ${JSON.stringify(shown(headers))}`,
            answered: "",
            millis: 0
          }
        ]
      })
    }
  })
}

/** All that may not hold the token; it may be handed to a token endpoint to be exchanged. */
const textsOf = ({
  messages,
  others,
  sent
}: Departure): ReadonlyArray<{ readonly to: string; readonly text: string }> => [
  ...[...sent, ...others].map(({ body, headers, isGrant, url }) => ({
    to: url.origin,
    text: [url.href, ...[...headers].flat(), isGrant ? withoutSubject(new URLSearchParams(body)) : body].join("\n")
  })),
  ...messages
]

export const rotation: Probe = {
  info: {
    id: "C07",
    title:
      "When keys or an upstream's credential are changed, the next call uses the new one and the old one is done with",
    why: "Keys and credentials are changed when they may be known to others. A server that goes on with the old ones, or has to be restarted for the new ones, defeats that.",
    fix: "Let the identity fetch the key set again for a key that it does not know, and forget what the old keys proved. Ask upstreams through UpstreamClient, whose Credential is renewed when it is refused.",
    severity: "block"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const one = callable(bench)[0]
    if (one === undefined) return nobody
    const instance = yield* bench.start()
    if (!(yield* takesTokens(instance, one))) return strangeTokens
    const old = yield* instance.token(one.caller)
    let current = old
    const client = yield* instance.connect(one.caller, one.era, { tokenOf: () => current })
    const first = yield* call(client, one.tool.name, one.arguments)
    yield* instance.rotateKeys
    current = yield* instance.token(one.caller)
    const second = yield* call(client, one.tool.name, one.arguments)
    const third = yield* instance.send(callOf(one, one.era, old))
    const subject = bench.connector.name
    const faults: Array<Fault> = []
    if (second.refused !== undefined) {
      faults.push({ subject, message: "refuses the first token of a new key", evidence: cut(second.text) })
    }
    if (third.status !== 401) {
      faults.push({ subject, message: "takes a token of a key that is no longer published", evidence: said(third) })
    }
    const own = yield* upstreamCredentials(bench)
    return {
      faults: [...faults, ...own.faults],
      note: [`one session over two keys, judged ${identityNote(bench)}`, ...own.note].join("; "),
      transcript: [
        { what: "a token of the old key", sent: one.tool.name, answered: cut(first.text), millis: first.millis },
        { what: "a token of the new key", sent: one.tool.name, answered: cut(second.text), millis: second.millis },
        exchange("the old token again", one.tool.name, third),
        ...own.transcript
      ]
    }
  })
}

export const expiry: Probe = {
  info: {
    id: "C08",
    title:
      "A session ends with its token, when that expires or is revoked: the next call is refused, and no kept result is served",
    why: "A caller who was let in once and whose rights are over must not be served from what is kept.",
    fix: "Check the token on each request, and before anything that is kept is looked up.",
    severity: "block",
    question: "credentials"
  },
  run: Effect.fnUntraced(function* (bench) {
    const one = callableWrites(bench)[0] ?? callable(bench)[0]
    if (one === undefined) return nobody
    const instance = yield* bench.start()
    if (!(yield* takesTokens(instance, one))) return strangeTokens
    const token = yield* instance.token(one.caller)
    const client = yield* instance.connect(one.caller, one.era, { tokenOf: () => token })
    const before = yield* call(client, one.tool.name, one.arguments)
    yield* instance.advance("1 hour")
    const executions = instance.executions.length
    const after = yield* call(client, one.tool.name, one.arguments)
    const raw = yield* instance.send(callOf(one, one.era, token))
    const subject = one.tool.name
    const faults: Array<Fault> = []
    if (raw.status !== 401 || after.refused === undefined) {
      faults.push({
        subject,
        message: `answers a session whose token has expired with ${raw.status}`,
        evidence: said(raw)
      })
    }
    if (after.replayed || after.result !== undefined) {
      faults.push({
        subject,
        message: "serves a kept result to a session whose token has expired",
        evidence: cut(after.text)
      })
    }
    if (instance.executions.length > executions) {
      faults.push({ subject, message: "its handler ran for a session whose token has expired" })
    }
    const revoked = yield* revocation(bench, one)
    return {
      faults: [...faults, ...revoked.faults],
      note: `a session that outlives its token by 50 minutes, judged ${identityNote(bench)}; ${revoked.note}`,
      transcript: [
        { what: "while the token holds", sent: subject, answered: cut(before.text), millis: before.millis },
        exchange("an hour later", subject, raw),
        ...revoked.transcript
      ]
    }
  })
}
