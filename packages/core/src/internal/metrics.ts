/**
 * What is counted, by Effect's `Metric`:
 *
 * - `mcp.server.operation.duration`, a histogram in seconds of all calls, with the attributes of OpenTelemetry's conventions
 *   for MCP: `mcp.method.name`, `gen_ai.operation.name`, `gen_ai.tool.name`, and for a refusal its class as `error.type`;
 * - `ferrule.tool.replays`, `ferrule.tool.retries` and `ferrule.tool.limited`, by `gen_ai.tool.name`;
 * - `ferrule.audit.lost`: records that only the log has;
 * - `ferrule.upstream.transitions`: how often a circuit breaker came to a state, by `ferrule.upstream` and `ferrule.state`;
 * - `ferrule.upstream.duration`, a histogram in seconds of what was asked of upstreams, by `ferrule.upstream` and
 *   `error.type`.
 *
 * No attribute holds what a caller sends: a tool has a name here only where the connector has it. Each series is made once,
 * and to update it costs a fifth of a microsecond, whether or not somebody reads it.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import type { AuditRecord } from "../AuditTrail.ts"
import type { ConnectorError } from "../ConnectorError.ts"

const boundaries = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300]

interface ToolSeries {
  readonly durations: Map<string, Metric.Histogram<number>>
  readonly replays: Metric.Counter<number>
  readonly retries: Metric.Counter<number>
  readonly limited: Metric.Counter<number>
}

const byTool = new Map<string | undefined, ToolSeries>()

/** Counts a call that has ended. */
export const countCall = (record: AuditRecord, context: Context.Context<never>): void => {
  const { attempts, decision, duration, outcome, replayed, tool } = record
  let series = byTool.get(tool)
  if (series === undefined) byTool.set(tool, (series = toolSeries(tool)))
  let durations = series.durations.get(outcome)
  if (durations === undefined) series.durations.set(outcome, (durations = callDurations(tool, outcome)))
  durations.updateUnsafe(duration / 1000, context)
  if (replayed) series.replays.updateUnsafe(1, context)
  if (attempts > 1) series.retries.updateUnsafe(attempts - 1, context)
  if (decision === "limited") series.limited.updateUnsafe(1, context)
}

const toolSeries = (tool: string | undefined): ToolSeries => {
  const attributes = nameOf(tool)
  return {
    durations: new Map(),
    replays: counter("ferrule.tool.replays", "Writes that were answered by what an earlier call did.", attributes),
    retries: counter("ferrule.tool.retries", "Attempts after the first one.", attributes),
    limited: counter("ferrule.tool.limited", "Calls that a limit of their tool refused.", attributes)
  }
}

const callDurations = (tool: string | undefined, outcome: string) =>
  Metric.histogram("mcp.server.operation.duration", {
    description: "How long calls took, from when they came until they were answered.",
    boundaries,
    attributes: {
      // Effect's exporter takes the metric's unit from here.
      unit: "s",
      "mcp.method.name": "tools/call",
      "gen_ai.operation.name": "execute_tool",
      ...nameOf(tool),
      ...errorOf(outcome)
    }
  })

const nameOf = (tool: string | undefined): Metric.Metric.AttributeSet =>
  tool === undefined ? {} : { "gen_ai.tool.name": tool }

const errorOf = (outcome: string): Metric.Metric.AttributeSet => {
  if (outcome === "Completed") return {}
  // What the protocol answers, for a tool that there isn't or that is hidden.
  return outcome === "NoSuchTool"
    ? { "error.type": "-32602", "rpc.response.status_code": "-32602" }
    : { "error.type": outcome }
}

const counter = (name: string, description: string, attributes: Metric.Metric.AttributeSet = {}) =>
  Metric.counter(name, { description, attributes, incremental: true })

export const lostRecords = counter("ferrule.audit.lost", "Audit records that were not kept, and that only the log has.")

export const transitions = (upstream: string, state: string) =>
  counter("ferrule.upstream.transitions", "How often a circuit breaker came to a state.", {
    "ferrule.upstream": upstream,
    "ferrule.state": state
  })

const byUpstream = new Map<string, Map<string, Metric.Histogram<number>>>()

/** An author who puts values into a name does not get a series for each. */
const mostUpstreams = 100

/** Measures what is asked of an upstream, however it ends. */
export const timed =
  (upstream: string) =>
  <A, R>(self: Effect.Effect<A, ConnectorError, R>): Effect.Effect<A, ConnectorError, R> =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const start = clock.monotonicTimeNanosUnsafe()
      return Effect.onExit(self, (exit) =>
        Effect.sync(() => {
          const seconds = Number(clock.monotonicTimeNanosUnsafe() - start) / 1e9
          upstreamDurations(upstream, endOf(exit)).updateUnsafe(seconds, fiber.context)
        })
      )
    })

const upstreamDurations = (given: string, end: string): Metric.Histogram<number> => {
  const upstream = byUpstream.has(given) || byUpstream.size < mostUpstreams ? given : "_OTHER"
  let ends = byUpstream.get(upstream)
  if (ends === undefined) byUpstream.set(upstream, (ends = new Map()))
  let durations = ends.get(end)
  if (durations === undefined) {
    durations = Metric.histogram("ferrule.upstream.duration", {
      description: "How long upstreams took to answer, or to fail.",
      boundaries,
      attributes: { unit: "s", "ferrule.upstream": upstream, ...errorOf(end) }
    })
    ends.set(end, durations)
  }
  return durations
}

const endOf = (exit: Exit.Exit<unknown, ConnectorError>): string => {
  if (exit._tag === "Success") return "Completed"
  const [reason] = exit.cause.reasons
  if (reason?._tag === "Fail") return reason.error._tag
  return reason?._tag === "Interrupt" ? "Interrupted" : "_OTHER"
}
