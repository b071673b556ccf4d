/**
 * What stands between a claim and its execution: the tool's limits, and for a write the trail that has to know of it first.
 *
 * The rate comes before the turn, so that one caller can't fill the line for the others, and the trail comes last, so that
 * it holds no write that was refused. Whatever refuses here, the handler has not been reached.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as EffectRateLimiter from "effect/persistence/RateLimiter"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Connector from "../Connector.ts"
import { type ConnectorError, DefinitionError, TransientError } from "../ConnectorError.ts"
import type { Declared } from "../Limits.ts"
import { type Findings, recordOf } from "../pipeline/5_respond.ts"
import type { PrincipalData } from "../Principal.ts"
import type * as Tool from "../Tool.ts"
import { inTime } from "./boundedStore.ts"
import { sha256 } from "./sha256.ts"
import type { Surroundings } from "./surroundings.ts"

/** Begins an execution when the limits of its tool let it: now, where none keeps it waiting. */
export type Admit = <A>(
  tool: Tool.Any,
  principal: PrincipalData,
  findings: Findings,
  around: Surroundings,
  begin: () => Effect.Effect<A, ConnectorError>
) => Effect.Effect<A, ConnectorError>

type Gate = <A>(
  principal: PrincipalData,
  findings: Findings,
  execution: Effect.Effect<A, ConnectorError>
) => Effect.Effect<A, ConnectorError>

// The literal has the type of the module's own constant, which would load the limiter for those that have no limit.
const typeId: typeof EffectRateLimiter.TypeId = "~effect/persistence/RateLimiter"
const RateLimiter = Context.Service<EffectRateLimiter.RateLimiter>(typeId)

/** Fails when a tool has a rate limit and nothing counts. */
export const make = Effect.fnUntraced(function* (connector: Connector.Any): Effect.fn.Return<Admit, DefinitionError> {
  const limiter = yield* Effect.serviceOption(RateLimiter)
  const gates = new Map<string, Gate>()
  for (const tool of Connector.toolsOf(connector)) {
    const rate = tool.rateLimit ?? connector.rateLimit
    if (rate !== undefined && Option.isNone(limiter)) {
      const advice =
        "give the connector RateLimiter.layer of effect/persistence, over its layerStoreMemory or layerStoreRedis"
      return yield* new DefinitionError({
        subject: "The pipeline",
        faults: [`${tool.name} has a rate limit, and nothing counts its calls`, advice]
      })
    }
    const inTurn = tool.concurrency && turns(tool.name, tool.concurrency)
    const inRate = rate && Option.isSome(limiter) ? rates(limiter.value, connector.name, tool.name, rate) : undefined
    if (inTurn === undefined && inRate === undefined) continue
    gates.set(tool.name, (principal, findings, execution) => {
      const turn = inTurn === undefined ? execution : inTurn(findings, execution)
      // Another transaction of a write that was let in is not another execution.
      return inRate === undefined || findings.admitted ? turn : Effect.andThen(inRate(principal, findings), turn)
    })
  }
  return (tool, principal, findings, around, begin) => {
    const gate = gates.get(tool.name)
    const recorded = tool.kind === "write" ? () => beginRecorded(findings, around, begin) : begin
    return gate === undefined ? recorded() : gate(principal, findings, Effect.suspend(recorded))
  }
})

/** A write whose beginning can't be kept does not begin. */
const beginRecorded = <A>(
  findings: Findings,
  around: Surroundings,
  begin: () => Effect.Effect<A, ConnectorError>
): Effect.Effect<A, ConnectorError> => {
  const { trail } = around
  const isKnown = findings.admitted
  findings.admitted = true
  if (trail.begin === undefined || isKnown) return begin()
  return Effect.matchCauseEffect(trail.begin(recordOf(findings, "Begun", around)), {
    onSuccess: begin,
    onFailure: (cause) => {
      findings.admitted = false
      return Effect.andThen(
        Effect.logError("A write was not begun, since its audit record could not be kept", cause),
        Effect.fail(
          new TransientError({
            message: "The connector can't keep its audit trail, so this call executed nothing",
            retryAfter: Duration.seconds(1),
            applied: "no"
          })
        )
      )
    }
  })
}

/** How long an answer of the limiter is waited for. */
const patience = Duration.seconds(2)

const rates =
  (
    limiter: EffectRateLimiter.RateLimiter,
    connector: string,
    tool: string,
    { limit, whenUnavailable, window }: NonNullable<Declared["rateLimit"]>
  ) =>
  ({ id, tenant }: PrincipalData, findings: Findings): Effect.Effect<unknown, TransientError> =>
    // A name that can't be mistaken for another's, and that tells the limiter's server nothing of who calls.
    Effect.flatMap(sha256(JSON.stringify([connector, tool, tenant ?? null, id])), (key) =>
      Effect.catch(Effect.interruptible(inTime(limiter.consume({ key, limit, window }), patience)), (error) => {
        if (error._tag === "RateLimiterError" && error.reason._tag === "RateLimitExceeded") {
          const most = `${limit} ${limit === 1 ? "call" : "calls"} in ${Duration.format(window)}`
          return refuse(findings, `${tool} is limited to ${most} for each caller`, error.reason.retryAfter)
        }
        const isAllowed = whenUnavailable === "allow"
        return Effect.andThen(
          Effect.logError(
            `The rate limiter failed, and a call of ${tool} was ${isAllowed ? "allowed" : "refused"}`,
            error
          ),
          isAllowed
            ? Effect.void
            : refuse(findings, "The connector can't tell how often it was called, so this call executed nothing")
        )
      })
    )

const turns = (tool: string, { limit, wait }: NonNullable<Declared["concurrency"]>) => {
  const turns = Semaphore.makeUnsafe(limit)
  const busy = `${tool} is busy: it runs at most ${limit} at once`
  return <A>(findings: Findings, execution: Effect.Effect<A, ConnectorError>): Effect.Effect<A, ConnectorError> =>
    Effect.flatMap(turns.withPermitsIfAvailable(1)(execution), (done) => {
      if (Option.isSome(done)) return Effect.succeed(done.value)
      if (Duration.isZero(wait)) return refuse(findings, busy)
      return Effect.scopedWith((scope) =>
        // A turn that comes as the wait ends belongs to the scope all the same, and goes back with it.
        Effect.flatMap(
          Effect.interruptible(Effect.timeoutOption(Scope.provide(turns.takeScoped(1), scope), wait)),
          (turn) => (Option.isSome(turn) ? execution : refuse(findings, busy))
        )
      )
    })
}

const refuse = (findings: Findings, message: string, retryAfter: Duration.Duration = Duration.seconds(1)) =>
  Effect.suspend(() => {
    findings.decision = "limited"
    return Effect.fail(new TransientError({ message, retryAfter, applied: "no" }))
  })
