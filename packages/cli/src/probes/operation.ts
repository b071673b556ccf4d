/**
 * Probes of what operators rely on: limits that hold, and a record of every call.
 */
import type { AuditRecord, Trail } from "@ferrule/core/AuditTrail"
import { AuditTrailError } from "@ferrule/core/AuditTrail"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Bench, Caller, Instance } from "../internal/Bench.ts"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { another, type Callable, callable, callableWrites } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { canary, leaksIn } from "../internal/leaks.ts"
import type { Exchange } from "../Report.ts"
import { isVisible } from "./access.ts"

/** So many executions are enough to see a limit hold, whatever it is declared to be. */
const most = 5

export const floods: Probe = {
  info: {
    id: "H05",
    title: "A caller who floods a tool is slowed down, and the others are served",
    why: "An agent in a loop calls as fast as it is answered. Without a limit for each caller it takes the upstream from everybody (MCP says that servers must limit rates).",
    fix: "Declare a rateLimit on the connector or the tool, and give its layers Effect's RateLimiter.",
    severity: "block"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const { connector } = bench
    const limited = callable(bench).filter(({ tool }) => (tool.rateLimit ?? connector.rateLimit) !== undefined)
    const unlimited = bench.connector.tools.filter(
      (tool: Tool.Any) => (tool.rateLimit ?? connector.rateLimit) === undefined
    ).length
    const undeclared: ReadonlyArray<Fault> =
      unlimited === 0
        ? []
        : [
            {
              subject: connector.name,
              message:
                limited.length === 0
                  ? "declares no rate limit: one caller may have its tools executed without end"
                  : `declares no rate limit for ${unlimited} of its tools`,
              severity: "warn"
            }
          ]
    const instance = yield* bench.start({
      tool: (tool) => {
        const rateLimit = tool.rateLimit ?? connector.rateLimit
        // Another attempt of a call that was let in is no other call.
        return {
          ...tool,
          retry: Schedule.recurs(0),
          rateLimit: rateLimit && { ...rateLimit, limit: Math.min(most, rateLimit.limit) }
        }
      }
    })
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    let count = 0
    for (const one of limited) {
      const { tool } = one
      const limit = Math.min(most, (tool.rateLimit ?? connector.rateLimit)!.limit)
      const before = instance.executions.length
      const flood = yield* callMany(instance.connect(one.caller, one.era), one, limit + 3)
      const executed = instance.executions.length - before
      const refused = flood.filter(({ error }) => error?.class === "TransientError" && error.retryAfterMs !== undefined)
      count += flood.length
      const evidence = flood.map(outcomeOf).join(", ")
      if (executed > limit) {
        faults.push({
          subject: tool.name,
          message: `was executed ${executed} times for one caller, and its limit is ${limit}`,
          evidence
        })
      } else if (refused.length === 0) {
        faults.push({
          subject: tool.name,
          message: "does not tell a caller over its limit when to come back",
          evidence
        })
      }
      const stranger = another(one.caller)
      const [other] = yield* callMany(instance.connect(stranger, one.era), { ...one, caller: stranger }, 1)
      if (instance.executions.length === before + executed) {
        faults.push({
          subject: tool.name,
          message: "keeps others waiting while one caller floods it",
          evidence: cut(other?.text ?? "")
        })
      }
      if (refused[0] !== undefined && transcript.length < 2) transcript.push(exchangeOf("over its limit", refused[0]))
    }
    return {
      faults: [...faults, ...undeclared],
      note: `${limited.length} tools with a limit${limited.length === 0 ? "" : `, brought down to ${most} at most, ${count} calls`}`,
      transcript
    }
  })
}

const callMany = <E, R>(
  connecting: Effect.Effect<Parameters<typeof call>[0], E, R>,
  { arguments: args, tool }: Callable,
  count: number
) =>
  Effect.flatMap(connecting, (client) =>
    // A key of its own makes each write an operation of its own.
    Effect.forEach(Array.from({ length: count }), (_, index) =>
      call(client, tool.name, args, { key: `flood-by-the-audit-${index}` })
    )
  )

interface Expected {
  readonly what: string
  readonly tool: string | undefined
  readonly caller: Caller
  readonly decision: AuditRecord["decision"]
  readonly called: Called
}

export const records: Probe = {
  info: {
    id: "H06",
    title: "Every call leaves one audit record, refusals included, without its arguments",
    why: "After an incident the question is who did what. A refusal that leaves no record hides an attack, and arguments in a record are personal data in a log.",
    fix: "Leave the records to Ferrule, and give it an AuditTrail that keeps them.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const expected: Array<Expected> = []
    const faults: Array<Fault> = []
    const secret = canary("an argument")
    const subject = bench.connector.name

    const expectRecord = Effect.fnUntraced(function* (
      what: string,
      {
        arguments: args,
        caller,
        era,
        tool
      }: Pick<Callable, "arguments" | "caller" | "era"> & { readonly tool: string },
      decision: AuditRecord["decision"]
    ) {
      const known = decision === "unknown-tool" ? undefined : tool
      const client = yield* instance.connect(caller, era)
      const before = instance.records.length
      const called = yield* call(client, tool, args)
      const made = instance.records.slice(before).filter(({ outcome }) => outcome !== "Begun")
      expected.push({ what, tool: known, caller, decision, called })
      const fault = (message: string): void =>
        void faults.push({ subject: known ?? subject, message: `${message}: ${what}`, evidence: JSON.stringify(made) })
      const [record] = made
      if (record === undefined) return fault("leaves no audit record of a call")
      if (made.length > 1) fault(`leaves ${made.length} audit records of one call`)
      const wrong = [
        ...(record.principal === caller.principal.id ? [] : ["principal"]),
        ...(record.tool === known ? [] : ["tool"]),
        ...(record.decision === decision ? [] : ["decision"]),
        ...(record.connector === subject ? [] : ["connector"]),
        ...(Number.isFinite(record.time) && record.time > 0 ? [] : ["time"]),
        ...(Number.isFinite(record.duration) && record.duration >= 0 ? [] : ["duration"]),
        ...(record.outcome.length > 0 ? [] : ["outcome"]),
        ...(record.kind === "write" && decision === "allowed" && record.reference === undefined ? ["reference"] : [])
      ]
      if (wrong.length > 0) fault(`has an audit record that is wrong in ${wrong.join(", ")}`)
    })

    for (const one of callable(bench)) {
      const { tool } = one
      const named = { ...one, tool: tool.name }
      yield* expectRecord("a call that is allowed", named, "allowed")
      if (tool.kind === "write") yield* expectRecord("the same call once more", named, "allowed")
      const args = { ...one.arguments, unknown_field: secret.value }
      yield* expectRecord("arguments that are wrong", { ...named, arguments: args }, "invalid")
    }
    for (const { arguments: args, caller, decision, tool } of yield* refusedCalls(bench, instance)) {
      yield* expectRecord(
        `as ${caller.name}`,
        { arguments: args, caller, era: "2026-07-28", tool: tool.name },
        decision
      )
    }
    const nobody = {
      arguments: {},
      caller: bench.callers[0]!,
      era: "2026-07-28" as const,
      tool: "there_is_no_such_tool"
    }
    yield* expectRecord("a tool that is not there", nobody, "unknown-tool")

    const written = instance.records.map((record) => JSON.stringify(record)).join("\n")
    if (leaksIn(written, [secret]).length > 0) {
      faults.push({ subject, message: "has an argument in its audit records" })
    }
    return {
      faults,
      note: `${expected.length} calls, a record of each`,
      transcript: expected.slice(0, 3).map(({ called, what }, index) => ({
        ...exchangeOf(what, called),
        answered: cut(JSON.stringify(instance.records[index] ?? null))
      }))
    }
  })
}

/** A call of each tool by someone whom its policy refuses. */
const refusedCalls = (bench: Bench, instance: Instance) =>
  Effect.map(
    Effect.forEach(bench.tools, (tool) =>
      Effect.forEach(bench.callers, (caller) =>
        Effect.map(instance.decide(tool, caller.principal, bench.argumentsOf(tool)), (decision) => ({
          caller,
          decision,
          tool
        }))
      )
    ),
    (all) =>
      all.flatMap((each) => {
        const refused = each.find(({ decision }) => decision._tag === "Denied")
        if (refused === undefined) return []
        const { caller, tool } = refused
        const decision = isVisible(tool, caller) ? ("denied" as const) : ("hidden" as const)
        return [{ caller, tool, decision, arguments: bench.argumentsOf(tool) }]
      })
  )

export const lostRecords: Probe = {
  info: {
    id: "H07",
    title: "When the audit trail is down, no call goes unrecorded in silence",
    why: "Whoever can fill the disk of the trail could otherwise do what leaves no trace.",
    fix: "Keep a logger in the connector's layers, and a trail over AuditSink with the policy that you want while it is down.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const one = callable(bench).find(({ tool }) => tool.kind === "read")
    const write = callableWrites(bench)[0]
    const tools = [one, write].filter((each) => each !== undefined)
    if (tools.length === 0) return { notApplicable: "None of the callers may call a tool." }
    let begins = false
    const instance = yield* bench.start({
      trail: (trail) => {
        begins = trail.begin !== undefined
        return failing(trail)
      }
    })
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const { arguments: args, caller, era, tool } of tools) {
      const [executions, output] = [instance.executions.length, instance.output.length]
      const called = yield* call(yield* instance.connect(caller, era), tool.name, args)
      transcript.push(exchangeOf("its trail is down", called))
      const logged = instance.output.slice(output).filter(({ way }) => way !== "audit record" && way !== "span")
      const executed = instance.executions.length > executions
      const isSaid = logged.some(({ text }) => text.includes(caller.principal.id) && text.includes(tool.name))
      if (executed && !isSaid) {
        faults.push({
          subject: tool.name,
          message: "runs while the trail is down, and leaves its record in no log either"
        })
      }
      if (tool.kind === "write" && begins && executed) {
        faults.push({ subject: tool.name, message: "writes while the trail can't keep that it begins" })
      }
    }
    const policy = begins
      ? "the trail refuses writes while it is down"
      : "the trail lets writes go on, and the log has their records"
    return { faults, note: `${tools.length} calls; ${policy}`, transcript }
  })
}

const failing = (trail: Trail): Trail => {
  const fail = Effect.fail(new AuditTrailError({ reason: "The disk is full" }))
  return { record: () => fail, ...(trail.begin && { begin: () => fail }) }
}
