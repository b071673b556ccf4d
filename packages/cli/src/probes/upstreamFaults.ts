/**
 * A probe of upstreams that fail: each in the way of a real one, for every tool that asks one by HTTP.
 */
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Bench } from "../internal/Bench.ts"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { type Callable, callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { departuresOf, isNothing } from "../internal/departures.ts"
import { tally } from "../internal/tally.ts"
import { watchKeys } from "../internal/watchKeys.ts"
import { watchRuns } from "../internal/watchRuns.ts"
import { says, type Sent, watchUpstream } from "../internal/watchUpstream.ts"

export const upstreamFaults: Probe = {
  info: {
    id: "E03",
    title: "Whatever an upstream does wrong comes out as the right class, and nothing of it twice",
    why: "A model that takes an outage for a mistake of its own changes its arguments; one that takes a refusal for an outage repeats it for ever. What the upstream's error page says is not for the model.",
    fix: "Ask upstreams through UpstreamClient, or end every request with Upstream.json or Upstream.classify.",
    severity: "block",
    question: "errors"
  },
  limit: 150,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    const departures = yield* departuresOfEach(bench, tools)
    const asking = departures.filter(({ sent }) => sent.some(({ isGrant }) => !isGrant))
    const others = departures.filter((each) => !asking.includes(each) && !isNothing(each))
    const unjudged =
      others.length === 0
        ? []
        : [
            `${others.map(({ one }) => one.tool.name).join(", ")} could not be judged: what they ask is asked by another way than fetch, or Effect's HttpClient over it, where no fault can be put in between`
          ]
    if (asking.length === 0) {
      return others.length > 0 ? { notSeen: unjudged.join("") } : { notApplicable: "no tool asks an upstream" }
    }
    const seen = yield* Effect.forEach(
      asking.flatMap(({ one }) => troubles.map((trouble) => ({ one, trouble }))),
      ({ one, trouble }) => Effect.scoped(withTrouble(bench, one, trouble)),
      // Most of the time they wait for the timeouts of their handlers.
      { concurrency: 8 }
    )
    return {
      faults: tally(seen.flatMap(faultsOf)),
      note: [`${troubles.length} faults over ${asking.length} of ${tools.length} tools`, ...unjudged].join("; "),
      transcript: seen
        .filter(({ one }) => one === asking[0]!.one)
        .map(({ first, trouble }) => exchangeOf(`its upstream ${trouble.what}`, first))
    }
  })
}

const departuresOfEach = Effect.fnUntraced(function* (bench: Bench, tools: ReadonlyArray<Callable>) {
  const watch = watchUpstream()
  const instance = yield* bench.start({ upstream: watch.upstream })
  return yield* Effect.forEach(
    tools,
    Effect.fnUntraced(function* (one) {
      const client = yield* instance.connect(one.caller, one.era)
      return { one, ...(yield* departuresOf(instance, watch, client, one)) }
    })
  )
})

type Class = "ValidationError" | "AuthorizationError" | "TransientError"

interface Trouble {
  readonly what: string
  readonly class: Class
  /** It says when to come back. */
  readonly asksToWait?: boolean
  /** It may have done what it was asked to. */
  readonly uncertain?: boolean
  /** `wait` is what it may ask for, in seconds. */
  readonly answer: (next: () => Promise<Response>, wait: number) => Promise<Response>
}

const secret = "upstream-7f3a9"
const page = `<html><head><title>502</title></head><body><h1>Bad Gateway</h1>db-7.internal.acme.example:5432 ${secret}
    at Server.respond (/srv/upstream/server.js:12:7)</body></html>`

const status = (status: number, of: Class, more: Partial<Trouble> = {}): Trouble => ({
  what: `answers with ${status}`,
  class: of,
  answer: (_, wait) =>
    Promise.resolve(
      Response.json(
        { error: `${secret} at db-7.internal.acme.example` },
        { status, headers: more.asksToWait === true ? { "retry-after": String(wait) } : {} }
      )
    ),
  ...more
})

const troubles: ReadonlyArray<Trouble> = [
  status(400, "ValidationError"),
  status(401, "AuthorizationError"),
  status(403, "AuthorizationError"),
  status(404, "ValidationError"),
  status(409, "ValidationError"),
  status(422, "ValidationError"),
  status(429, "TransientError", { asksToWait: true }),
  status(500, "TransientError", { uncertain: true }),
  status(503, "TransientError", { uncertain: true, asksToWait: true }),
  {
    what: "answers with a page of a proxy",
    class: "TransientError",
    uncertain: true,
    answer: () => Promise.resolve(new Response(page, { status: 502, headers: { "content-type": "text/html" } }))
  },
  {
    what: "resets the connection after it did what was asked",
    class: "TransientError",
    uncertain: true,
    answer: (next) =>
      next().then(() => {
        throw Object.assign(new TypeError("fetch failed"), {
          cause: Object.assign(new Error(`read ECONNRESET ${secret}`), { code: "ECONNRESET" })
        })
      })
  },
  {
    what: "does what was asked and never answers",
    class: "TransientError",
    uncertain: true,
    answer: (next) => next().then(() => new Promise<never>(() => {}))
  }
]

interface Seen {
  readonly one: Callable
  readonly trouble: Trouble
  readonly first: Called
  /** The same call again, as a client makes it that was told to. */
  readonly second: Called
  /** What reached the upstream and changes something there. */
  readonly done: ReadonlyArray<Sent>
  readonly keys: ReadonlyArray<string>
}

const withTrouble = Effect.fnUntraced(function* (bench: Bench, one: Callable, trouble: Trouble) {
  const done: Array<Sent> = []
  const keys = watchKeys()
  const runs = watchRuns()
  const watch = watchUpstream((sent, next) =>
    // What a rule can't ask is denied, whatever the upstream said.
    runs.hasBegun()
      ? trouble.answer(() => {
          if (sent.mutates) done.push(sent)
          return next()
        }, waitOf(one.tool))
      : next()
  )
  const instance = yield* bench.start({
    upstream: watch.upstream,
    program: (tool, program) => runs.program(tool, keys.program(tool, program))
  })
  const client = yield* instance.connect(one.caller, one.era)
  const first = yield* call(client, one.tool.name, one.arguments)
  // A second round of the same timeouts tells nothing more where nothing can have been done.
  runs.reset()
  const second = done.length === 0 ? first : yield* call(client, one.tool.name, one.arguments)
  return { one, trouble, first, second, done, keys: keys.runs.flatMap((run) => run.keys) } satisfies Seen
})

const faultsOf = (seen: Seen): ReadonlyArray<Fault> => {
  const { first, one, trouble } = seen
  const { tool } = one
  const fault = (message: string, more: Partial<Fault> = {}): Fault => ({
    subject: tool.name,
    message,
    evidence: `its upstream ${trouble.what}\n${cut(first.text)}`,
    ...more
  })
  const twice = doneTwice(seen)
    ? [
        fault("has its upstream do it twice", {
          evidence: `its upstream ${trouble.what}; ${seen.done.length} requests reached it`
        })
      ]
    : []
  if (!first.isError) {
    // A search that finds nothing may well answer so.
    if (trouble.what === "answers with 404") return twice
    const message = "answers as if nothing had happened where its upstream has failed"
    return [...twice, fault(message, tool.kind === "read" ? { severity: "warn" } : {})]
  }
  const { error, text } = first
  const said = `${text}${JSON.stringify(error)}`
  const leaks = /<\/?[a-z][^>]*>|acme\.example|upstream-7f3a9|\bat .*:\d+:\d+|ECONN|127\.0\.0\.1|localhost/i.test(said)
  const isRight = error !== undefined && expected(tool, trouble).includes(error.class)
  const forgets =
    trouble.asksToWait === true && error?.class === "TransientError" && (error.retryAfterMs ?? 0) < waitOf(tool) * 900
  return [
    ...twice,
    ...(isRight ? [] : [fault(`answers with ${outcomeOf(first)} where its upstream ${trouble.what}`)]),
    ...(leaks ? [fault("passes on what its upstream said, or where it is")] : []),
    ...(forgets ? [fault("does not say how long its upstream asks to wait")] : [])
  ]
}

/** Longer than the connector waits itself, in seconds. */
const waitOf = ({ timeout }: Tool.Any) => Math.ceil(Duration.toSeconds(timeout)) + 60

const expected = (tool: Tool.Any, { class: one, uncertain = false, what }: Trouble): ReadonlyArray<string> => {
  const isOpen = tool.kind === "write" && uncertain
  return [
    one,
    ...(isOpen ? ["OutcomeUnknown"] : []),
    // To a request that has an idempotency key, 409 means that the first one still runs.
    ...(tool.kind === "write" && what === "answers with 409" ? ["TransientError"] : [])
  ]
}

/** Attempts that its upstream takes for one do no harm: they have one key, or change nothing when they are repeated. */
const doneTwice = ({ done, keys, one: { tool } }: Seen): boolean => {
  if (done.length < 2 || tool.kind === "read" || tool.idempotency.recovery === "repeatable") return false
  const routes = Map.groupBy(done, ({ method, url }) => `${method} ${url.href}`)
  return [...routes.values()].some(
    (requests) => requests.length > 1 && !keys.some((key) => requests.every((request) => says(request, key)))
  )
}
