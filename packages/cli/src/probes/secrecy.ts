/**
 * Probes of what gets out: secrets are planted wherever a connector meets one, and looked for on every way out, in every
 * form that programs write them in.
 */
import type * as Connector from "@ferrule/core/Connector"
import { TransientError, ValidationError } from "@ferrule/core/ConnectorError"
import * as Scrubber from "@ferrule/core/Scrubber"
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { Instance, Secret } from "../internal/Bench.ts"
import { type Callable, callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { canary } from "../internal/leaks.ts"
import { answerOf, faultsIn, type Left, outputOf } from "../internal/left.ts"
import { tally } from "../internal/tally.ts"
import { exchange, request } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

/** Calls the tools one after the other by what is on the wire, and gives all that left. */
const leftBy = Effect.fnUntraced(function* (
  instance: Instance,
  tools: ReadonlyArray<Callable>,
  transcript: Array<Exchange>,
  what: string
) {
  const left: Array<Left> = []
  for (const { arguments: args, caller, era, tool } of tools) {
    const from = instance.output.length
    const token = yield* instance.token(caller)
    const params = { name: tool.name, arguments: args, _meta: { progressToken: 1 } }
    const answer = yield* instance.send(request({ era, method: "tools/call", params, token }))
    left.push(answerOf(answer, tool.name), ...outputOf(instance, from, tool.name))
    if (transcript.length < 4) {
      transcript.push(exchange(what, `tools/call ${tool.name}`, answer))
    }
  }
  return left
})

const hurried = (tool: Tool.Any): Tool.Any => ({ ...tool, retry: Schedule.recurs(0) })

export const everyWayOut: Probe = {
  info: {
    id: "D01",
    title: "No secret that the connector meets gets out",
    why: "What is in an answer is in a model's context, in its provider's logs and in whatever it writes next. What is in a log is with everybody who may read logs.",
    fix: "Hold secrets as Redacted by a Credential, send them with UpstreamClient, and give failures their class with Upstream instead of passing texts on.",
    severity: "block",
    question: "credentials"
  },
  limit: 120,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    if (tools.length === 0) return { notApplicable: "None of the callers may call a tool." }
    const environment = canary("a value of the environment")
    const [header, body] = [canary("a header of an upstream's answer"), canary("an upstream's error body")]
    const held = canary("a credential in use")
    yield* Effect.acquireRelease(
      Effect.sync(() => void (process.env["FERRULE_AUDIT_CANARY"] = environment.value)),
      () => Effect.sync(() => void delete process.env["FERRULE_AUDIT_CANARY"])
    )
    const transcript: Array<Exchange> = []
    let count = 0

    const plain = yield* bench.start()
    const plainly = yield* leftBy(plain, tools, transcript, "as it is")
    const faults = [...faultsIn(plainly, [environment, ...plain.secrets()])]
    count += plainly.length

    const { value } = body
    for (const status of [400, 401, 500]) {
      const instance = yield* bench.start({
        tool: hurried,
        upstream: async () =>
          new Response(JSON.stringify({ error: value, message: `at ${value}`, nested: { token: value } }), {
            status,
            headers: {
              "content-type": "application/json",
              "www-authenticate": `Bearer realm="${header.value.replaceAll('"', "'")}"`,
              "x-api-key": header.value,
              "set-cookie": `session=${header.value}`
            }
          })
      })
      const left = yield* leftBy(instance, tools, transcript, `its upstream answers ${status}`)
      count += left.length
      faults.push(
        ...faultsIn(left, [environment, header, body, ...instance.secrets()], ` when its upstream answers ${status}`)
      )
    }

    for (const [what, fail] of failures(held.value)) {
      const instance = yield* bench.start({ tool: hurried, program: holding(held, fail) })
      const left = yield* leftBy(instance, tools, transcript, what)
      count += left.length
      faults.push(...faultsIn(left, [environment, held, ...instance.secrets()], ` when ${what}`))
    }
    return {
      faults: tally(faults),
      note: `${tools.length} tools in ${4 + failures("").length} situations; ${count} texts searched for 4 planted secrets and those in use, in 9 forms`,
      transcript
    }
  })
}

type Fail = Connector.Program["execute"]

/** A handler that has a live secret, and says it wherever it can. */
const holding =
  (secret: Secret, fail: Fail) =>
  (_: Tool.Any, program: Connector.Program): Connector.Program => ({
    ...program,
    execute: (input) =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* Scrubber.watch(Redacted.make(secret.value))
          yield* Effect.logWarning(`asking with ${secret.value}`, { headers: { authorization: secret.value } })
          yield* Effect.annotateCurrentSpan("authorization", secret.value)
          return yield* Effect.withSpan(fail(input), `ask?key=${secret.value}`)
        })
      )
  })

const failures = (secret: string): ReadonlyArray<readonly [what: string, fail: Fail]> => [
  [
    "its handler says a credential in a transient error",
    () => Effect.fail(new TransientError({ message: `Could not ask with ${secret}`, applied: "no" }))
  ],
  [
    "its handler says a credential in a validation error",
    () => Effect.fail(ValidationError.at("", `is refused by https://user:${encodeURIComponent(secret)}@example.com`))
  ],
  ["its handler dies with a credential in the message, the cause and the stack", () => Effect.die(defectOf(secret))]
]

const defectOf = (secret: string) => {
  const basic = Buffer.from(`user:${secret}`).toString("base64")
  const error = new Error(`connect with ${secret}`, { cause: new TypeError(`Basic ${basic}`) })
  error.stack = `Error: ${JSON.stringify({ secret })}\n    at ask (/srv/${Buffer.from(secret).toString("hex")}.ts:1:1)`
  return Object.assign(error, { response: { headers: { authorization: secret } } })
}

export const badEnds: Probe = {
  info: {
    id: "D02",
    title: "No secret gets out when a call crashes, times out or is left",
    why: "What is rarely run is rarely read: the finalizer that logs its connection string, the timeout that says what it waited for.",
    fix: "Say in finalizers and errors what was going on, and not with which credential.",
    severity: "block",
    question: "credentials"
  },
  limit: 120,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    if (tools.length === 0) return { notApplicable: "None of the callers may call a tool." }
    const held = canary("a credential in use")
    const transcript: Array<Exchange> = []
    const faults: Array<Fault> = []
    const quick = (tool: Tool.Any): Tool.Any => ({ ...hurried(tool), timeout: Duration.millis(250) })
    const never = () => new Promise<Response>(() => undefined)
    const ends = [
      [
        "its upstream breaks the connection",
        { tool: hurried, upstream: () => Promise.reject(new TypeError("fetch failed")) }
      ],
      ["its upstream never answers", { tool: quick, upstream: never }],
      [
        "its handler never ends",
        {
          tool: quick,
          program: holding(held, () =>
            Effect.onInterrupt(Effect.never, () => Effect.logWarning(`stopped asking with ${held.value}`))
          )
        }
      ],
      [
        "its handler throws",
        {
          tool: hurried,
          program: holding(held, () =>
            Effect.sync(() => {
              throw defectOf(held.value)
            })
          )
        }
      ]
    ] as const
    for (const [what, options] of ends) {
      const instance = yield* bench.start(options)
      const left = yield* leftBy(instance, tools, transcript, what)
      faults.push(...faultsIn(left, [held, ...instance.secrets()], ` when ${what}`))
    }
    // A write goes on when its caller has left, until its time is over.
    const instance = yield* bench.start({ tool: quick, upstream: never })
    const from = instance.output.length
    for (const { arguments: args, caller, era, tool } of tools) {
      const client = yield* instance.connect(caller, era)
      const left = yield* Effect.promise(() =>
        client
          .callTool({ name: tool.name, arguments: { ...args } }, { signal: AbortSignal.timeout(100) })
          .then((answer) => JSON.stringify(answer), String)
      )
      faults.push(
        ...faultsIn([{ way: "answer", text: left, subject: tool.name }], instance.secrets(), " when it is left")
      )
    }
    faults.push(...faultsIn(outputOf(instance, from, bench.connector.name), instance.secrets(), " when a call is left"))
    return {
      faults: tally(faults),
      note: `${tools.length} tools that end in ${ends.length + 1} bad ways`,
      transcript
    }
  })
}
