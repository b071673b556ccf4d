/**
 * A probe of what follows when the process dies between the effect of a write and the record of its end: a second instance
 * finds the records and the upstreams of the first, and nothing of what its server held in memory.
 */
import type { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { type Run, watchKeys } from "../internal/watchKeys.ts"
import { says, type Sent, watchUpstream } from "../internal/watchUpstream.ts"
import { undone } from "./undone.ts"
import { overWrites, unsuccessful } from "./writes.ts"

export const crash: Probe = {
  info: {
    id: "F03",
    title: "After a crash between the effect and its record, what the tool declares happens, and no guess",
    why: "The record says that an attempt began, and nothing else is known. Whoever executes again because a lease ran out writes twice, and whoever assumes success loses a write.",
    fix: "Declare the recovery that is true of the upstream, send it Operation.idempotencyKey where it takes one, and let `find` look for exactly what the operation writes.",
    severity: "block",
    question: "writes"
  },
  limit: 90,
  run: (bench) =>
    overWrites(
      bench,
      Effect.fnUntraced(function* (write) {
        const { arguments: args, caller, era, tool } = write
        if (tool.idempotency.recovery === "transactional") return yield* undone(bench, write)
        const keys = watchKeys()
        const watch = watchUpstream()
        const instance = yield* bench.start({
          program: keys.program,
          upstream: watch.upstream,
          store: losingTheEnd
        })
        const first = yield* call(yield* instance.connect(caller, era), tool.name, args)
        if (first.isError) return unsuccessful(first)
        const next = yield* bench.start({ program: keys.program, over: instance })
        yield* next.advance(Duration.sum(tool.idempotency.lease, Duration.minutes(1)))
        const begun = watch.sent.length
        const second = yield* call(yield* next.connect(caller, era), tool.name, args)
        const seen: Seen = {
          tool,
          first,
          second,
          runs: keys.runs.filter((run) => run.tool === tool.name),
          sent: [watch.sent.slice(0, begun), watch.sent.slice(begun)]
        }
        return {
          faults: faultsOf(seen).map((message) => ({
            subject: tool.name,
            message,
            evidence: `recovery: ${tool.idempotency.recovery}; its handler ran ${seen.runs.length} times\n${cut(second.text)}`
          })) satisfies ReadonlyArray<Fault>,
          calls: 2,
          transcript: [
            exchangeOf(`the same call of the next instance, and recovery is "${tool.idempotency.recovery}"`, second)
          ]
        }
      })
    )
}

/** A store that never hears of the end of the first attempt, as if its process had died there. */
const losingTheEnd = (store: IdempotencyStore["Service"]): IdempotencyStore["Service"] => {
  let first: { readonly key: string; readonly owner: string } | undefined
  const isLost = ({ key, owner }: { readonly key: string; readonly owner: string }) =>
    first?.key === key && first.owner === owner
  return {
    ...store,
    claim: (options) => {
      first ??= options
      return store.claim(options)
    },
    settle: (options) => (isLost(options) ? Effect.succeed(true) : store.settle(options)),
    release: (options) => (isLost(options) ? Effect.succeed(true) : store.release(options)),
    // A later attempt marks it by the first one's name.
    markUnknown: (options) => (isLost(options) && !options.lapsed ? Effect.succeed(true) : store.markUnknown(options))
  }
}

interface Seen {
  readonly tool: Tool.AnyWrite
  readonly first: Called
  readonly second: Called
  readonly runs: ReadonlyArray<Run>
  /** What went to upstreams before the crash, and after it. */
  readonly sent: readonly [ReadonlyArray<Sent>, ReadonlyArray<Sent>]
}

const faultsOf = (seen: Seen): ReadonlyArray<string> => {
  const { first, runs, second, tool } = seen
  const ran = runs.length > 1
  switch (tool.idempotency.recovery) {
    case "unknown": {
      if (ran) return ["executes again, and what its first attempt did is not known"]
      if (second.error?.class !== "OutcomeUnknown")
        return [`answers with ${outcomeOf(second)}, and nobody can know that`]
      const { checkWith } = tool.idempotency
      return checkWith !== undefined && !second.text.includes(checkWith)
        ? [`does not say to check with ${checkWith}`]
        : []
    }
    case "reconcile":
      if (ran) return ["executes again: what its first attempt wrote was not looked for, or not found"]
      return !second.isError && JSON.stringify(second.result) !== JSON.stringify(first.result)
        ? ["finds something else than its first attempt wrote"]
        : []
    case "downstream-key":
      return ran ? keyFaults(seen) : []
    case "transactional":
    case "repeatable":
      return second.isError ? [`answers with ${outcomeOf(second)}, and declares that it can be executed again`] : []
  }
}

/** The upstream recognises the second attempt by the key of the first, if both send it. */
const keyFaults = ({ runs, sent }: Seen): ReadonlyArray<string> => {
  const [before, after] = runs.map(({ keys }) => keys)
  if (before === undefined || after === undefined || before.length === 0 || after.length === 0) {
    return ["executes again, and never asks for the key by which its upstream could know that"]
  }
  const shared = before.filter((key) => after.includes(key))
  if (shared.length === 0) return ["executes again with another key than before, so its upstream does it twice"]
  const changes = sent.map((requests) => requests.filter(({ mutates }) => mutates))
  const isSent = changes.every(
    (requests) => requests.length === 0 || requests.some((each) => shared.some((key) => says(each, key)))
  )
  return isSent ? [] : ["executes again, and does not send its upstream the key"]
}
