/**
 * The read tool that says what has become of a write, for a caller whose answer was lost or left open.
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Program } from "../Connector.ts"
import { TransientError } from "../ConnectorError.ts"
import { keysOf } from "../IdempotencyKey.ts"
import type { Existing, IdempotencyStore, Unreadable } from "../IdempotencyStore.ts"
import type { Policy } from "../Policy.ts"
import { Principal } from "../Principal.ts"
import * as Tool from "../Tool.ts"

const input = Schema.Struct({
  reference: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/)).annotate({
    description: "The write's reference, as an earlier answer gave it: 43 letters, digits, _ and -."
  })
})

const output = Schema.Struct({
  state: Schema.Literals(["running", "done", "unknown", "others", "none"]).annotate({
    description:
      "running: wait, then repeat the same call. done: repeating the same call returns its result. unknown: an attempt was " +
      "cut off, and it may have been applied. others: another member of your tenant began it; repeating the same call says " +
      "what you may know. none: nothing of it is recorded. Unless a call is still running or it is longer ago than records " +
      "are kept, nothing was applied."
  }),
  since: Schema.optionalKey(
    Schema.String.check(Schema.isMaxLength(40)).annotate({
      description: "When it was done, or else when its first attempt began: ISO 8601, UTC."
    })
  )
})

/** Declares the tool, named after the connector. */
export const tool = (connector: string, allow: Policy): Tool.AnyRead =>
  Tool.read(`${connector.replaceAll("-", "_")}_operation_status`, {
    title: "Status of a write",
    description:
      "Says what has become of a write that you called before, by the reference in its answer. Use it when an answer was " +
      "lost, timed out or said that the outcome is unknown. It executes nothing. It knows only your own writes.",
    input,
    output,
    allow,
    openWorld: false
  })

/** Looks for the operation under the caller's own name and its tenant's, so the reference of a stranger's finds nothing. */
export const program = (store: IdempotencyStore["Service"]): Program => ({
  find: undefined,
  services: Context.empty(),
  execute: (given) =>
    Effect.gen(function* () {
      const { reference } = given as typeof input.Type
      const principal = yield* Effect.flatMap(Effect.serviceOption(Principal), Effect.fromOption)
      const { begunBy, own, shared } = yield* keysOf(principal, reference)
      const record = yield* store.read(own)
      if (record !== undefined || principal.tenant === undefined) return statusOf(record)
      const tenants = yield* store.read(shared)
      // Without the call's arguments, the tool can't ask its policy who may know more.
      const isOthers = tenants?._tag === "Existing" && !tenants.guards.includes(begunBy)
      return isOthers ? { state: "others" } : statusOf(tenants)
    }).pipe(
      Effect.catchTags({
        StoreError: (error) =>
          Effect.andThen(
            Effect.logError("The idempotency store failed", error),
            Effect.fail(
              new TransientError({ message: "The connector can't reach its record of writes", applied: "no" })
            )
          ),
        // The pipeline provides the principal to every program.
        NoSuchElementError: Effect.die
      })
    )
})

const statusOf = (record: Existing | Unreadable | undefined): typeof output.Type => {
  if (record === undefined) return { state: "none" }
  if (record._tag === "Unreadable") return { state: "unknown" }
  const { createdAt, lapsed, settledAt, state } = record
  const since = DateTime.formatIso(DateTime.makeUnsafe(settledAt ?? createdAt))
  if (state === "settled") return { state: "done", since }
  return { state: state === "claimed" && !lapsed ? "running" : "unknown", since }
}
