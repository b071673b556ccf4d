/**
 * Judges what a connector does when an upstream refuses the credential that it has, as after it was changed there: the
 * first credential of each tool is refused, and whatever else the connector comes with is the upstream's to judge.
 */
import * as Effect from "effect/Effect"
import { credentialsIn } from "../internal/bench/upstream.ts"
import type { Bench } from "../internal/Bench.ts"
import { call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { type Callable, callable } from "../internal/callable.ts"
import type { Fault } from "../internal/Check.ts"
import { type Sent, watchUpstream } from "../internal/watchUpstream.ts"
import type { Exchange } from "../Report.ts"

interface Judged {
  readonly tool: string
  /** `"no source"`: it asked nobody for another one, and nobody for this one. */
  readonly outcome: "no credential" | "no source" | "renewed" | "kept"
  readonly faults: ReadonlyArray<Fault>
  readonly transcript: ReadonlyArray<Exchange>
}

export const upstreamCredentials = Effect.fnUntraced(function* (bench: Bench) {
  const judged = yield* Effect.forEach(callable(bench), (one) => Effect.scoped(judge(bench, one)), { concurrency: 4 })
  const named = (outcome: Judged["outcome"]) =>
    judged.filter((each) => each.outcome === outcome).map(({ tool }) => tool)
  const [given, renewed] = [named("no source"), named("renewed")]
  return {
    faults: judged.flatMap(({ faults }) => faults),
    note: [
      ...(renewed.length === 0
        ? []
        : [`${renewed.join(", ")} got another credential when the upstream refused the first`]),
      ...(given.length === 0
        ? []
        : [`the credential of ${given.join(", ")} is given to it, and how it is changed was not seen`])
    ],
    transcript: judged.flatMap(({ transcript }) => transcript).slice(0, 2)
  }
})

const judge = Effect.fnUntraced(function* (bench: Bench, one: Callable) {
  const { arguments: args, caller, era, tool } = one
  const refused = new Map<string, string>()
  const sent: Array<{ readonly credential: string; readonly isRefused: boolean }> = []
  const watch = watchUpstream((request, next) => {
    const credential = credentialOf(request)
    if (credential === "") return next()
    const { origin } = request.url
    if (!refused.has(origin)) refused.set(origin, credential)
    const isRefused = refused.get(origin) === credential
    sent.push({ credential: `${origin} ${credential}`, isRefused })
    return isRefused ? Promise.resolve(unauthorized()) : next()
  })
  const instance = yield* bench.start({ upstream: watch.upstream })
  const client = yield* instance.connect(caller, era)
  yield* call(client, tool.name, args)
  const second = yield* call(client, tool.name, args)
  const judged = (outcome: Judged["outcome"], message?: string): Judged => ({
    tool: tool.name,
    outcome,
    faults: message === undefined ? [] : [{ subject: tool.name, message, evidence: cut(second.text) }],
    transcript: outcome === "no credential" ? [] : [exchangeOf("its upstream refuses the first credential", second)]
  })
  if (sent.length === 0) return judged("no credential")
  const renewedAt = sent.findIndex(({ isRefused }) => !isRefused)
  if (renewedAt === -1) {
    return watch.sent.some(({ isGrant }) => isGrant)
      ? judged("kept", "gets no other credential when its upstream refuses the one that it has")
      : judged("no source")
  }
  if (second.isError) {
    return judged("kept", `answers with ${outcomeOf(second)} when it has got another credential of its upstream's`)
  }
  return sent.slice(renewedAt).some(({ isRefused }) => isRefused)
    ? judged("kept", "goes on sending a credential that its upstream refuses, when it has another")
    : judged("renewed")
})

const credentialOf = ({ headers }: Sent): string => credentialsIn(headers).join(" ")

const unauthorized = () =>
  new Response("{}", {
    status: 401,
    headers: { "content-type": "application/json", "www-authenticate": 'Bearer error="invalid_token"' }
  })
