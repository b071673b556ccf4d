/**
 * The record of every call, refusals included: who asked for what, what was decided, and how it ended.
 *
 * `JsonLinesAuditTrail` and `SqlAuditTrail` keep them for good, and `AuditSink` makes such a trail of anything else.
 * A record never holds arguments, results or secrets. Unless a layer replaces it, the trail is a structured log on
 * stderr; `layerNone` switches it off for tests and measurements. For JSON lines, give the program the logger
 * `Logger.withConsoleError(Logger.formatJson)`: `Logger.consoleJson` writes to stdout whatever it is told.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

/**
 * One call. `time` is when it began, in epoch milliseconds, and `duration` is in milliseconds. `tool` and `kind` are absent
 * when the caller named none that exists. `decision` is `hidden` for a tool that is not shown to this principal, and `limited` for a
 * call that the tool's limits did not let begin. `explanation` says which part of the tool's policy decided, where one did:
 * `lacks the role admin`. `outcome` is `Completed`, `NoSuchTool`, `Interrupted` when the caller left, `Begun` in the record that comes first where a trail keeps
 * that a write is about to be executed, or the tag of what it was refused with. `reference` is the shown part of the idempotency key.
 * `replayed` says that an earlier call has done the write, and `found` that this one had to look for what it did.
 *
 * A write that goes on after the caller who began it has left has a further record, of the same `correlationId`, of how it
 * ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface AuditRecord {
  readonly time: number
  readonly correlationId: string
  readonly connector: string
  readonly principal: string
  readonly tenant: string | undefined
  readonly tool: string | undefined
  readonly kind: "read" | "write" | undefined
  readonly decision: "allowed" | "denied" | "limited" | "hidden" | "unknown-tool" | "invalid"
  readonly explanation: string | undefined
  readonly outcome: string
  readonly reference: string | undefined
  readonly replayed: boolean
  readonly found: boolean
  readonly attempts: number
  readonly duration: number
}

/**
 * Says that a trail could not keep its records. `reason` names the fault for the operator's log; it never reaches the model.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuditTrailError extends Schema.TaggedError<AuditTrailError>("@ferrule/core/AuditTrailError")(
  "AuditTrailError",
  { reason: Schema.String, cause: Schema.optionalKey(Schema.Defect()) }
) {
  override get message(): string {
    return this.reason
  }
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Trail {
  /**
   * Keeps the record of a call that has ended. It returns when the record is as safe as this trail makes it, and it must
   * return: the call waits for it. A failure is logged with the record, and the call is answered all the same.
   */
  readonly record: (record: AuditRecord) => Effect.Effect<void, AuditTrailError>
  /**
   * Keeps the record, of the outcome `Begun`, of a write that is about to be executed. When it fails, the write is not
   * executed and its caller gets a `TransientError`. A trail without it is not asked.
   */
  readonly begin?: (record: AuditRecord) => Effect.Effect<void, AuditTrailError>
}

const log: Trail = {
  record: (record) =>
    Effect.logInfo("tool call").pipe(
      Effect.annotateLogs({ ...record }),
      // On stdio, stdout carries the protocol.
      Effect.provideService(Logger.LogToStderr, true)
    )
}

/**
 * Keeps the audit records of a connector.
 *
 * @category services
 * @since 0.1.0
 */
export const AuditTrail: Context.Reference<Trail> = Context.Reference("@ferrule/core/AuditTrail", {
  defaultValue: () => log
})

/**
 * Writes each record as one structured log entry on stderr.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLog: Layer.Layer<never> = Layer.succeed(AuditTrail, log)

/**
 * Hands each record to a function, which is how a team brings its own trail.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (record: (record: AuditRecord) => Effect.Effect<void, AuditTrailError>): Layer.Layer<never> =>
  Layer.succeed(AuditTrail, { record })

/**
 * Keeps nothing.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<never> = layer(() => Effect.void)
