/**
 * Holds what the callers saw of an operation against what the ledger did. The invariants are those of a write that happens
 * once; each finding names the one that is broken.
 */
import type { Call, Key } from "./History.ts"
import type { Request } from "./ledger-server.ts"
import { timeout } from "./Tools.ts"

/**
 * - `duplicate`: the ledger applied the operation more than once.
 * - `lost`: a caller had the result, and a later one was told that it is unknown or gone.
 * - `diverging`: two callers had different results.
 * - `ghost`: a result that is not in the ledger, or not this operation's.
 * - `conflict`: arguments that differ were let through, or equal ones refused.
 * - `unexplained`: an unknown outcome that no fault accounts for.
 * - `open`: some time after the last fault the operation had still not come to an end.
 * - `failed`: an answer that none of this explains.
 */
export type Fault = "duplicate" | "lost" | "diverging" | "ghost" | "conflict" | "unexplained" | "open" | "failed"

export interface Finding {
  readonly fault: Fault
  readonly count: number
}

export interface Verdict {
  readonly findings: ReadonlyArray<Finding>
  /** How often the ledger applied the operation. */
  readonly effects: number
  /** How often it was asked to again, where the recovery allows that: it knew the key, or it changed nothing. */
  readonly repeats: number
  /** Whether its result was given while the store could not be reached, and a later caller was told that it is unknown. */
  readonly unsettled: boolean
  readonly unknownSeen: boolean
  readonly unknownLeft: boolean
}

export const judge = (key: Key, requests: ReadonlyArray<Request>): Verdict => {
  const { calls } = key
  const effects = requests.filter(({ applied }) => applied)
  const done = calls.filter((call) => resultOf(call) !== undefined)
  const unknown = calls.filter(({ answer }) => answer?.is === "unknown")
  const last = calls.at(-1)
  const hit = key.hits.size > 0 || requests.some(isFaulty) || calls.some(isSlow)
  const firstDone = Math.min(...done.map(({ endedAt }) => endedAt!))
  const after = calls.filter(({ at }) => at > firstDone)
  const amount = done[0] === undefined ? undefined : bookingOf(done[0]).amount

  const unsettled = mayBeUnsettled(key) && after.some(({ answer }) => answer?.is === "unknown")

  const counts: Record<Fault, number> = {
    duplicate: duplicatesOf(key, effects, hit),
    lost: after.filter(({ answer }) => (answer?.is === "unknown" && !unsettled) || answer?.is === "refused").length,
    diverging: Math.max(0, new Set(done.map(resultOf)).size - 1),
    ghost: done.filter((call) => !effects.some((effect) => isOf(call, key, effect))).length,
    conflict:
      calls.filter((call) => call.answer?.is === "conflict" && !isContested(call, calls)).length +
      done.filter((call) => bookingOf(call).amount !== call.amount).length +
      after.filter(({ amount: asked, answer }) => answer?.is === "conflict" && asked === amount).length,
    unexplained: hit ? 0 : unknown.length,
    open: last?.answer?.is === "done" || last?.answer?.is === "unknown" ? 0 : 1,
    failed: calls.filter(({ answer }) => answer?.is === "refused").length
  }
  return {
    findings: Object.entries(counts).flatMap(([fault, count]) => (count > 0 ? [{ fault: fault as Fault, count }] : [])),
    effects: effects.length,
    repeats: Math.max(0, requests.filter(({ entry, path }) => path !== "/find" && entry !== undefined).length - 1),
    unsettled,
    unknownSeen: unknown.length > 0,
    unknownLeft: last?.answer?.is === "unknown"
  }
}

/** A result is worth more than its record: it is given also when the store can't be reached, and settled later. */
const mayBeUnsettled = ({ hits, recovery }: Key): boolean =>
  recovery === "unknown" && (hits.has("restart") || hits.has("cut"))

/** To repeat is allowed to a repeatable write after a fault, each time by an attempt of its own. */
const duplicatesOf = ({ recovery }: Key, effects: ReadonlyArray<Request>, hit: boolean): number => {
  const allowed = recovery === "repeatable" && hit ? new Set(effects.map(({ attempt }) => attempt)).size : 1
  return Math.max(0, effects.length - allowed)
}

const resultOf = ({ answer }: Call): string | undefined => (answer?.is === "done" ? answer.json : undefined)

interface Booking {
  readonly account: string
  readonly amount: number
  readonly entry: number
}

const bookingOf = (call: Call): Booking => JSON.parse(resultOf(call)!) as Booking

const isOf = (call: Call, key: Key, effect: Request): boolean => {
  const { account, amount, entry } = bookingOf(call)
  return entry === effect.entry && amount === effect.amount && account === key.account
}

/** A conflict needs another call, begun before this one ended, whose guarded argument differs. */
const isContested = (call: Call, calls: ReadonlyArray<Call>): boolean =>
  calls.some(({ amount, at }) => amount !== call.amount && at < call.endedAt!)

/** Cut off by the ledger, or by the caller's end. */
const isFaulty = ({ answeredAt, fate }: Request): boolean => fate !== undefined || answeredAt === undefined

/** On a machine that is busy the tool's timeout can cut a handler off. */
const isSlow = ({ at, endedAt }: Call): boolean => endedAt === undefined || endedAt - at > timeout

const longestStory = 80

/** What happened to an operation, one line for each event, in the order in which it did. */
export const tell = (key: Key, requests: ReadonlyArray<Request>): ReadonlyArray<string> => {
  const events = [
    ...key.calls.flatMap(({ amount, answer, at, endedAt, slot }, index) => [
      { at, text: `call ${index} in slot ${slot} with ${amount}` },
      {
        at: endedAt ?? Infinity,
        text: `call ${index} in slot ${slot}: ${answer === undefined ? "no answer" : JSON.stringify(answer)}`
      }
    ]),
    ...requests.flatMap(({ amount, answeredAt, applied, at, attempt, entry, fate, path }) => [
      { at, text: `ledger ${path} ${amount ?? ""} by ${attempt}, ${fate ?? "no fault"}` },
      {
        at: answeredAt ?? at,
        text: `ledger ${applied ? "applied" : "did not apply"} ${path} by ${attempt}, entry ${entry}${answeredAt === undefined ? ", not answered" : ""}`
      }
    ])
  ].sort((one, other) => one.at - other.at)
  const start = events[0]?.at ?? 0
  const lines = events.map(
    ({ at, text }) =>
      `${Math.round(at - start)
        .toString()
        .padStart(7)} ms  ${text}`
  )
  return [
    `${key.operation} (${key.recovery}), hit by ${[...key.hits].join(", ") || "nothing"}`,
    ...lines.slice(0, longestStory),
    ...(lines.length > longestStory ? [`and ${lines.length - longestStory} more`] : [])
  ]
}
