/**
 * Step 4: the handler runs, within the tool's timeout, and again after a transient failure where another attempt can't
 * write twice.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { Program } from "../Connector.ts"
import { ConnectorError, TransientError } from "../ConnectorError.ts"
import { atOnce } from "../internal/atOnce.ts"
import { type Attempt, repeating } from "../internal/repeating.ts"
import * as OnBehalf from "../internal/onBehalf.ts"
import { sha256 } from "../internal/sha256.ts"
import { Operation } from "../Operation.ts"
import { Principal, type PrincipalData } from "../Principal.ts"
import type * as Tool from "../Tool.ts"
import { Fault } from "../Upstream.ts"

/**
 * What is known of the handler's runs: how many began, how many of its steps began and did not say that they have written
 * nothing, and whether a run may have written without saying so. Once it is `abandoned`, because every caller left before
 * the first run, none may begin.
 */
export interface Attempts {
  count: number
  steps: number
  uncertain: boolean
  abandoned: boolean
}

export interface Execution {
  readonly tool: Tool.Any
  readonly program: Program
  readonly principal: PrincipalData
  /** Proved the principal. No handler gets it, but the right to act for the caller where there is one. */
  readonly callerToken: Redacted.Redacted<string> | undefined
  readonly input: object
  readonly correlationId: string
  /** What `Operation.idempotencyKey` is derived from: the write's key, or something unique for a read. */
  readonly key: string
  readonly attempts: Attempts
  readonly step: Operation["Service"]["step"]
  readonly progress: ((progress: number, total?: number, message?: string) => Effect.Effect<void>) | undefined
}

/**
 * What an execution holds: how much longer it may go on, in milliseconds, and no attempt begins when nothing is left; and
 * which holder of the record it is, from 1.
 */
export interface Lease {
  readonly left: () => number
  readonly epoch: number
}

/** The lease of what holds nothing that could be taken over. */
export const unlimited: Lease = { left: () => Infinity, epoch: 1 }

/**
 * Runs the handler in the context of its call. Each attempt looks at the lease first, and counts from there on. It begins
 * now, as `within` does.
 */
export const execute = (
  execution: Execution,
  lease: Lease,
  context: Context.Context<never>
): Effect.Effect<unknown, ConnectorError> => {
  const { tool, program, attempts } = execution
  const operation = operationOf(execution, lease.epoch)
  const attempt: Attempt<unknown> = {
    begin: () => {
      if (lease.left() <= 0) return Effect.fail(stoodStill())
      // The interruption is on its way through the fibers in between.
      if (attempts.abandoned) return Effect.interrupt
      operation.attempt = ++attempts.count
      return program.execute(execution.input)
    },
    failed: (cause) => {
      const known = ofKnownClasses(cause)
      attempts.uncertain ||= known.reasons.some(isUncertain)
      return known
    }
  }
  // Another attempt of a transactional write is another transaction, so it is made where those are.
  const whole = isTransactional(tool) ? once(attempt) : retried(tool, attempt, isSafeToRepeat(tool))
  return asHandler(execution, operation, lease, context, whole)
}

const retried = <A>(tool: Tool.Any, attempt: Attempt<A>, safe: boolean) =>
  repeating(attempt, tool.retry, { safe, within: Duration.toMillis(tool.timeout) * 0.8 })

const once = <A>({ begin, failed }: Attempt<A>) =>
  Effect.catchCause(Effect.suspend(begin), (cause) => Effect.failCause(failed(cause)))

const isTransactional = (tool: Tool.Any) => tool.kind === "write" && tool.idempotency.recovery === "transactional"

const stoodStill = () =>
  new TransientError({
    message: "The connector stood still for too long to begin this write",
    retryAfter: Duration.seconds(1),
    applied: "no"
  })

/** Asks the handler of a tool that reconciles what an earlier attempt may have written. */
export const find = (
  execution: Execution
): ((begunAt: number) => Effect.Effect<Option.Option<unknown>, ConnectorError>) | undefined => {
  const { tool, program } = execution
  const { find } = program
  if (find === undefined) return undefined
  return (begunAt) => {
    const earlier = { begunAt: DateTime.makeUnsafe(begunAt) }
    const search = retried(tool, { begin: () => find(execution.input, earlier), failed: ofKnownClasses }, true)
    const operation = operationOf(execution, 1)
    return Effect.withFiber(({ context }) => asHandler(execution, operation, unlimited, context, search))
  }
}

/** Whether the write may have happened, as far as this reason tells. */
export const isUncertain = (reason: Cause.Reason<unknown>): boolean => {
  if (reason._tag === "Die") return !(reason.defect instanceof Fault && reason.defect.applied === "no")
  return reason._tag !== "Fail" || (reason.error instanceof TransientError && reason.error.applied === "unknown")
}

/** What a cast has let through is no answer to the model, and says nothing of the write: it is a defect. */
const ofKnownClasses = (cause: Cause.Cause<ConnectorError>): Cause.Cause<ConnectorError> =>
  cause.reasons.every((reason) => reason._tag !== "Fail" || isConnectorError(reason.error))
    ? cause
    : Cause.fromReasons(
        cause.reasons.map((reason) =>
          reason._tag === "Fail" && !isConnectorError(reason.error) ? Cause.makeDieReason(reason.error) : reason
        )
      )

const isConnectorError = Schema.is(ConnectorError)

const isSafeToRepeat = (tool: Tool.Any) =>
  tool.kind === "read" || tool.idempotency.recovery === "repeatable" || tool.idempotency.recovery === "downstream-key"

/**
 * Runs an effect, and ends it with the tool's timeout, or when nothing is left of its lease. It begins now. To be called
 * where nothing interrupts; only its wait can be interrupted.
 */
export const within = <A>(
  tool: Tool.Any,
  lease: Lease,
  context: Context.Context<never>,
  effect: Effect.Effect<A, ConnectorError>
): Effect.Effect<A, ConnectorError> =>
  atOnce(context, effect, (fiber) => {
    const limit = Math.min(Duration.toMillis(tool.timeout), lease.left())
    const joined = Effect.timeoutOrElse(Fiber.join(fiber), {
      duration: limit,
      orElse: () => Effect.fail(timedOut(tool, limit))
    })
    return Effect.ensuring(Effect.interruptible(joined), Fiber.interrupt(fiber))
  })

const timedOut = (tool: Tool.Any, limit: number) =>
  new TransientError({
    message: `${tool.name} did not finish within ${Duration.format(Duration.millis(limit))}`,
    applied: tool.kind === "read" ? "no" : "unknown"
  })

/** The caller's context wins over the services that the handlers' layer was built with, so that a span is this call's. */
const asHandler = <A>(
  { callerToken: token, principal, program, tool }: Execution,
  operation: Operation["Service"],
  lease: Lease,
  context: Context.Context<never>,
  effect: Effect.Effect<A, ConnectorError>
): Effect.Effect<A, ConnectorError> => {
  const services = withMissing(context, program.services)
  const whole = Context.add(Context.add(services, Principal, principal), Operation, operation)
  return within(tool, lease, whole, token === undefined ? effect : OnBehalf.provide(effect, { principal, token }))
}

/** As `Context.merge(services, context)` does, which would copy both; the caller lacks next to nothing. */
export const withMissing = (
  context: Context.Context<never>,
  services: Context.Context<never>
): Context.Context<never> => {
  let whole = context
  for (const [key, service] of entriesOf(services)) {
    if (Context.getOrUndefined(context, key) === undefined) whole = Context.addUnsafe(whole, key.key, service)
  }
  return whole
}

type Entry = readonly [key: Context.Key<unknown, unknown>, service: unknown]

const entries = new WeakMap<Context.Context<never>, ReadonlyArray<Entry>>()

/** By keys, for which a context is asked without being copied. */
const entriesOf = (services: Context.Context<never>): ReadonlyArray<Entry> => {
  let known = entries.get(services)
  if (known === undefined) {
    known = Array.from(services.mapUnsafe, ([key, service]) => [Context.Service<unknown>(key), service] as const)
    entries.set(services, known)
  }
  return known
}

/** The number of the attempt is that of the one that runs. */
const operationOf = (execution: Execution, epoch: number): Mutable<Operation["Service"], "attempt"> => ({
  tool: execution.tool.name,
  correlationId: execution.correlationId,
  attempt: execution.attempts.count,
  epoch,
  idempotencyKey: (provider) => sha256(`${provider.length}:${provider}${execution.key}`),
  step: execution.step,
  progress: execution.progress ?? noProgress
})

type Mutable<A, K extends keyof A> = Omit<A, K> & { -readonly [Key in K]: A[Key] }

const noProgress = () => Effect.void
