/**
 * Probes of how a call ends before its time: the caller leaves, or the tool's timeout is over.
 */
import type * as Connector from "@ferrule/core/Connector"
import type * as Tool from "@ferrule/core/Tool"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type { Bench, Instance } from "../internal/Bench.ts"
import { call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { type Callable, callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { grantOf } from "../internal/tokenExchange.ts"
import { watchRuns } from "../internal/watchRuns.ts"
import { request } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

const timeout = Duration.millis(300)
/** What a busy machine may take beyond the timeout. */
const slack = Duration.seconds(2)

/** A tool that has no time, and is not tried again. */
const hurried = (tool: Tool.Any): Tool.Any => ({ ...tool, timeout, retry: Schedule.recurs(0) })

export const stopping: Probe = {
  info: {
    id: "H04",
    title: "A handler stops when its time is over, and a read when its caller leaves; nothing is written later",
    why: "A handler that goes on holds connections for nobody, and one that writes after the caller was told that it had not, or that it is not known, makes every retry a second write.",
    fix: "Let the handler be interrupted: pass the signal of Effect.tryPromise on, do not fork what outlives the call, and make nothing uninterruptible that waits.",
    severity: "block"
  },
  limit: 120,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    if (tools.length === 0) return { notApplicable: "None of the callers may call a tool." }
    const stood = yield* standStill(bench, tools)
    const hung = yield* hang(bench, tools)
    return {
      faults: [...stood.faults, ...hung.faults],
      note: `${stood.count} calls that were left or timed out, and ${hung.count} whose upstream never answers`,
      transcript: [...stood.transcript, ...hung.transcript]
    }
  })
}

/** Puts a handler that never ends in the place of each: what the pipeline does of itself. */
const standStill = Effect.fnUntraced(function* (bench: Bench, tools: ReadonlyArray<Callable>) {
  const begun: Array<string> = []
  const ended: Array<string> = []
  const never = (tool: Tool.Any, program: Connector.Program): Connector.Program => ({
    ...program,
    execute: () =>
      Effect.suspend(() => {
        begun.push(tool.name)
        return Effect.never
      }).pipe(Effect.ensuring(Effect.sync(() => ended.push(tool.name))))
  })
  const faults: Array<Fault> = []
  const transcript: Array<Exchange> = []
  const patient = yield* bench.start({ program: never })
  const reads = tools.filter(({ tool }) => tool.kind === "read")
  for (const { arguments: args, caller, era, tool } of reads) {
    const token = yield* patient.token(caller)
    const params = { name: tool.name, arguments: args }
    const leaving = yield* Effect.forkChild(patient.send(request({ era, method: "tools/call", params, token })))
    yield* until(() => begun.includes(tool.name))
    yield* Fiber.interrupt(leaving)
    if (!(yield* until(() => ended.includes(tool.name)))) {
      faults.push({ subject: tool.name, message: `goes on after its caller has left (${era})` })
    }
  }
  ended.length = 0
  const hasty = yield* bench.start({ program: never, tool: hurried })
  for (const { arguments: args, caller, era, tool } of tools) {
    const called = yield* call(yield* hasty.connect(caller, era), tool.name, args)
    const expected = tool.kind === "read" ? ["TransientError"] : ["TransientError", "OutcomeUnknown"]
    if (!expected.includes(called.error?.class ?? "")) {
      faults.push({
        subject: tool.name,
        message: `answers a timeout with ${outcomeOf(called)}`,
        evidence: cut(called.text)
      })
    }
    if (!(yield* until(() => ended.includes(tool.name)))) {
      faults.push({ subject: tool.name, message: "goes on after its timeout" })
    }
    if (transcript.length < 2) transcript.push(exchangeOf("its time is over", called))
  }
  return { faults, transcript, count: reads.length + tools.length }
})

/** Lets the real handlers wait for an upstream that never answers, until their time is over. */
const hang = Effect.fnUntraced(function* (bench: Bench, tools: ReadonlyArray<Callable>) {
  const waiting: Array<AbortSignal> = []
  const runs = watchRuns()
  const instance: Instance = yield* bench.start({
    tool: hurried,
    program: runs.program,
    // A token is fetched for all callers at once, and not given up with one of them. A rule is asked before the time begins.
    upstream: async (request, next) => {
      if (!runs.hasBegun() || (await grantOf(request)) !== undefined) return next()
      waiting.push(request.signal)
      return new Promise(() => undefined)
    }
  })
  const faults: Array<Fault> = []
  const transcript: Array<Exchange> = []
  let count = 0
  for (const { arguments: args, caller, era, tool } of tools) {
    const before = waiting.length
    runs.reset()
    const begun = yield* Clock.currentTimeMillis
    const called = yield* call(yield* instance.connect(caller, era), tool.name, args)
    const took = (yield* Clock.currentTimeMillis) - begun
    if (waiting.length === before) continue
    count++
    const sent = waiting.length
    if (transcript.length < 2) transcript.push(exchangeOf("its upstream never answers", called))
    const fault = (message: string) => faults.push({ subject: tool.name, message, evidence: cut(called.text) })
    if (took > Duration.toMillis(timeout) + Duration.toMillis(slack)) fault("is answered long after its timeout")
    yield* Effect.sleep("400 millis")
    if (waiting.slice(before).some((signal) => !signal.aborted)) fault("waits for its upstream after its timeout")
    if (waiting.length > sent) fault("sends requests upstream after its timeout")
  }
  return { faults, transcript, count }
})

/** Looks again for a while, since an interruption takes its way. */
const until = (isSo: () => boolean): Effect.Effect<boolean> =>
  Effect.suspend(() => (isSo() ? Effect.succeed(true) : Effect.as(Effect.sleep("10 millis"), false))).pipe(
    Effect.repeat({ until: (is) => is, times: 200 })
  )
