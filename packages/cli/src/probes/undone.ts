/**
 * Judges a transactional write whose process dies before the commit, and then after it: its effect and its record are both
 * gone, and then both there.
 *
 * The reads of the connector show what became of the effect, those that answer the same twice and show something of the
 * write. What goes to an upstream by HTTP is no part of any transaction.
 */
import type { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Bench, Instance } from "../internal/Bench.ts"
import { call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { callable } from "../internal/callable.ts"
import type { BenchFault, Fault } from "../internal/Check.ts"
import { departuresOf } from "../internal/departures.ts"
import { watchKeys } from "../internal/watchKeys.ts"
import { says, watchUpstream } from "../internal/watchUpstream.ts"
import { type Judged, unsuccessful, type Write } from "./writes.ts"

export const undone = Effect.fnUntraced(function* (
  bench: Bench,
  write: Write
): Effect.fn.Return<Judged, BenchFault, Scope.Scope> {
  const { arguments: args, caller, era, tool } = write
  const [keys, watch] = [watchKeys(), watchUpstream()]
  const runs = () => keys.runs.filter((run) => run.tool === tool.name).length
  const start = (over: Instance) => bench.start({ program: keys.program, over })

  const first = yield* bench.start({ program: keys.program, upstream: watch.upstream, store: dyingBeforeTheCommit })
  const [before, again] = [yield* shownBy(bench, first), yield* shownBy(bench, first)]
  const reads = [...before.keys()].filter((name) => before.get(name) === again.get(name))
  const differing = (one: Shown, other: Shown) => reads.filter((name) => one.get(name) !== other.get(name))
  const attempt = yield* departuresOf(first, watch, yield* first.connect(caller, era), write)
  if (runs() === 0) return unsuccessful(attempt.called)

  const second = yield* start(first)
  const after = yield* shownBy(bench, second)
  const begun = runs()
  const repeat = yield* call(yield* second.connect(caller, era), tool.name, args)
  const written = yield* shownBy(bench, second)

  const third = yield* start(second)
  const executed = runs()
  const replay = yield* call(yield* third.connect(caller, era), tool.name, args)

  const fault = (message: string, evidence: string): Fault => ({ subject: tool.name, message, evidence })
  const left = differing(before, after)
  const own = keys.runs.flatMap((run) => run.keys)
  const sent = [...attempt.sent, ...attempt.others].filter(
    (each) => each.mutates && !own.some((key) => says(each, key))
  )
  return {
    faults: [
      ...left.map((name) =>
        fault(
          `leaves what ${name} shows, and its transaction was undone`,
          `${cut(before.get(name)!)}\n${cut(after.get(name)!)}`
        )
      ),
      ...sent.map(({ method, url }) =>
        fault(
          `sends a ${method} to ${url.pathname}, which is not undone with its transaction`,
          "No key of the operation is sent with it, by which its upstream could know the next attempt."
        )
      ),
      ...(repeat.isError
        ? [fault(`answers with ${outcomeOf(repeat)} where its transaction was undone`, cut(repeat.text))]
        : runs() === begun || repeat.replayed
          ? [fault("gives the result of an attempt that was undone", cut(repeat.text))]
          : []),
      ...(repeat.isError || (replay.replayed && runs() === executed)
        ? []
        : [fault("is done again after its commit, when the answer was lost", cut(replay.text))])
    ],
    calls: 3,
    ...(differing(after, written).length === 0 &&
      left.length === 0 && {
        note: `no read shows what ${tool.name} writes, so that its effect is undone was not seen`
      }),
    transcript: [
      exchangeOf("before the commit, its process dies", attempt.called),
      exchangeOf("the same call of the next instance", repeat),
      exchangeOf("the same call after the commit, of a third instance", replay)
    ]
  }
})

/** Its first attempt ends where it would be settled, and with it the transaction. */
const dyingBeforeTheCommit = (store: IdempotencyStore["Service"]): IdempotencyStore["Service"] => ({
  ...store,
  settle: () => Effect.die(new Error("The audit ends the process here"))
})

/** What each read answers, by its name. */
type Shown = ReadonlyMap<string, string>

const shownBy = Effect.fnUntraced(function* (bench: Bench, instance: Instance) {
  const reads = callable(bench).filter(({ tool }) => tool.kind === "read")
  const shown = yield* Effect.forEach(
    reads,
    Effect.fnUntraced(function* ({ arguments: args, caller, era, tool }) {
      const { isError, result } = yield* call(yield* instance.connect(caller, era), tool.name, args)
      return isError ? [] : [[tool.name, JSON.stringify(result)] as const]
    })
  )
  return new Map(shown.flat()) as Shown
})
