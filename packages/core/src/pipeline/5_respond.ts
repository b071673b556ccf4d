/**
 * Step 5: the outcome of a call. The result in its wire form and within its size, or what it was refused with; and one
 * audit record, whatever happened. None of them holds a secret that the scrubber knows.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AuditRecord } from "../AuditTrail.ts"
import { Internal, type Refusal, TransientError, ValidationError } from "../ConnectorError.ts"
import { type IdempotencyKey, ignoredDifferences } from "../IdempotencyKey.ts"
import { legible, legibleRefusal } from "../internal/legible.ts"
import * as Metrics from "../internal/metrics.ts"
import * as StoredResult from "../internal/storedResult.ts"
import { of as surroundingsOf, type Surroundings } from "../internal/surroundings.ts"
import { Scrubber } from "../Scrubber.ts"
import type * as Tool from "../Tool.ts"
import type { Done, Refused } from "./3_idempotency.ts"
import type { Attempts } from "./4_execute.ts"

/**
 * What an answer says when the write was done by an earlier call: when that was, the operation's reference, the free
 * fields that differed from that call's and were ignored, and the arguments that would do it once more on purpose.
 */
export interface Replay {
  readonly doneAt: number
  readonly reference: string
  readonly ignored: ReadonlyArray<string>
  readonly onceMore: Readonly<Record<string, number>> | undefined
}

export interface Completed {
  readonly _tag: "Completed"
  readonly answer: StoredResult.Answer
  readonly replay: Replay | undefined
}

/** The answer of a read: what its handler returned, in the form of its output schema. */
export const answerRead = (
  tool: Tool.AnyRead,
  value: unknown,
  around: Surroundings
): Effect.Effect<Completed, ValidationError> =>
  Effect.flatMapEager(StoredResult.encode(tool, value, around), (answer) =>
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
  { stored }: Done,
  replay: Replay | undefined,
  around: Surroundings
): Effect.Effect<Completed, Refused> =>
  Effect.flatMapEager(StoredResult.answerOf(tool, stored, around), (answer) =>
    answer.json.length <= tool.maxResultSize
      ? Effect.succeed({ _tag: "Completed", answer, replay })
      : Effect.fail(StoredResult.unavailable(tool, "too-large", stored.doneAt))
  )

export const replayOf = (
  { idempotency: { occurrence } }: Tool.AnyWrite,
  { guards, reference }: IdempotencyKey,
  input: object,
  { earlier, stored }: Done
): Replay | undefined => {
  if (earlier === undefined) return undefined
  const count = occurrence === undefined ? undefined : (input as Readonly<Record<string, number>>)[occurrence]
  return {
    doneAt: stored.doneAt,
    reference,
    ignored: ignoredDifferences(earlier, guards),
    onceMore: occurrence === undefined || count === undefined ? undefined : { [occurrence]: count + 1 }
  }
}

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
    const refusal = kind === "read" && error._tag === "TransientError" ? ofRead(error) : error
    return Effect.map(scrubbed<Refusal>(refusal), legibleRefusal)
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

const scrubbed = <A>(value: A): Effect.Effect<A> =>
  Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Scrubber).scrubValue(value)))

/** Reports progress with neither secrets nor hidden characters in its words. */
export const report = (progress: Progress | undefined): Progress | undefined =>
  progress &&
  ((done, total, message) =>
    message === undefined
      ? progress(done, total)
      : Effect.flatMap(scrubbed(message), (message) => progress(done, total, legible(message))))

export type Progress = (progress: number, total?: number, message?: string) => Effect.Effect<void>

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
  kind: Tool.Any["kind"] | undefined
  decision: AuditRecord["decision"]
  explanation: string | undefined
  reference: string | undefined
  replay: Replay | undefined
  found: boolean
  /** That its write was let begin, which is asked and recorded once. */
  admitted: boolean
  readonly attempts: Attempts
}

/** Leaves the audit record of a call that has ended so. A trail that fails does not take the outcome from its caller. */
export const audited = <A>(findings: Findings, outcome: A, word: string, around: Surroundings): Effect.Effect<A> => {
  const record = recordOf(findings, word, around)
  Metrics.countCall(record, around.context)
  return Effect.mapEager(keep(record, around), () => outcome)
}

/** Leaves another record of a call that is counted already. */
export const auditAgain = (findings: Findings, outcome: string): Effect.Effect<void> =>
  Effect.withFiber(({ context }) => {
    const around = surroundingsOf(context)
    return keep(recordOf(findings, outcome, around), around)
  })

const keep = (record: AuditRecord, { context, trail }: Surroundings): Effect.Effect<void> =>
  Effect.matchCauseEffectEager(trail.record(record), {
    onSuccess: () => Effect.void,
    onFailure: (cause) => {
      Metrics.lostRecords.updateUnsafe(1, context)
      return Effect.logError("An audit record was not kept", cause, record)
    }
  })

export const recordOf = (findings: Findings, outcome: string, { clock, scrubber }: Surroundings): AuditRecord => {
  // The rest is the connector's own.
  const { scrub } = scrubber
  return {
    time: findings.time,
    connector: findings.connector,
    correlationId: findings.correlationId,
    principal: scrub(findings.principal),
    tenant: findings.tenant && scrub(findings.tenant),
    tool: findings.tool,
    kind: findings.kind,
    decision: findings.decision,
    explanation: findings.explanation && scrub(findings.explanation),
    // Enough to find the calls of one operation, too little to ask for it.
    reference: findings.reference?.slice(0, 8),
    attempts: findings.attempts.count,
    outcome,
    replayed: findings.replay !== undefined,
    found: findings.found,
    duration: clock.currentTimeMillisUnsafe() - findings.time
  }
}
