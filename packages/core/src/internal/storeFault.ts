/**
 * What a caller is told when nobody can tell what the store has, or what became of a write.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { OutcomeUnknown, TransientError } from "../ConnectorError.ts"
import type { StoreError } from "../IdempotencyStore.ts"
import type * as Tool from "../Tool.ts"

export const unreachable =
  (applied: "no" | "unknown") =>
  (error: StoreError): Effect.Effect<never, TransientError> =>
    Effect.andThen(
      Effect.logError("The idempotency store failed", error),
      Effect.fail(
        new TransientError({
          message: "The connector can't reach its record of writes, so this call executed nothing",
          retryAfter: Duration.seconds(1),
          applied
        })
      )
    )

/** There is a record, and nobody can tell of what: nothing is executed. */
export const unreadable = (tool: Tool.AnyWrite, reason: string): Effect.Effect<never, OutcomeUnknown> =>
  Effect.andThen(logUnreadable(reason), Effect.fail(outcomeUnknown(tool)))

export const logUnreadable = (reason: string): Effect.Effect<void> =>
  Effect.logError("The record of a write can't be read", reason)

export const outcomeUnknown = ({ idempotency: { checkWith } }: Tool.AnyWrite): OutcomeUnknown =>
  new OutcomeUnknown(checkWith === undefined ? {} : { checkWith })
