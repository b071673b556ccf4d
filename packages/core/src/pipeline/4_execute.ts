/**
 * Step 4: the handler runs, within the tool's timeout, and again after a transient failure where another attempt can't
 * write twice.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Program } from "../Connector.ts"
import { type ConnectorError, TransientError } from "../ConnectorError.ts"
import { sha256 } from "../internal/sha256.ts"
import { Operation } from "../Operation.ts"
import { Principal, type PrincipalData } from "../Principal.ts"
import * as Retry from "../Retry.ts"
import type * as Tool from "../Tool.ts"

/**
 * What is known of the handler's runs: how many began, and whether one may have written without saying so. Once it is
 * `abandoned`, because every caller left before the first run, none may begin.
 */
export interface Attempts {
  count: number
  uncertain: boolean
  abandoned: boolean
}

export interface Execution {
  readonly tool: Tool.Any
  readonly program: Program
  readonly principal: PrincipalData
  readonly input: object
  readonly correlationId: string
  /** What `Operation.idempotencyKey` is derived from: the write's key, or something unique for a read. */
  readonly key: string
  readonly attempts: Attempts
  readonly progress: ((progress: number, total?: number, message?: string) => Effect.Effect<void>) | undefined
}

/** Runs the handler. Each attempt passes the gate first, and counts from there on. */
export const execute = (
  execution: Execution,
  gate: Effect.Effect<void, TransientError>
): Effect.Effect<unknown, ConnectorError> => {
  const { tool, program, attempts } = execution
  const attempt = Effect.flatMap(gate, () => {
    // The interruption is on its way through the fibers in between.
    if (attempts.abandoned) return Effect.interrupt
    attempts.count++
    return Effect.tapCause(provided(execution, program.execute(execution.input)), (cause) =>
      Effect.sync(() => {
        attempts.uncertain ||= cause.reasons.some(isUncertain)
      })
    )
  })
  return within(tool, Retry.transient(attempt, tool.retry, { safe: isSafeToRepeat(tool), within: withinOf(tool) }))
}

/** Asks the handler of a tool that reconciles what an earlier attempt may have written. */
export const find = (execution: Execution): Effect.Effect<Option.Option<unknown>, ConnectorError> | undefined => {
  const { tool, program } = execution
  if (program.find === undefined) return undefined
  const search = provided(execution, program.find(execution.input))
  return within(tool, Retry.transient(search, tool.retry, { safe: true, within: withinOf(tool) }))
}

const isUncertain = (reason: Cause.Reason<ConnectorError>) =>
  reason._tag !== "Fail" || (reason.error._tag === "TransientError" && reason.error.applied === "unknown")

const isSafeToRepeat = (tool: Tool.Any) =>
  tool.kind === "read" || tool.idempotency.recovery === "repeatable" || tool.idempotency.recovery === "downstream-key"

/** A wait that would end with the timeout would turn what is known of the last attempt into a timeout. */
const withinOf = (tool: Tool.Any) => Duration.times(tool.timeout, 0.8)

const within = <A>(tool: Tool.Any, effect: Effect.Effect<A, ConnectorError>): Effect.Effect<A, ConnectorError> =>
  Effect.timeoutOrElse(effect, {
    duration: tool.timeout,
    orElse: () =>
      Effect.fail(
        new TransientError({
          message: `${tool.name} did not finish within ${Duration.format(tool.timeout)}`,
          applied: tool.kind === "read" ? "no" : "unknown"
        })
      )
  })

/** The caller's context wins over the services that the handlers' layer was built with, so that a span is this call's. */
const provided = <A>(
  execution: Execution,
  effect: Effect.Effect<A, ConnectorError>
): Effect.Effect<A, ConnectorError> =>
  Effect.updateContext(effect, (context: Context.Context<never>) =>
    Context.add(
      Context.add(Context.merge(execution.program.services, context), Principal, execution.principal),
      Operation,
      operationOf(execution)
    )
  )

const operationOf = (execution: Execution): Operation["Service"] => ({
  tool: execution.tool.name,
  correlationId: execution.correlationId,
  attempt: execution.attempts.count,
  idempotencyKey: (provider) => sha256(`${provider.length}:${provider}${execution.key}`),
  progress: execution.progress ?? noProgress
})

const noProgress = () => Effect.void
