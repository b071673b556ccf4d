/**
 * The errors that a handler may fail with, and what each tells the model.
 *
 * `ValidationError`: fix these arguments. `AuthorizationError`: stop. `TransientError`: wait, then repeat the same call.
 * Everything that an upstream can do to a connector is one of the three; the `Upstream` module sorts HTTP responses,
 * client errors, timeouts and SQL errors into them. Texts here reach the model, so they name the fault and what to do, and
 * never a rejected value or a secret. The pipeline escapes line breaks and hidden characters in them.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * One fault in the arguments: `path` such as `lines[2].amount` (empty for the whole), `message` that follows the path in
 * a sentence ("must be at most 120 characters"), and `expected`, what would be accepted.
 *
 * @category models
 * @since 0.1.0
 */
export const Issue = Schema.Struct({
  path: Schema.String,
  message: Schema.String,
  expected: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Issue = typeof Issue.Type

/**
 * Says which arguments to fix before calling again. Raised before or instead of any change in the system of record.
 *
 * @category errors
 * @since 0.1.0
 */
export class ValidationError extends Schema.TaggedError<ValidationError>("@ferrule/core/ValidationError")(
  "ValidationError",
  { issues: Schema.NonEmptyArray(Issue) }
) {
  /**
   * Makes an error about one argument: `ValidationError.at("ticketId", "names no ticket", "an id from search_tickets")`.
   *
   * @since 0.1.0
   */
  static at(path: string, message: string, expected = ""): ValidationError {
    return new ValidationError({ issues: [{ path, message, expected }] })
  }

  override get message(): string {
    return this.issues.map(({ path, message }) => (path === "" ? message : `${path} ${message}`)).join("; ")
  }
}

/**
 * Says that the caller may not do this, and what would be required. It never says who has it.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthorizationError extends Schema.TaggedError<AuthorizationError>("@ferrule/core/AuthorizationError")(
  "AuthorizationError",
  {
    message: Schema.String,
    roles: Schema.Array(Schema.String).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
    scopes: Schema.Array(Schema.String).pipe(Schema.withConstructorDefault(Effect.succeed([])))
  }
) {}

/**
 * Says that the same call may succeed later. `applied` is what is known about a write: `"no"` when nothing can have
 * happened (never sent, refused), `"unknown"` when it may have (sent, answer lost). It is `"unknown"` unless given, since
 * the wrong guess writes twice.
 *
 * @category errors
 * @since 0.1.0
 */
export class TransientError extends Schema.TaggedError<TransientError>("@ferrule/core/TransientError")(
  "TransientError",
  {
    message: Schema.String,
    retryAfter: Schema.optionalKey(Schema.Duration),
    applied: Schema.Literals(["no", "unknown"]).pipe(Schema.withConstructorDefault(Effect.succeed("unknown" as const)))
  }
) {}

/**
 * The closed set that a handler may fail with.
 *
 * @category errors
 * @since 0.1.0
 */
export const ConnectorError = Schema.Union([ValidationError, AuthorizationError, TransientError])

/**
 * @category errors
 * @since 0.1.0
 */
export type ConnectorError = typeof ConnectorError.Type

/**
 * Says that a write may or may not have happened, and that nobody will guess. Raised by the pipeline only. `checkWith`
 * names the read tool that shows which it was.
 *
 * @category errors
 * @since 0.1.0
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>("@ferrule/core/OutcomeUnknown")(
  "OutcomeUnknown",
  { checkWith: Schema.optionalKey(Schema.String) }
) {
  override get message(): string {
    return "An attempt at this write was cut off, and whether it happened cannot be known from here."
  }
}

/**
 * Stands for a defect: the caller gets the correlation id, the log gets the cause. Raised by the pipeline only.
 *
 * @category errors
 * @since 0.1.0
 */
export class Internal extends Schema.TaggedError<Internal>("@ferrule/core/Internal")("Internal", {
  correlationId: Schema.String
}) {
  override get message(): string {
    return `The connector failed; its operators find the cause under ${this.correlationId}.`
  }
}

/**
 * Says that a write was done, and that its answer can't be given: its record no longer fits the tool's output, or it is
 * larger than the tool may keep or answer. Raised by the pipeline only, and never followed by a second execution. `doneAt` is in
 * epoch milliseconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class ResultUnavailable extends Schema.TaggedError<ResultUnavailable>("@ferrule/core/ResultUnavailable")(
  "ResultUnavailable",
  {
    reason: Schema.Literals(["unreadable", "too-large"]),
    doneAt: Schema.Number,
    checkWith: Schema.optionalKey(Schema.String)
  }
) {
  override get message(): string {
    return this.reason === "unreadable"
      ? "This write is done; the result that was kept for it can no longer be read."
      : "This write is done; its result is larger than may be kept or answered."
  }
}

/**
 * Everything that a call can be refused with.
 *
 * @category errors
 * @since 0.1.0
 */
export const Refusal = Schema.Union([
  ValidationError,
  AuthorizationError,
  TransientError,
  OutcomeUnknown,
  ResultUnavailable,
  Internal
])

/**
 * @category errors
 * @since 0.1.0
 */
export type Refusal = typeof Refusal.Type

/**
 * Raised when a tool or a connector cannot be built. Lists every fault of the definition, so that one run fixes them all.
 *
 * @category errors
 * @since 0.1.0
 */
export class DefinitionError extends Schema.TaggedError<DefinitionError>("@ferrule/core/DefinitionError")(
  "DefinitionError",
  { subject: Schema.String, faults: Schema.Array(Schema.String) }
) {
  override get message(): string {
    return `${this.subject} cannot be built:\n${this.faults.map((fault) => `  - ${fault}`).join("\n")}`
  }
}
