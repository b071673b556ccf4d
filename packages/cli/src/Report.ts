/**
 * The result of an audit, as data: what `--json` prints, and what every other report is made from.
 *
 * It begins with the four questions that a security team asks, and holds each check with its findings, what a finding
 * means and how to fix it, the access matrix, each tool's contract, what was sent and answered while probing, and what
 * only people can judge.
 */
import * as Schema from "effect/Schema"

/**
 * How bad a finding is: a blocker makes the audit fail.
 *
 * @category models
 * @since 0.1.0
 */
export const Severity = Schema.Literals(["block", "warn"])
export type Severity = typeof Severity.Type

/**
 * One fault that a check found. `subject` is a tool's name, or the connector's. `where` is a JSON pointer into the tool's
 * definition, or a file. `evidence` is what was seen: an excerpt, or a request and its answer, never a secret.
 *
 * @category models
 * @since 0.1.0
 */
export const Finding = Schema.Struct({
  check: Schema.String,
  severity: Severity,
  subject: Schema.String,
  where: Schema.optionalKey(Schema.String),
  message: Schema.String,
  evidence: Schema.optionalKey(Schema.String),
  fix: Schema.String,
  /** Why the team lives with it, where it does. Such a finding does not count. */
  accepted: Schema.optionalKey(Schema.String)
})
export type Finding = typeof Finding.Type

/**
 * One thing that a probe sent, and what came back.
 *
 * @category models
 * @since 0.1.0
 */
export const Exchange = Schema.Struct({
  what: Schema.String,
  sent: Schema.String,
  answered: Schema.String,
  millis: Schema.Finite
})
export type Exchange = typeof Exchange.Type

/**
 * What became of a check:
 *
 * - `"passed"` and `"failed"`;
 * - `"not applicable"`: the connector has nothing that it is about;
 * - `"not seen"`: it can't be judged from what the audit was given, which `note` says;
 * - `"not run"`: the audit was not asked to: a probe without `--probe`, the lock without `--locked`.
 *
 * @category models
 * @since 0.1.0
 */
export const Status = Schema.Literals(["passed", "failed", "not applicable", "not seen", "not run"])
export type Status = typeof Status.Type

/**
 * A check and its outcome. `note` says in a few words what it went through ("48 calls"), or why there is no answer.
 *
 * @category models
 * @since 0.1.0
 */
export const CheckResult = Schema.Struct({
  id: Schema.String,
  group: Schema.String,
  kind: Schema.Literals(["static", "probe"]),
  severity: Severity,
  title: Schema.String,
  why: Schema.String,
  question: Schema.optionalKey(Schema.Literals(["credentials", "schemas", "errors", "writes"])),
  status: Status,
  note: Schema.optionalKey(Schema.String),
  findings: Schema.Array(Finding),
  transcript: Schema.Array(Exchange)
})
export type CheckResult = typeof CheckResult.Type

/**
 * One of the four questions. The answer is `"yes"` when every check that bears on it has passed, `"no"` when one found a
 * blocker, and `"open"` when one that applies could not be made; `because` says so in one sentence.
 *
 * @category models
 * @since 0.1.0
 */
export const Question = Schema.Struct({
  id: Schema.Literals(["credentials", "schemas", "errors", "writes"]),
  question: Schema.String,
  answer: Schema.Literals(["yes", "no", "open"]),
  because: Schema.String
})
export type Question = typeof Question.Type

/**
 * Who may call one tool: a cell for each role, in the order of the report's `roles`.
 *
 * @category models
 * @since 0.1.0
 */
export const AccessRow = Schema.Struct({
  tool: Schema.String,
  kind: Schema.Literals(["read", "write"]),
  rule: Schema.String,
  cells: Schema.Array(
    Schema.Struct({
      access: Schema.Literals(["always", "with-arguments", "with-scopes", "never"]),
      scopes: Schema.Array(Schema.String),
      predicates: Schema.Array(Schema.String)
    })
  )
})
export type AccessRow = typeof AccessRow.Type

/**
 * A tool's contract, as a client sees it and as the connector declares it. `policy` and `idempotency` are in words, and
 * missing where only the wire could be seen. `tokens` estimates what the definition costs in a model's context.
 *
 * @category models
 * @since 0.1.0
 */
export const ToolContract = Schema.Struct({
  name: Schema.String,
  title: Schema.optionalKey(Schema.String),
  description: Schema.String,
  kind: Schema.optionalKey(Schema.Literals(["read", "write"])),
  annotations: Schema.Record(Schema.String, Schema.Json),
  inputSchema: Schema.Json,
  outputSchema: Schema.optionalKey(Schema.Json),
  policy: Schema.optionalKey(Schema.String),
  idempotency: Schema.optionalKey(Schema.String),
  limits: Schema.optionalKey(Schema.String),
  tokens: Schema.Int,
  sha256: Schema.optionalKey(Schema.String)
})
export type ToolContract = typeof ToolContract.Type

/**
 * Something that only people can judge, with the evidence beside it. It is never passed.
 *
 * @category models
 * @since 0.1.0
 */
export const ToConfirm = Schema.Struct({ what: Schema.String, evidence: Schema.String })
export type ToConfirm = typeof ToConfirm.Type

/**
 * A whole report. `target` is the module, address or command that was audited; `lock` the SHA-256 over every tool's
 * canonical definition, where there is a connector to take it from.
 *
 * @category models
 * @since 0.1.0
 */
export const Report = Schema.Struct({
  ferrule: Schema.String,
  target: Schema.String,
  at: Schema.String,
  probed: Schema.Boolean,
  connector: Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    title: Schema.optionalKey(Schema.String),
    instructions: Schema.optionalKey(Schema.String)
  }),
  lock: Schema.optionalKey(Schema.String),
  questions: Schema.Array(Question),
  roles: Schema.Array(Schema.NullOr(Schema.String)),
  access: Schema.Array(AccessRow),
  tools: Schema.Array(ToolContract),
  checks: Schema.Array(CheckResult),
  toConfirm: Schema.Array(ToConfirm)
})
export type Report = typeof Report.Type

/**
 * Lists every finding that counts: those that nobody has accepted.
 *
 * @category accessors
 * @since 0.1.0
 */
export const findingsOf = (report: Report): ReadonlyArray<Finding> =>
  report.checks.flatMap(({ findings }) => findings).filter(({ accepted }) => accepted === undefined)

/**
 * Tells whether the audit fails: one finding that counts is a blocker.
 *
 * @category accessors
 * @since 0.1.0
 */
export const isBlocked = (report: Report): boolean => findingsOf(report).some(({ severity }) => severity === "block")
