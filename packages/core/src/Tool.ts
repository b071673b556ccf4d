/**
 * A tool as a declaration: its contract, who may call it, and for a write how it happens once.
 *
 * `read` declares a tool that changes nothing; `write` one that does, and it does not compile without saying how a repeat
 * is recognised and what happens after a crash. A tool knows nothing of its handler, so that a connector can be listed,
 * audited and documented without running anything or holding a secret.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { DefinitionError, type TransientError } from "./ConnectorError.ts"
import * as DeclaredLimits from "./internal/declaredLimits.ts"
import type * as Limits from "./Limits.ts"
import * as Policy from "./Policy.ts"
import * as Retry from "./Retry.ts"
import * as ToolSchema from "./ToolSchema.ts"

/**
 * What a later call does when an earlier attempt was cut off after it may have written:
 *
 * - `"repeatable"`: execute again, since repeating the operation changes nothing (a set, or a delete by id);
 * - `"downstream-key"`: execute again with the same `Operation.idempotencyKey`, which the handler sends to the upstream;
 * - `"reconcile"`: ask the handler's `find` first, and execute only when it finds nothing;
 * - `"transactional"`: nothing is left to find out, since claim, effect and settle are one transaction of the database that
 *   the store and the handler share. The handler writes through the one `SqlClient` that `SqlIdempotencyStore` was given, not
 *   through a second one to the same database, and nowhere else;
 * - `"unknown"`: answer `OutcomeUnknown`, naming the read tool to check with, until the first attempt settles.
 *
 * @category models
 * @since 0.1.0
 */
export type Recovery = "repeatable" | "downstream-key" | "reconcile" | "transactional" | "unknown"

/**
 * How a write is recognised and kept.
 *
 * `identity` names the fields that say which operation this is; two calls with equal ones are the same operation. Every
 * other field is guarded, so a repeat that changes it is refused, unless `free` names it. A record is kept for
 * `retention` (24 hours) after the write. `version` starts a new history of operations when it changes (1).
 *
 * Until then an equal call is a repeat, also when the caller means to do it again: assign to A, then to B, then to A again
 * answers the third call with the first one's result. Put into `identity` what tells two such intentions apart, such as
 * the version of the record that is changed; or name an `occurrence`, a field made by `Tool.occurrence`, in which the
 * caller counts how often it means it.
 *
 * What is kept is the result, up to `maxStoredSize` characters of JSON (65,536; 0 keeps none): a later call of a write
 * with a larger one is told that it is done and that the result is not kept. `migrate` turns a kept result that the output
 * no longer decodes into one that it does, or into undefined. With `recordFailures` a `ValidationError` or
 * `AuthorizationError` of the handler is the operation's result too, and is not tried again: a declined payment.
 *
 * A call that has another value in a guarded field than an operation's first call is refused. `conflictDetail` says whether
 * the refusal names these fields (`"fields"`) or none (`"none"`); it never says their values.
 *
 * An operation is its principal's own. `sharedWith` makes it the tenant's, as for a fleet of agents that work on the same
 * things: an equal call of any member is the same operation. A member whom the policy allows is answered as the one who began
 * it is, and may go on with it; any other is refused with one sentence, whatever has become of the write. Whether a rule
 * holds that can't be checked counts as no.
 *
 * @category models
 * @since 0.1.0
 */
export type Idempotency<Field extends string, R extends Recovery, Input = never> = {
  readonly identity: ReadonlyArray<Field>
  readonly free?: ReadonlyArray<Field>
  readonly recovery: R
  readonly occurrence?: Field
  readonly retention?: Duration.Input
  readonly version?: number
  readonly maxStoredSize?: number
  readonly migrate?: (result: Schema.Json) => Schema.Json | undefined
  readonly recordFailures?: boolean
  readonly conflictDetail?: "fields" | "none"
  readonly sharedWith?: Policy.Policy<Input>
} & ("unknown" extends R ? { readonly checkWith: string } : { readonly checkWith?: string })

/**
 * The contract that `input` and `output` must be: a struct that needs no services to decode.
 *
 * @category models
 * @since 0.1.0
 */
export type StructSchema = Schema.Top & {
  readonly Type: object
  readonly DecodingServices: never
  readonly EncodingServices: never
}

interface Options<Input extends StructSchema, Output extends StructSchema, Services> {
  readonly title: string
  /** Three sentences or more: what it does, when to use it, when not to. At most 2048 characters. */
  readonly description: string
  readonly input: Input
  readonly output: Output
  /**
   * Who may call it. A function is handed `predicate` over this tool's arguments, which need no annotation there:
   * `({ predicate }) => Policy.all(Policy.role("agent"), predicate("it is the caller's", ({ id }, { owner }) => id === owner))`.
   */
  readonly allow:
    | Policy.Policy<Input["Type"], Services>
    | ((over: Policy.Predicates<Input["Type"]>) => Policy.Policy<Input["Type"], Services>)
  /** Bounds the whole execution, retries included (30 seconds). */
  readonly timeout?: Duration.Input
  /** How often each principal may have it executed; as the connector says unless given. */
  readonly rateLimit?: Limits.RateLimit
  /** How many of its executions run at once; any number unless given. */
  readonly concurrency?: Limits.Concurrency
  /** When to try again after a `TransientError`; three times within ten seconds unless given. */
  readonly retry?: Schedule.Schedule<unknown, TransientError>
  /** The largest answer, in characters of JSON, escapes included (100,000). */
  readonly maxResultSize?: number
  /** False when the tool only touches systems of its own organization (true). */
  readonly openWorld?: boolean
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ReadOptions<Input extends StructSchema, Output extends StructSchema, Services = never> extends Options<
  Input,
  Output,
  Services
> {}

/**
 * @category models
 * @since 0.1.0
 */
export interface WriteOptions<
  Input extends StructSchema,
  Output extends StructSchema,
  R extends Recovery,
  Services = never
> extends Options<Input, Output, Services> {
  readonly idempotency: Idempotency<keyof Input["Type"] & string, R, Input["Type"]>
  /** False when the tool only adds and never changes or removes what is there (true). */
  readonly destructive?: boolean
  /**
   * True when a person has to agree to each call, whatever was allowed before: for what can't be undone (false). Clients of
   * Claude ask, and others may not: what must not happen without consent, a policy or the upstream has to refuse.
   */
  readonly requiresUserInteraction?: boolean
}

interface Declared<Name extends string, Input extends StructSchema, Output extends StructSchema, Services>
  extends Limits.Declared {
  readonly name: Name
  readonly title: string
  readonly description: string
  readonly input: ToolSchema.ToolSchema<Input["Type"]>
  readonly output: ToolSchema.ToolSchema<Output["Type"]>
  readonly allow: Policy.Policy<Input["Type"], Services>
  readonly timeout: Duration.Duration
  readonly retry: Schedule.Schedule<unknown, TransientError>
  readonly maxResultSize: number
  readonly openWorld: boolean
}

/**
 * A read tool. `Services` is what its policy's predicates ask.
 *
 * @category models
 * @since 0.1.0
 */
export interface Read<
  Name extends string,
  Input extends StructSchema,
  Output extends StructSchema,
  Services = never
> extends Declared<Name, Input, Output, Services> {
  readonly kind: "read"
}

/**
 * A write tool. `Services` is what its policy's predicates ask.
 *
 * @category models
 * @since 0.1.0
 */
export interface Write<
  Name extends string,
  Input extends StructSchema,
  Output extends StructSchema,
  R extends Recovery,
  Services = never
> extends Declared<Name, Input, Output, Services> {
  readonly kind: "write"
  readonly destructive: boolean
  readonly requiresUserInteraction: boolean
  readonly idempotency: {
    readonly identity: ReadonlyArray<string>
    readonly guarded: ReadonlyArray<string>
    readonly free: ReadonlyArray<string>
    /** Is one of `identity`. */
    readonly occurrence: string | undefined
    readonly recovery: R
    readonly retention: Duration.Duration
    /** How long an unknown outcome is kept: a week at least. */
    readonly unknownRetention: Duration.Duration
    /** Longer than the execution may take, so that it runs out only on a process that died or stood still. */
    readonly lease: Duration.Duration
    readonly version: number
    readonly maxStoredSize: number
    readonly migrate: ((result: Schema.Json) => Schema.Json | undefined) | undefined
    readonly recordFailures: boolean
    readonly conflictDetail: "fields" | "none"
    /** Whom an operation is shared with among its tenant; it is its principal's own where this is undefined. */
    readonly sharedWith: Policy.Policy<Input["Type"]> | undefined
    readonly checkWith: string | undefined
  }
}

/**
 * Some read tool. A tool's schemas and policy fix the type of its arguments, which no common supertype can.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyRead = Read<string, any, any, any>

/**
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyWrite = Write<string, any, any, Recovery, any>

/**
 * @category models
 * @since 0.1.0
 */
export type Any = AnyRead | AnyWrite

/**
 * Declares a tool that changes nothing.
 *
 * Throws a `DefinitionError` that lists every fault of the contract.
 *
 * @category constructors
 * @since 0.1.0
 */
export const read = <
  const Name extends string,
  Input extends StructSchema,
  Output extends StructSchema,
  Services = never
>(
  name: Name,
  options: ReadOptions<Input, Output, Services>
): Read<Name, Input, Output, NoInfer<Services>> => {
  const { declared, faults } = declare(name, options)
  if (faults.length > 0) throw new DefinitionError({ subject: `Tool ${name}`, faults })
  return Object.freeze({ ...declared(), kind: "read" as const })
}

/**
 * Declares a tool that changes something, once for each operation that its arguments mean.
 *
 * Throws a `DefinitionError` that lists every fault of the contract.
 *
 * @category constructors
 * @since 0.1.0
 */
export const write = <
  const Name extends string,
  Input extends StructSchema,
  Output extends StructSchema,
  const R extends Recovery,
  Services = never
>(
  name: Name,
  options: WriteOptions<Input, Output, R, Services>
): Write<Name, Input, Output, R, NoInfer<Services>> => {
  const isTransactional = options.idempotency.recovery === "transactional"
  const { declared, fields, faults, limits, timeout } = declare(name, options, isTransactional ? 0 : undefined)
  if (isTransactional && limits.concurrency !== undefined && !Duration.isZero(limits.concurrency.wait)) {
    faults.push("concurrency.wait can't be had with transactional: a call that waits would hold a connection")
  }
  const {
    recovery,
    checkWith,
    migrate,
    version = 1,
    maxStoredSize = 65_536,
    recordFailures = false,
    conflictDetail = "fields",
    sharedWith
  } = options.idempotency
  const occurrence: string | undefined = options.idempotency.occurrence
  const named: ReadonlyArray<string> = options.idempotency.identity
  const identity = occurrence === undefined || named.includes(occurrence) ? named : [...named, occurrence]
  const free: ReadonlyArray<string> = options.idempotency.free ?? []
  const unknown = [...identity, ...free].filter((field) => !fields.includes(field))
  if (unknown.length > 0) faults.push(`idempotency names fields that the input lacks: ${unknown.join(", ")}`)
  if (named.length === 0 && fields.length > 0) {
    faults.push(
      "idempotency.identity is empty: every call would be the same operation; name the fields that tell two apart"
    )
  }
  const both = identity.filter((field) => free.includes(field))
  if (both.length > 0) faults.push(`idempotency names fields both identity and free: ${both.join(", ")}`)
  if (occurrence !== undefined && fields.includes(occurrence) && !countsFromOne(options.input, occurrence)) {
    faults.push(`idempotency.occurrence names ${occurrence}, which is no field made by Tool.occurrence`)
  }
  if (!Number.isSafeInteger(version) || version < 1) faults.push("idempotency.version must be an integer from 1")
  if (!Number.isSafeInteger(maxStoredSize) || maxStoredSize < 0) {
    faults.push("idempotency.maxStoredSize must be an integer from 0")
  }
  if (recordFailures && recovery === "transactional") {
    faults.push(
      "idempotency.recordFailures can't be had with transactional: a failure undoes the transaction, record and all"
    )
  }
  if (sharedWith !== undefined && recovery === "transactional") {
    faults.push("idempotency.sharedWith can't be had with transactional: whose an open transaction is can't be seen")
  }
  const retention = Duration.fromInputUnsafe(options.idempotency.retention ?? "24 hours")
  if (Duration.toMillis(retention) < 60_000 || !Duration.isFinite(retention)) {
    faults.push("idempotency.retention must be finite and at least a minute: after it, a repeat executes again")
  }
  // After a takeover, a tool that reconciles searches and then executes, each within the timeout.
  const execution = Duration.times(timeout, recovery === "reconcile" ? 2 : 1)
  const held = Duration.sum(execution, limits.concurrency?.wait ?? Duration.zero)
  const lease = Duration.sum(Duration.times(held, 1.25), Duration.seconds(1))
  if (Duration.isGreaterThan(lease, retention)) {
    faults.push(
      `idempotency.retention (${Duration.format(retention)}) is shorter than the lease (${Duration.format(lease)}), which follows from the timeout`
    )
  }
  if (faults.length > 0) throw new DefinitionError({ subject: `Tool ${name}`, faults })
  const tool = declared()
  return Object.freeze({
    ...tool,
    kind: "write" as const,
    destructive: options.destructive ?? true,
    requiresUserInteraction: options.requiresUserInteraction ?? false,
    idempotency: {
      identity,
      guarded: fields.filter((field) => !identity.includes(field) && !free.includes(field)).sort(),
      free,
      occurrence,
      recovery,
      retention,
      unknownRetention: Duration.max(retention, Duration.weeks(1)),
      lease,
      version,
      maxStoredSize,
      migrate,
      recordFailures,
      conflictDetail,
      sharedWith,
      checkWith
    }
  })
}

/**
 * Makes a field in which the caller counts how often it means the same write: left out or 1 for the first time, 2 to do it
 * once more on purpose. A repeat with the same count is answered with the first one's result.
 *
 * @category schemas
 * @since 0.1.0
 */
export const occurrence = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))
  .annotate({
    description:
      "Leave it out. Only to do the very same thing once more on purpose, after it is done, count up: 2 for the second time."
  })
  .pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))

const countsFromOne = (input: StructSchema, field: string): boolean =>
  "fields" in input && (input.fields as Readonly<Record<string, unknown>>)[field] === occurrence

const declare = <Name extends string, Input extends StructSchema, Output extends StructSchema, Services>(
  name: Name,
  options: Options<Input, Output, Services>,
  defaultWait?: Duration.Input
) => {
  const faults: Array<string> = []
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(name))
    faults.push("the name must be 1 to 64 of a-z, 0-9 and _, and begin with a letter")
  if (options.title.trim() === "" || options.title.length > 100) faults.push("the title must be 1 to 100 characters")
  if (options.description.trim().length < 20 || options.description.length > 2048) {
    faults.push("the description must be 20 to 2048 characters: what the tool does, when to use it, and when not to")
  }
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "30 seconds")
  if (!Duration.isFinite(timeout) || !Duration.isPositive(timeout))
    faults.push("the timeout must be finite and positive")
  const maxResultSize = options.maxResultSize ?? 100_000
  if (!Number.isSafeInteger(maxResultSize) || maxResultSize < 1024)
    faults.push("maxResultSize must be at least 1024 characters")
  const limits = DeclaredLimits.declare(options, faults, defaultWait)
  const input = ToolSchema.input(options.input)
  const output = ToolSchema.output(options.output)
  const allow = typeof options.allow === "function" ? options.allow(Policy) : options.allow
  if (input._tag === "Failure") faults.push(...input.failure.map((fault) => `input: ${fault}`))
  if (output._tag === "Failure") faults.push(...output.failure.map((fault) => `output: ${fault}`))
  return {
    faults,
    limits,
    timeout,
    fields: input._tag === "Success" ? input.success.fields : [],
    declared: (): Declared<Name, Input, Output, Services> => {
      if (input._tag === "Failure" || output._tag === "Failure") throw new DefinitionError({ subject: name, faults })
      return {
        name,
        title: options.title,
        description: options.description,
        input: input.success,
        output: output.success,
        allow,
        ...limits,
        timeout,
        retry: options.retry ?? Retry.defaultSchedule,
        maxResultSize,
        openWorld: options.openWorld ?? true
      }
    }
  }
}
