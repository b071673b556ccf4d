/**
 * Probes of what is refused: neither a token that is none nor an argument that is wrong is said back to anybody.
 */
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import { eras } from "../internal/Bench.ts"
import { call, cut } from "../internal/Call.ts"
import { callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { canary } from "../internal/leaks.ts"
import { answerOf, faultsIn, type Left, outputOf } from "../internal/left.ts"
import { tally } from "../internal/tally.ts"
import { exchange, request } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

export const malformedTokens: Probe = {
  info: {
    id: "D03",
    title: "A token that is none is refused without being repeated",
    why: "A token that is cut or pasted wrongly still holds most of a secret. An answer or a log that repeats it gives it to others.",
    fix: "Say of a token that it was not accepted, and log the reason without the value.",
    severity: "block",
    question: "credentials"
  },
  run: Effect.fnUntraced(function* (bench) {
    const one = callable(bench)[0]
    if (one === undefined) return { notApplicable: "None of the callers may call a tool." }
    const instance = yield* bench.start()
    const secret = canary("a malformed token")
    const good = yield* instance.token(one.caller)
    const safe = secret.value.replace(/["+/~]/g, "-")
    const token = { what: secret.what, value: safe }
    const [head, payload] = good.split(".")
    const headers = [
      `Bearer ${safe}`,
      `Bearer ${secret.value} ${safe}`,
      `Basic ${Buffer.from(`user:${safe}`).toString("base64")}`,
      `Bearer ${head}.${payload}.${safe}`,
      `Bearer ${Buffer.from(JSON.stringify({ alg: "ES256", kid: safe })).toString("base64url")}.${payload}.x`,
      `Bearer ${safe},Bearer ${good}`,
      `${safe}`,
      `Bearer ${safe.repeat(300)}`
    ]
    const left: Array<Left> = []
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    const subject = bench.connector.name
    const from = instance.output.length
    const executions = instance.executions.length
    for (const authorization of headers) {
      for (const era of eras) {
        const params = { name: one.tool.name, arguments: one.arguments }
        const answer = yield* instance.send(request({ era, method: "tools/call", params, headers: { authorization } }))
        left.push(answerOf(answer, subject))
        if (answer.status < 400) faults.push({ subject, message: `answers a malformed token with ${answer.status}` })
        if (transcript.length < 2) {
          transcript.push(exchange("a malformed token", `tools/call ${one.tool.name}`, answer))
        }
      }
    }
    left.push(...outputOf(instance, from, subject))
    faults.push(...faultsIn(left, [token, secret]))
    if (instance.executions.length > executions) {
      faults.push({ subject: one.tool.name, message: "its handler ran for a malformed token" })
    }
    return { faults: tally(faults), note: `${headers.length} malformed headers × ${eras.length} eras`, transcript }
  })
}

export const badArguments: Probe = {
  info: {
    id: "D04",
    title: "An argument that is refused is not repeated",
    why: "Models paste what they have into arguments, passwords as well. A refusal that repeats the value puts it into the transcript, the log and the trail.",
    fix: "Say in a check's message what is expected, and not what was given.",
    severity: "block",
    question: "credentials"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    if (tools.length === 0) return { notApplicable: "None of the callers may call a tool." }
    const instance = yield* bench.start()
    const secret = canary("a rejected argument")
    const left: Array<Left> = []
    const transcript: Array<Exchange> = []
    let count = 0
    for (const { arguments: args, caller, era, tool } of tools) {
      const client = yield* instance.connect(caller, era)
      for (const [what, given] of holdingValue(tool, args, secret.value)) {
        const from = instance.output.length
        const called = yield* call(client, tool.name, given)
        count++
        const text = `${called.text}\n${JSON.stringify(called.error ?? null)}`
        left.push({ way: "answer", subject: tool.name, text }, ...outputOf(instance, from, tool.name))
        if (transcript.length < 3) {
          transcript.push({
            what,
            sent: `${tool.name} with a secret in it`,
            answered: cut(called.text),
            millis: called.millis
          })
        }
      }
    }
    const executed = instance.executions.map(({ tool }) => ({
      subject: tool,
      message: "its handler ran with an argument that its schema refuses"
    }))
    return {
      faults: tally([...faultsIn(left, [secret]), ...executed]),
      note: `${count} calls with a secret in an argument that the schema refuses`,
      transcript
    }
  })
}

/** The valid arguments with the secret in one field, in each way that this tool refuses. */
const holdingValue = (tool: Tool.Any, args: Readonly<Record<string, unknown>>, secret: string) => {
  const values: ReadonlyArray<unknown> = [secret, secret.repeat(400), [secret], { value: secret }]
  const cases = [...tool.input.fields, "unknown_field"].flatMap((field) =>
    values.map((value) => [`${field} is wrong`, { ...args, [field]: value }] as const)
  )
  const isRefused = ([, given]: (typeof cases)[number]) => tool.input.decode(given)._tag === "Failure"
  // A key is repeated in the path of its fault, where a model needs it; what is secret is a value.
  return cases.filter(isRefused)
}
