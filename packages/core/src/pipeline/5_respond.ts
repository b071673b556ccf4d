/**
 * Step 5: the outcome of a call. The result in its wire form and within its size, or what it was refused with; and one
 * audit record, whatever happened.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type AuditRecord, AuditTrail } from "../AuditTrail.ts"
import { Internal, type Refusal, TransientError, ValidationError } from "../ConnectorError.ts"
import * as StoredResult from "../internal/storedResult.ts"
import type * as Tool from "../Tool.ts"
import type { Done, Refused } from "./3_idempotency.ts"
import type { Attempts } from "./4_execute.ts"

/** `replay` is there when the result is an earlier call's: when that was done, and the shown part of its key. */
export interface Completed {
  readonly _tag: "Completed"
  readonly answer: StoredResult.Answer
  readonly replay: { readonly doneAt: number; readonly reference: string } | undefined
}

/** The answer of a read: what its handler returned, in the form of its output schema. */
export const answerRead = (tool: Tool.AnyRead, value: unknown): Effect.Effect<Completed, ValidationError> =>
  Effect.flatMap(StoredResult.encode(tool, value), (answer) =>
    answer.json.length <= tool.maxResultSize
      ? Effect.succeed({ _tag: "Completed", answer, replay: undefined })
      : Effect.fail(
          ValidationError.at(
            "",
            `the result has ${answer.json.length} characters, more than the ${tool.maxResultSize} that may be answered`,
            "arguments that ask for less"
          )
        )
  )

/** The answer of a write, done now or earlier. It is done in any case, so a result that can't be given is said so. */
export const answerWrite = (
  tool: Tool.AnyWrite,
  reference: string,
  { stored, replayed }: Done
): Effect.Effect<Completed, Refused> =>
  Effect.flatMap(StoredResult.answerOf(tool, stored), (answer) =>
    answer.json.length <= tool.maxResultSize
      ? Effect.succeed({
          _tag: "Completed",
          answer,
          replay: replayed ? { doneAt: stored.doneAt, reference } : undefined
        })
      : Effect.fail(StoredResult.unavailable(tool, "too-large", stored.doneAt))
  )

/**
 * What the caller is told of a failure. A defect is a correlation id to the caller and a cause to the log; a call that
 * was cut off by the connector's own end is transient.
 */
export const refusalOf = (
  kind: Tool.Any["kind"],
  cause: Cause.Cause<Refused>,
  correlationId: string
): Effect.Effect<Refusal> => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (error !== undefined && !Cause.hasDies(cause)) {
    return Effect.succeed(kind === "read" && error._tag === "TransientError" ? ofRead(error) : error)
  }
  if (Cause.hasInterruptsOnly(cause)) {
    const applied = kind === "read" ? "no" : "unknown"
    return Effect.succeed(new TransientError({ message: "The connector is shutting down", applied }))
  }
  return Effect.as(
    Effect.logError("A tool failed unexpectedly", cause).pipe(Effect.annotateLogs({ correlationId })),
    new Internal({ correlationId })
  )
}

/** Whatever its handler says, a read has written nothing. */
const ofRead = ({ message, retryAfter }: TransientError) =>
  new TransientError({ message, applied: "no", ...(retryAfter !== undefined && { retryAfter }) })

/** What the steps have found out of a call by its end. */
export interface Findings {
  readonly time: number
  readonly connector: string
  readonly correlationId: string
  readonly principal: string
  readonly tenant: string | undefined
  tool: string | undefined
  decision: AuditRecord["decision"]
  reference: string | undefined
  readonly attempts: Attempts
}

/** Leaves the audit record of a call that has ended. A trail that fails does not take the answer from its caller. */
export const audit = (findings: Findings, outcome: string, replayed: boolean): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const record = {
      ...findings,
      attempts: findings.attempts.count,
      outcome,
      replayed,
      duration: fiber.getRef(Clock.Clock).currentTimeMillisUnsafe() - findings.time
    }
    return Effect.catchCause(fiber.getRef(AuditTrail).record(record), (cause) =>
      Effect.logError("An audit record was not kept", cause, record)
    )
  })
