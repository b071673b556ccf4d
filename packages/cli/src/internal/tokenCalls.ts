/**
 * What probes of tokens have in common: a call as it is on the wire, and what keeps them from judging anything.
 */
import * as Effect from "effect/Effect"
import type { Era, Instance } from "./Bench.ts"
import type { Callable } from "./callable.ts"
import type { Outcome } from "./Check.ts"
import { request } from "./wire.ts"

/** A call of a tool as it is on the wire. */
export const callOf = ({ arguments: args, tool }: Callable, era: Era, token: string | undefined) =>
  request({ era, method: "tools/call", params: { name: tool.name, arguments: args }, token })

/** Whether the identity takes the bench's tokens at all; without that, a refusal proves nothing. */
export const takesTokens = Effect.fnUntraced(function* (instance: Instance, one: Callable) {
  const answer = yield* instance.send(callOf(one, "2026-07-28", yield* instance.token(one.caller)))
  return answer.status !== 401 && answer.status !== 403
})

export const nobody: Outcome = { notApplicable: "None of the callers may call a tool." }
export const strangeTokens: Outcome = {
  notSeen:
    "The module's identity refuses the tokens of the audit's authorization server: make it from the authority that Audit.make hands to `identity`."
}
