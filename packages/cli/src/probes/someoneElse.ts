/**
 * A probe of operations that two callers have in common by chance: the same arguments, or the same key of their clients'.
 */
import * as Effect from "effect/Effect"
import type { Bench, Caller } from "../internal/Bench.ts"
import { call, cut, exchangeOf } from "../internal/Call.ts"
import { another } from "../internal/callable.ts"
import type { Probe } from "../internal/Check.ts"
import { overWrites, runsOf, unsuccessful, type Write } from "./writes.ts"

const tenant = "probe-tenant"

interface Way {
  readonly what: string
  /** The client's own key in _meta. */
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

const ways: ReadonlyArray<Way> = [
  { what: "" },
  { what: " under the same key in _meta", key: "probe-key-of-a-client" },
  { what: " under the same Idempotency-Key", headers: { "idempotency-key": "probe-key-of-a-client" } }
]

export const someoneElse: Probe = {
  info: {
    id: "F05",
    title: "The same call of somebody else, or for another tenant, is its own operation",
    why: "A record that is shared by accident gives one person's result to another, and swallows the second person's write.",
    fix: "Leave the scope of operations to Ferrule, and make it the tenant's only with `sharedWith`. Let the identity name each person and tenant.",
    severity: "block",
    question: "writes"
  },
  limit: 90,
  run: (bench) =>
    overWrites(
      bench,
      Effect.fnUntraced(function* (write) {
        const all = yield* Effect.forEach(ways, (way) => Effect.scoped(byStrangers(bench, write, way)))
        const judged = all.filter(({ skipped }) => skipped === undefined)
        if (judged.length === 0) return all[0]!
        const left = all.flatMap(({ note, skipped }) => skipped ?? note ?? [])
        return {
          faults: judged.flatMap(({ faults }) => faults),
          calls: judged.reduce((sum, { calls }) => sum + calls, 0),
          transcript: judged.flatMap(({ transcript = [] }) => transcript),
          ...(left.length > 0 && { note: [...new Set(left)].join("; ") })
        }
      })
    )
}

const byStrangers = Effect.fnUntraced(function* (bench: Bench, write: Write, { headers, key, what: how }: Way) {
  const { arguments: args, caller, era, tool } = write
  const instance = yield* bench.start()
  const as = Effect.fnUntraced(function* (who: Caller) {
    return yield* call(yield* instance.connect(who, era, { headers }), tool.name, args, { key })
  })
  const first = yield* as(caller)
  if (first.isError) return unsuccessful(first)
  const others: ReadonlyArray<readonly [what: string, who: Caller]> = [
    ...(tool.idempotency.sharedWith === undefined ? [["somebody else", another(caller)] as const] : []),
    ["the same name in another tenant", another(caller, { tenant })]
  ]
  const seen = yield* Effect.forEach(
    others,
    Effect.fnUntraced(function* ([what, who]) {
      const before = runsOf(instance, write)
      const called = yield* as(who)
      return { what, called, ran: runsOf(instance, write) > before }
    })
  )
  const isTenanted = instance.records.some((record) => record.tenant === tenant)
  const judged = seen.filter(
    ({ called, what }) => called.error?.class !== "AuthorizationError" && (isTenanted || what === "somebody else")
  )
  const note = `tenants of ${tool.name} were not seen: its identity knows none`
  return {
    faults: judged
      .filter(({ called, ran }) => !ran || called.replayed)
      .map(({ called, what }) => ({
        subject: tool.name,
        message: `gives ${what} the first caller's operation${how}`,
        evidence: cut(called.text)
      })),
    calls: 1 + judged.length,
    transcript: judged.map(({ called, what }) => exchangeOf(`the same call of ${what}${how}`, called)),
    ...(isTenanted ? {} : { note }),
    ...(judged.length === 0 && {
      skipped: isTenanted ? `${tool.name} could not be judged: nobody else may call it` : note
    })
  }
})
