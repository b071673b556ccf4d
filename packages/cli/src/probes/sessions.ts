/**
 * Probes of what becomes of a caller's token once it was good: where it goes, and when it ends.
 */
import * as Effect from "effect/Effect"
import { identityNote } from "../internal/bench/note.ts"
import { call, cut } from "../internal/Call.ts"
import { callable, callableWrites } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { leaksIn } from "../internal/leaks.ts"
import { callOf, nobody, strangeTokens, takesTokens } from "../internal/tokenCalls.ts"
import { grantOf, withoutSubject } from "../internal/tokenExchange.ts"
import { exchange, said } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

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
    const seen: Array<{ readonly text: string; readonly url: string }> = []
    let exchanges = 0
    const instance = yield* bench.start({
      upstream: async (request, next) => {
        const grant = await grantOf(request)
        if (grant !== undefined) exchanges++
        const body = grant === undefined ? await request.clone().text() : withoutSubject(grant)
        seen.push({ text: [request.url, ...[...request.headers].flat(), body].join("\n"), url: request.url })
        return next()
      }
    })
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const { arguments: args, caller, era, tool } of tools) {
      const token = yield* instance.token(caller)
      const signature = token.split(".")[2] ?? token
      const before = seen.length
      const client = yield* instance.connect(caller, era, { tokenOf: () => token })
      yield* call(client, tool.name, args)
      const sent = seen.slice(before)
      if (sent[0] !== undefined && transcript.length < 3) {
        const [{ url }] = [sent[0]]
        const { headers, method } = instance.upstream.find((each) => each.url === url)!
        transcript.push({
          what: `${tool.name} asks upstream`,
          sent: `${method} ${url} ${JSON.stringify(headers)}`,
          answered: "",
          millis: 0
        })
      }
      const secrets = [token, signature].map((value) => ({ what: "the caller's token", value }))
      const [leak] = sent.flatMap(({ text }) => leaksIn(text, secrets))
      if (leak !== undefined) {
        faults.push({ subject: tool.name, message: `sends the caller's token upstream, ${leak.form}` })
      }
    }
    if (seen.length === 0) {
      return {
        notSeen: "No handler sent a request by Effect's HttpClient over fetch, which is the only way that is watched."
      }
    }
    return {
      faults,
      note: `${tools.length} tools, ${seen.length} requests to upstreams over fetch${exchanges === 0 ? "" : `, ${exchanges} of them to a token endpoint, which may be handed it to exchange`}`,
      transcript
    }
  })
}

export const rotation: Probe = {
  info: {
    id: "C07",
    title: "When the authorization server changes its keys, the next call uses the new one and the old one is refused",
    why: "Keys are changed when they may be known to others. A server that goes on taking the old ones, or has to be restarted for the new ones, defeats that.",
    fix: "Let the identity fetch the key set again for a key that it does not know, and forget what the old keys proved.",
    severity: "block"
  },
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
    return {
      faults,
      note: `one session over two keys, judged ${identityNote(bench)}; upstream credentials that rotate are not seen`,
      transcript: [
        { what: "a token of the old key", sent: one.tool.name, answered: cut(first.text), millis: first.millis },
        { what: "a token of the new key", sent: one.tool.name, answered: cut(second.text), millis: second.millis },
        exchange("the old token again", one.tool.name, third)
      ]
    }
  })
}

export const expiry: Probe = {
  info: {
    id: "C08",
    title: "A session ends with its token: the next call is refused, and no kept result is served",
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
    return {
      faults,
      note: `a session that outlives its token by 50 minutes, judged ${identityNote(bench)}; revocation before the expiry is not seen`,
      transcript: [
        { what: "while the token holds", sent: subject, answered: cut(before.text), millis: before.millis },
        exchange("an hour later", subject, raw)
      ]
    }
  })
}
