/**
 * The five steps that every call runs, on every transport, in this order.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Connector from "./Connector.ts"
import { DefinitionError, type Refusal } from "./ConnectorError.ts"
import * as IdempotencyKey from "./IdempotencyKey.ts"
import { IdempotencyStore } from "./IdempotencyStore.ts"
import * as Admission from "./internal/admission.ts"
import * as ClientKey from "./internal/clientKey.ts"
import * as OperationStatus from "./internal/operationStatus.ts"
import * as Step from "./internal/step.ts"
import * as Surroundings from "./internal/surroundings.ts"
import { beforehand } from "./internal/verdict.ts"
import { validate } from "./pipeline/1_validate.ts"
import { authorize, decide } from "./pipeline/2_authorize.ts"
import * as Idempotency from "./pipeline/3_idempotency.ts"
import { execute, type Execution, find, unlimited } from "./pipeline/4_execute.ts"
import {
  answerRead,
  answerWrite,
  audited,
  auditAgain,
  type Completed,
  type Findings,
  refusalOf,
  type Replay,
  replayOf,
  report
} from "./pipeline/5_respond.ts"
import * as Policy from "./Policy.ts"
import type { PrincipalData } from "./Principal.ts"
import * as Scrubber from "./Scrubber.ts"
import type * as Tool from "./Tool.ts"

/**
 * A call as a transport hands it over. `idempotencyKey` is the client's own, when it has one. `callerToken` is the token
 * that proved the principal; no handler can reach it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly tool: string
  readonly arguments: unknown
  readonly principal: PrincipalData
  readonly callerToken?: Redacted.Redacted<string> | undefined
  readonly idempotencyKey?: string | undefined
  readonly progress?: ((progress: number, total?: number, message?: string) => Effect.Effect<void>) | undefined
}

/**
 * How a call ended. `NoSuchTool` also stands for a tool that is hidden from the caller. A refusal has a `replay` when it is
 * what is kept of an earlier call.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome =
  | Completed
  | {
      readonly _tag: "Refused"
      readonly refusal: Refusal
      readonly correlationId: string
      /** Names the operation of a write, once its key is known. */
      readonly reference: string | undefined
      readonly replay: Replay | undefined
    }
  | { readonly _tag: "NoSuchTool" }

/**
 * @category models
 * @since 0.1.0
 */
export type { Replay } from "./pipeline/5_respond.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Pipeline {
  /** Runs a call to its outcome. It never fails; what interrupts it leaves a write to finish on its own. */
  readonly call: (call: Call) => Effect.Effect<Outcome>
}

/**
 * Builds the pipeline of a connector over its handlers and, when it has a write, over the idempotency store.
 *
 * Fails when the store can't give what a tool's recovery asks of it: `"transactional"` needs one with transactions. Fails
 * too when a tool has a rate limit and there is no limiter.
 *
 * @category constructors
 * @since 0.1.0
 */
export function make<C extends Connector.Any>(
  connector: C
): Effect.Effect<Pipeline, DefinitionError, Connector.Requirements<C> | Scope.Scope>
// `any`: which services these are depends on the connector, and the signature above says it.
// oxlint-disable-next-line typescript/no-explicit-any
export function make(connector: Connector.Any): Effect.Effect<Pipeline, DefinitionError, any> {
  return Effect.gen(function* () {
    const programs = yield* connector.handlers
    const services = yield* Scrubber.guarded(Effect.context<never>())
    const tools = new Map<string, Tool.Any>(Connector.toolsOf(connector).map((tool) => [tool.name, tool]))
    const writes: ReadonlyArray<Tool.AnyWrite> = connector.tools.filter((tool: Tool.Any) => tool.kind === "write")
    const store = writes.length === 0 ? undefined : yield* storeFor(writes)
    const once: Idempotency.Once = store === undefined ? notDeclared : yield* Idempotency.make(store)
    const keys = new Map(writes.map((tool) => [tool.name, IdempotencyKey.derive(connector.name, tool)]))
    const admit = yield* Admission.make(connector)
    const { operationStatus } = connector
    const status = operationStatus && store && OperationStatus.program(store)

    const steps = (given: Given): Effect.Effect<Completed, Idempotency.Refused> => {
      const { call, findings, tool } = given
      const program = tool === operationStatus ? status : programs.get(tool.name)
      if (program === undefined) return Effect.die(new Error(`${tool.name} has no handler`))
      return Effect.flatMapEager(validate(tool, call.arguments), (input) => {
        findings.decision = "denied"
        return Effect.flatMapEager(authorize(tool, call.principal, input, services, findings), () => {
          findings.decision = "allowed"
          return tool.kind === "read" ? read(given, tool, program, input) : write(given, tool, program, input)
        })
      })
    }

    const read = ({ around, call, findings }: Given, tool: Tool.AnyRead, program: Connector.Program, input: object) => {
      const execution = executionOf(call, findings, tool, program, input, findings.correlationId, Step.inline)
      const begin = () => execute(execution, unlimited, around.context)
      const executed = admit(tool, call.principal, findings, around, begin)
      return Effect.flatMapEager(executed, (value) => answerRead(tool, value, around))
    }

    const write = (
      { around, call, findings, wait }: Given,
      tool: Tool.AnyWrite,
      program: Connector.Program,
      input: object
    ) =>
      Effect.flatMapEager(
        ClientKey.keysOf(keys.get(tool.name)!, tool, call.principal, input, call.idempotencyKey),
        ({ binding, key }) => {
          findings.reference = key.reference
          const { attempts } = findings
          const { principal } = call
          const { recovery, sharedWith } = tool.idempotency
          const step = recovery === "transactional" ? Step.inline : Step.make(once, tool, key, attempts)
          const execution = executionOf(call, findings, tool, program, input, key.key, step)
          const ended = (done: Idempotency.Done, around: Surroundings.Surroundings) => {
            findings.found = done.found === true
            findings.replay = replayOf(tool, key, input, done)
            return answerWrite(tool, done, findings.replay, around)
          }
          const perform = (isTold: boolean) => {
            const write: Idempotency.Write = {
              tool,
              key,
              binding,
              isTold,
              attempts,
              execute: (lease, around) =>
                admit(tool, principal, findings, around, () => execute(execution, lease, around.context)),
              find: find(execution),
              progress: execution.progress,
              onLeft: (exit) =>
                unheard(
                  findings,
                  Effect.withFiber(({ context }) =>
                    Effect.flatMapEager(exit, (done) => ended(done, Surroundings.of(context)))
                  )
                )
            }
            return Effect.flatMapEager(once(write, wait, around), (done) => ended(done, around))
          }
          // Asked before the store is.
          return sharedWith === undefined
            ? perform(true)
            : Effect.flatMapEager(decide(sharedWith, principal, input, services), ({ _tag }) =>
                perform(_tag === "Allowed")
              )
        }
      )

    const correlate = correlations()
    const run = (call: Call, wait: Idempotency.Wait, around: Surroundings.Surroundings): Effect.Effect<Outcome> => {
      const now = around.clock.currentTimeMillisUnsafe()
      const findings = begin(connector.name, call.principal, now, correlate())
      const tool = tools.get(call.tool)
      findings.tool = tool?.name
      findings.kind = tool?.kind
      if (tool === undefined || !Policy.isVisible(tool.allow, call.principal)) {
        findings.decision = tool === undefined ? "unknown-tool" : "hidden"
        findings.explanation = tool && Policy.explain(beforehand(tool.allow, call.principal))
        return audited(findings, { _tag: "NoSuchTool" }, "NoSuchTool", around)
      }
      const ended = orDefect(() => steps({ call, tool, findings, wait, around }))
      return Effect.matchCauseEffectEager(ended, {
        onSuccess: (completed) => audited(findings, completed, "Completed", around),
        onFailure: (cause) => refuse(tool.kind, findings, cause, around)
      })
    }
    return {
      call: (call) =>
        Effect.withFiber(({ context }) => {
          const guarded = Context.get(context, Scrubber.Scrubber).guard(context)
          const running = Effect.uninterruptibleMask((wait) => run(call, wait, Surroundings.of(guarded)))
          return guarded === context ? running : Effect.updateContext(running, () => guarded)
        })
    }
  })
}

/** Begins an effect now. What is thrown then is a defect of it. */
const orDefect = <A, E>(begin: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return begin()
  } catch (defect) {
    return Effect.die(defect)
  }
}

/** A call of a tool that its caller may see. `wait` makes a wait what interrupts the call. */
interface Given {
  readonly call: Call
  readonly tool: Tool.Any
  readonly findings: Findings
  readonly wait: Idempotency.Wait
  readonly around: Surroundings.Surroundings
}

const executionOf = (
  { callerToken, principal, progress }: Call,
  { attempts, correlationId }: Findings,
  tool: Tool.Any,
  program: Connector.Program,
  input: object,
  key: string,
  step: Execution["step"]
): Execution => ({
  tool,
  program,
  principal,
  callerToken,
  input,
  correlationId,
  key,
  attempts,
  step,
  progress: report(progress)
})

/** Ends a call that was refused. A caller who has left gets nothing, but leaves its record. */
const refuse = (
  kind: Tool.Any["kind"],
  findings: Findings,
  cause: Cause.Cause<Idempotency.Refused>,
  around: Surroundings.Surroundings
): Effect.Effect<Outcome> =>
  Effect.flatMap(refusalOf(kind, cause, findings.correlationId), (refusal) =>
    audited(
      findings,
      {
        _tag: "Refused",
        refusal,
        correlationId: findings.correlationId,
        reference: findings.reference,
        replay: findings.replay
      },
      Cause.hasInterruptsOnly(cause) ? "Interrupted" : refusal._tag,
      around
    )
  )

/** Leaves a record of how a write ended that went on without its caller. The call itself has its record. */
const unheard = (findings: Findings, answer: Effect.Effect<Completed, Idempotency.Refused>): Effect.Effect<void> =>
  Effect.matchCauseEffect(answer, {
    onSuccess: () => auditAgain(findings, "Completed"),
    onFailure: (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.flatMap(refusalOf("write", cause, findings.correlationId), ({ _tag }) => auditAgain(findings, _tag))
  })

/** The store, if it can give what the tools' recoveries ask of it. */
const storeFor = (writes: ReadonlyArray<Tool.AnyWrite>) =>
  Effect.flatMap(IdempotencyStore, (store) => {
    const faults = writes
      .filter(({ idempotency: { recovery } }) => recovery === "transactional" && store.transaction === undefined)
      .map(
        ({ name }) => `${name} is transactional, and its store has no transactions that the handler could take part in`
      )
    const advice = "give the connector a SqlIdempotencyStore on the handlers' database, or the tools another recovery"
    return faults.length === 0
      ? Effect.succeed(store)
      : Effect.fail(new DefinitionError({ subject: "The pipeline", faults: [...faults, advice] }))
  })

const notDeclared = () => Effect.die(new Error("A connector without writes has no idempotency store"))

/** One random name and a count, which tells calls apart as well as a name drawn for each of them. */
const correlations = (): (() => string) => {
  const name = globalThis.crypto.randomUUID().slice(0, 24)
  let count = 0
  return () => name + (++count).toString(16).padStart(12, "0")
}

const begin = (connector: string, principal: PrincipalData, time: number, correlationId: string): Findings => ({
  time,
  connector,
  correlationId,
  principal: principal.id,
  tenant: principal.tenant,
  tool: undefined,
  kind: undefined,
  decision: "invalid",
  explanation: undefined,
  reference: undefined,
  replay: undefined,
  found: false,
  admitted: false,
  attempts: { count: 0, steps: 0, uncertain: false, abandoned: false }
})
