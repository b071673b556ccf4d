/**
 * Judges what becomes of a caller whose token is revoked before it expires, where the identity asks about tokens.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Bench } from "../internal/Bench.ts"
import { call, cut } from "../internal/Call.ts"
import type { Callable } from "../internal/callable.ts"
import type { BenchFault, Fault } from "../internal/Check.ts"
import { callOf } from "../internal/tokenCalls.ts"
import { exchange, said } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

/** How long after it was revoked a token is tried, in minutes. What is said to hold a while is asked for again by then. */
const tried = [0, 1, 5, 15, 61]

export const revocation = Effect.fnUntraced(function* (
  bench: Bench,
  one: Callable
): Effect.fn.Return<
  { readonly faults: ReadonlyArray<Fault>; readonly note: string; readonly transcript: ReadonlyArray<Exchange> },
  BenchFault,
  Scope.Scope
> {
  const instance = yield* bench.start()
  const tomorrow = Math.floor((yield* Clock.currentTimeMillis) / 1000) + 86_400
  const token = yield* instance.token(one.caller, { claims: { exp: tomorrow } })
  const client = yield* instance.connect(one.caller, one.era, { tokenOf: () => token })
  yield* call(client, one.tool.name, one.arguments)
  if (!(yield* instance.revoke(token))) {
    const note = "revocation before the expiry is not seen, since its identity asks nobody whether a token is active"
    return { faults: [], note, transcript: [] }
  }
  const faults: Array<Fault> = []
  const transcript: Array<Exchange> = []
  const subject = one.tool.name
  let passed = 0
  let refusedAfter: number | undefined
  for (const minutes of tried) {
    yield* instance.advance(`${minutes - passed} minutes`)
    passed = minutes
    const before = instance.executions.length
    const raw = yield* instance.send(callOf(one, one.era, token))
    if (raw.status !== 401) {
      if (refusedAfter !== undefined) {
        faults.push({ subject, message: "lets in a revoked token that it had refused", evidence: said(raw) })
      }
      continue
    }
    refusedAfter ??= minutes
    const called = yield* call(client, one.tool.name, one.arguments)
    transcript.push(exchange(`${minutes} min after the token was revoked`, subject, raw))
    if (called.replayed || called.result !== undefined || instance.executions.length > before) {
      faults.push({
        subject,
        message: "serves a session whose token was revoked, and refused",
        evidence: cut(called.text)
      })
    }
  }
  if (refusedAfter === undefined) {
    faults.push({ subject, message: `answers a session whose token was revoked an hour before` })
  }
  const note = refusedAfter === 0 ? "at once" : `${refusedAfter} min later at most`
  return {
    faults,
    note: refusedAfter === undefined ? "a revoked token is not refused" : `a revoked token is refused ${note}`,
    transcript: transcript.slice(0, 1)
  }
})
