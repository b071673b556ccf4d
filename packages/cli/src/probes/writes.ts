/**
 * Probes of writes that are called again: by the same caller, by many at once, with other arguments, by somebody else.
 *
 * They judge by how often handlers ran and what went out to upstreams, not by what the answers say.
 */
import type * as Connector from "@ferrule/core/Connector"
import * as Policy from "@ferrule/core/Policy"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { badArguments } from "../internal/badArguments.ts"
import { type Bench, type Caller, eras, type Instance } from "../internal/Bench.ts"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { type Callable, callableWrites } from "../internal/callable.ts"
import type { BenchFault, Fault, Outcome, Probe } from "../internal/Check.ts"
import { variants } from "../internal/variants.ts"
import { watchClaims } from "../internal/watchClaims.ts"
import { watchUpstream } from "../internal/watchUpstream.ts"
import type { Exchange } from "../Report.ts"

export type Write = Callable<Tool.AnyWrite>

/** What one write came to. `skipped` says why it could not be judged. */
export interface Judged {
  readonly faults: ReadonlyArray<Fault>
  readonly calls: number
  /** What was not seen of a write that was judged. */
  readonly note?: string
  readonly transcript?: ReadonlyArray<Exchange>
  readonly skipped?: string
}

export const overWrites = (
  bench: Bench,
  judge: (write: Write) => Effect.Effect<Judged, BenchFault, Scope.Scope>
): Effect.Effect<Outcome, BenchFault> =>
  Effect.gen(function* () {
    const writes = callableWrites(bench)
    if (writes.length === 0) return { notApplicable: "it has no write that anybody may call" }
    const judged = yield* Effect.forEach(writes, (write) => Effect.scoped(judge(write)), { concurrency: 4 })
    const skipped = judged.flatMap(({ skipped }) => skipped ?? [])
    if (skipped.length === writes.length) return { notSeen: skipped.join("; ") }
    const calls = judged.reduce((sum, each) => sum + each.calls, 0)
    return {
      faults: judged.flatMap(({ faults }) => faults),
      note: [
        `${calls} calls of ${writes.length - skipped.length} writes`,
        ...judged.flatMap(({ note }) => note ?? []),
        ...skipped
      ].join("; "),
      transcript: judged.flatMap(({ transcript }) => transcript ?? []).slice(0, 8)
    }
  })

/** The first call has to succeed, or nothing that follows says anything. */
export const unsuccessful = (called: Called): Judged => ({
  faults: [],
  calls: 1,
  skipped: `${called.tool} could not be judged: its arguments came to ${outcomeOf(called)}`
})

export const runsOf = ({ executions }: Instance, { tool }: Callable): number =>
  executions.filter((execution) => execution.tool === tool.name).length

const same = (one: Called, other: Called) => JSON.stringify(one.result) === JSON.stringify(other.result)

export const again: Probe = {
  info: {
    id: "F01",
    title: "A write that is called again is not done again",
    why: "A client that lost the answer must send the call again (revision 2026-07-28), and a model repeats what it is not sure of. Done twice, it is a second ticket, mail or payment.",
    fix: "Name in `identity` the fields that say which operation it is, and nothing that differs between attempts.",
    severity: "block",
    question: "writes"
  },
  limit: 60,
  run: (bench) =>
    overWrites(
      bench,
      Effect.fnUntraced(function* (write) {
        const watch = watchUpstream()
        const instance = yield* bench.start({ upstream: watch.upstream })
        const clients = yield* Effect.forEach(eras, (era) => instance.connect(write.caller, era))
        const { arguments: args, tool } = write
        const first = yield* call(clients[0]!, tool.name, args)
        if (first.isError) return unsuccessful(first)
        const sent = watch.sent.filter(({ mutates }) => mutates).length
        const repeats = yield* Effect.forEach(clients, (client) => call(client, tool.name, args))
        const runs = runsOf(instance, write)
        const more = watch.sent.filter(({ mutates }) => mutates).length - sent
        const fault = (message: string, evidence: string): Fault => ({ subject: tool.name, message, evidence })
        const different = repeats.find((repeat) => repeat.isError || !same(first, repeat))
        const unmarked = repeats.find((repeat) => !repeat.isError && !repeat.replayed)
        return {
          faults: [
            ...(runs === 1 ? [] : [fault(`ran ${runs} times for one operation`, JSON.stringify(args))]),
            ...(more === 0
              ? []
              : [fault(`sent ${more} more requests that change something upstream`, JSON.stringify(args))]),
            ...(different
              ? [fault("gives a repeat another answer", `${cut(first.text)}\n${cut(different.text)}`)]
              : []),
            ...(unmarked ? [fault("does not say that a result is an earlier one", cut(unmarked.text))] : [])
          ],
          calls: 3,
          transcript: [exchangeOf("the first call", first), exchangeOf("the same again", repeats[0]!)]
        }
      })
    )
}

const atOnce = 20

export const concurrently: Probe = {
  info: {
    id: "F02",
    title: `A write that is called ${atOnce} times at once is done once`,
    why: "Agents fan out, and a client's repeat can meet the first attempt while it runs. A check before the insert lets both through.",
    fix: "Keep records in a store that passes the contract suite of @ferrule/core/testing.",
    severity: "block",
    question: "writes"
  },
  limit: 60,
  run: (bench) =>
    overWrites(
      bench,
      Effect.fnUntraced(function* (write) {
        const instance = yield* bench.start({ program: slowly })
        const clients = yield* Effect.forEach([...eras, ...eras], (era) => instance.connect(write.caller, era))
        const { arguments: args, tool } = write
        const answers = yield* Effect.forEach(
          Array.from({ length: atOnce }, (_, index) => clients[index % clients.length]!),
          (client) => call(client, tool.name, args),
          { concurrency: "unbounded" }
        )
        if (answers.every(({ isError }) => isError)) return unsuccessful(answers[0]!)
        const runs = runsOf(instance, write)
        const first = answers.find(({ isError }) => !isError)!
        const other = answers.find((answer) => !answer.isError && !same(first, answer))
        const refused = answers.find(({ error, isError }) => isError && error?.class !== "TransientError")
        const fault = (message: string, evidence: string): Fault => ({ subject: tool.name, message, evidence })
        return {
          faults: [
            ...(runs === 1 ? [] : [fault(`ran ${runs} times for one operation`, JSON.stringify(args))]),
            ...(other
              ? [fault("tells callers of one operation different things", `${cut(first.text)}\n${cut(other.text)}`)]
              : []),
            ...(refused ? [fault(`answers some of them with ${outcomeOf(refused)}`, cut(refused.text))] : [])
          ],
          calls: atOnce,
          transcript: [exchangeOf(`one of ${atOnce} at once`, first)]
        }
      })
    )
}

/** Leaves the others time to arrive. */
const slowly = (_: Tool.Any, program: Connector.Program): Connector.Program => ({
  ...program,
  execute: (input) => Effect.andThen(Effect.sleep("50 millis"), program.execute(input))
})

export const otherArguments: Probe = {
  info: {
    id: "F04",
    title: "An operation that is called with other arguments is refused, and not done again",
    why: "A model that changes the amount of a payment it already made has to be told so. Answered with the first result, it believes in the new amount; executed, the payment is made twice.",
    fix: "Guard every field that matters: only what may differ between attempts belongs in `free`.",
    severity: "block",
    question: "writes"
  },
  limit: 60,
  run: (bench) =>
    overWrites(
      bench,
      Effect.fnUntraced(function* (write) {
        const { tool } = write
        const { guarded, identity } = tool.idempotency
        const byMeaning = yield* conflict(bench, write, guarded, undefined)
        const byKey = yield* conflict(bench, write, [...guarded, ...identity], "probe-key-of-a-client")
        const judged = [byMeaning, byKey].filter((each) => each !== undefined)
        return judged.length > 0
          ? {
              faults: judged.flatMap(({ faults }) => faults),
              calls: judged.length * 2,
              transcript: judged.flatMap(({ transcript }) => transcript)
            }
          : { faults: [], calls: 0, skipped: `${tool.name} could not be judged: no other arguments of it were found` }
      })
    )
}

/** Calls, and again with one of the fields changed; undefined where no change was found that the caller may ask for. */
const conflict = Effect.fnUntraced(function* (
  bench: Bench,
  { arguments: args, caller, era, tool }: Write,
  fields: ReadonlyArray<string>,
  key: string | undefined
) {
  const instance = yield* bench.start()
  const client = yield* instance.connect(caller, era)
  const first = yield* call(client, tool.name, args, { key })
  if (first.isError) return undefined
  for (const field of fields) {
    for (const changed of variants(tool, args, field)) {
      const second = yield* call(client, tool.name, changed, { key })
      if (second.error?.class === "AuthorizationError") continue
      const how = key === undefined ? "one operation" : "one client's key"
      const fault = (message: string): Fault => ({
        subject: tool.name,
        message,
        evidence: `${JSON.stringify(args)}\n${JSON.stringify(changed)}\n${cut(second.text)}`
      })
      const runs = instance.executions.length
      const named = second.error?.issues?.some(({ path }) => path === field || path.startsWith(`${field}.`)) === true
      const isSilent = key !== undefined || tool.idempotency.conflictDetail === "none"
      return {
        faults: [
          ...(runs === 1 ? [] : [fault(`ran ${runs} times for ${how}, with other arguments`)]),
          ...(second.error?.class === "ValidationError"
            ? named || isSilent
              ? []
              : [fault(`does not say that ${field} differs from the first call`)]
            : [fault(`answers other arguments of ${how} with ${outcomeOf(second)}`)])
        ],
        transcript: [
          exchangeOf(
            key === undefined ? `${field} has changed` : `the client's key again, and ${field} has changed`,
            second
          )
        ]
      }
    }
  }
  return undefined
})

export const refusedBefore: Probe = {
  info: {
    id: "F06",
    title: "A call that is refused consumes no key",
    why: "A model mends its arguments and calls again. If the refused call has taken the key, the good one is answered with a conflict or with nothing done.",
    fix: "Refuse by schema and policy, which come before the key, and not in the handler.",
    severity: "block",
    question: "writes"
  },
  limit: 60,
  run: (bench) =>
    overWrites(
      bench,
      Effect.fnUntraced(function* (write) {
        const { arguments: args, caller, era, tool } = write
        const claims = watchClaims()
        const instance = yield* bench.start({ store: claims.store })
        const client = yield* instance.connect(caller, era)
        const key = "probe-key-of-a-client"
        const bad = badArguments(tool.input.jsonSchema, args)[0]
        const invalid = bad === undefined ? [] : [yield* call(client, tool.name, bad.arguments, { key })]
        const nobody: Caller = { name: "no role", principal: { ...caller.principal, roles: [], scopes: [] } }
        const denied = Policy.isVisible(tool.allow, nobody.principal)
          ? []
          : [yield* call(yield* instance.connect(nobody, era), tool.name, args, { key })]
        const refused = [...invalid, ...denied]
        const consumed = claims.keys.length
        const runs = runsOf(instance, write)
        const good = yield* call(client, tool.name, args, { key })
        if (good.isError) {
          const alone = yield* bench.start()
          const control = yield* call(yield* alone.connect(caller, era), tool.name, args)
          if (control.isError) return unsuccessful(control)
        }
        const evidence = cut(refused.map(({ text }) => text).join("\n"))
        const fault = (message: string): Fault => ({ subject: tool.name, message, evidence })
        return {
          faults: [
            ...(consumed === 0
              ? []
              : [fault(`lets a call that is to be refused consume ${consumed === 1 ? "a key" : `${consumed} keys`}`)]),
            ...(runs === 0 ? [] : [fault("runs its handler for a call that is to be refused")]),
            ...(good.isError || good.replayed
              ? [fault(`answers the good call after refused ones with ${outcomeOf(good)}`)]
              : [])
          ],
          calls: refused.length + 1,
          transcript: [...refused, good].map((called) => exchangeOf("with one key of the client", called))
        }
      })
    )
}
