/**
 * Probes of what a caller is told when a call can't be done: which class it is, what to do next, and nothing that is not
 * the model's to know.
 */
import type * as Connector from "@ferrule/core/Connector"
import { AuthorizationError, type ConnectorError, TransientError, ValidationError } from "@ferrule/core/ConnectorError"
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Instance } from "../internal/Bench.ts"
import { type BadArguments, badArguments } from "../internal/badArguments.ts"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { type Callable, callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { tally } from "../internal/tally.ts"
import { watchClaims } from "../internal/watchClaims.ts"
import { listOf } from "./access.ts"

export const badArgumentsAreNamed: Probe = {
  info: {
    id: "E01",
    title: "Bad arguments are refused by name before anything has run",
    why: "A model mends what it is told of: the argument, what is wrong with it and what would do. An error that names one fault of two, or none, costs a call for each guess, and a handler that sees bad arguments may act on them.",
    fix: "State every rule in the tool's input schema, and let Ferrule refuse what breaks it.",
    severity: "block",
    question: "errors"
  },
  limit: 120,
  run: Effect.fnUntraced(function* (bench) {
    const { keys: claims, store } = watchClaims()
    const instance = yield* bench.start({ store })
    const tools = callable(bench)
    const seen = yield* Effect.forEach(
      tools,
      Effect.fnUntraced(function* ({ arguments: valid, caller, era, tool }) {
        const client = yield* instance.connect(caller, era)
        return yield* Effect.forEach(badArguments(tool.input.jsonSchema, valid), (bad) =>
          Effect.map(call(client, tool.name, bad.arguments), (called) => ({ bad, called }))
        )
      }),
      { concurrency: 4 }
    )
    const cases = seen.flat()
    const ran = instance.executions.map(({ tool }) => ({
      subject: tool,
      message: "runs its handler with arguments that its schema refuses"
    }))
    const claimed =
      claims.length === 0
        ? []
        : [{ subject: bench.connector.name, message: `lets bad arguments consume ${claims.length} idempotency keys` }]
    return {
      faults: tally([...cases.flatMap(({ bad, called }) => faultsOf(bad, called)), ...ran, ...claimed]),
      note: `${cases.length} cases over ${tools.length} tools`,
      transcript: telling(cases).map(({ bad, called }) => exchangeOf(bad.what, called))
    }
  })
}

const faultsOf = ({ marks, paths, what }: BadArguments, called: Called): ReadonlyArray<Fault> => {
  const { error, text, tool } = called
  const fault = (message: string): Fault => ({ subject: tool, message, evidence: `${what}\n${cut(text)}` })
  if (!called.isError) return [fault("accepts arguments that its schema refuses")]
  if (error?.class !== "ValidationError") return [fault(`answers bad arguments with ${outcomeOf(called)}`)]
  const issues = error.issues ?? []
  return paths
    .flatMap((path) => {
      const named = issues.filter((issue) => isAt(issue.path, path))
      if (named.length === 0 || !named.some((issue) => text.includes(issue.path))) {
        return [fault("does not name every argument that is wrong")]
      }
      return named.every(({ expected, message }) => `${expected}${message}`.trim() === "")
        ? [fault("does not say what it expects")]
        : []
    })
    .concat(marks.some((mark) => saysBack(called, mark)) ? [fault("says a rejected value back")] : [])
}

const isAt = (found: string, path: string) =>
  found === path || found.startsWith(`${path}.`) || found.startsWith(`${path}[`)

const saysBack = ({ error, text }: Called, mark: string) => `${text}${JSON.stringify(error)}`.includes(mark)

/** One of each kind of tool and fault is enough for a reader. */
const telling = <A extends { readonly bad: BadArguments }>(cases: ReadonlyArray<A>): ReadonlyArray<A> => {
  const kinds = Map.groupBy(cases, ({ bad }) => (bad.paths.length > 1 ? "two" : bad.what.replace(/^[^:]*: /, "")))
  return Array.from(kinds.values(), ([first]) => first!)
}

export const unknownTools: Probe = {
  info: {
    id: "E02",
    title: "A tool that is not there, and one that is hidden, get the same refusal",
    why: "The protocol has a code for it (-32602). A refusal that differs tells callers which tools exist that they may not see.",
    fix: "Serve the connector with Ferrule's own transport; a proxy before it must pass JSON-RPC errors through.",
    severity: "block",
    question: "errors"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const absent = "there_is_no_such_tool"
    const seen = yield* Effect.forEach(
      bench.callers,
      Effect.fnUntraced(function* (caller) {
        const client = yield* instance.connect(caller, "2026-07-28")
        const listed = (yield* listOf(instance, caller, "2026-07-28")).tools.map(({ name }) => name)
        const hidden = bench.tools.filter(({ name }) => !listed.includes(name))
        const none = yield* call(client, absent, {})
        const refused = yield* Effect.forEach(hidden, (tool) => call(client, tool.name, bench.argumentsOf(tool)))
        return [none, ...refused].map((called) => ({ caller, called, same: told(called) === told(none) }))
      }),
      { concurrency: 4 }
    )
    const cases = seen.flat()
    return {
      faults: tally(
        cases.flatMap(({ called, caller, same }): ReadonlyArray<Fault> => {
          const evidence = `as ${caller.name}: ${cut(called.text)}`
          if (called.refused?.code !== -32602) {
            const message = `is not there for this caller, and answers with ${outcomeOf(called)} instead of -32602`
            return [{ subject: called.tool, message, evidence }]
          }
          return same
            ? []
            : [{ subject: called.tool, message: "is hidden, and its refusal tells that it exists", evidence }]
        })
      ),
      note: `${cases.length} calls as ${bench.callers.length} callers`,
      transcript: cases.slice(0, 3).map(({ called, caller }) => exchangeOf(`as ${caller.name}`, called))
    }
  })
}

/** What is said, without the name that the caller has given. */
const told = ({ refused, tool }: Called) => `${refused?.code} ${refused?.message.replaceAll(tool, "<tool>")}`

const secretOfDefect = "defect-7f3a9 in /srv/connector/secret.ts:12:7 at Object.<anonymous>"

export const defects: Probe = {
  info: {
    id: "E04",
    title: "A handler that dies is answered with a reference, and its cause is in the log alone",
    why: "An exception's text holds paths, queries, hosts and at times a password. The caller needs a reference that the operators find again, and nothing else.",
    fix: "Let defects reach Ferrule, which answers them, and keep a logger in the connector's layers.",
    severity: "block",
    question: "errors"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start({ program: ending(() => Effect.die(new Error(secretOfDefect))) })
    const seen = yield* callEach(callable(bench), instance)
    return {
      faults: seen.flatMap((called) => {
        const { error, text, tool } = called
        const fault = (message: string): ReadonlyArray<Fault> => [{ subject: tool, message, evidence: cut(text) }]
        if (error?.class !== "Internal") return fault(`answers a defect with ${outcomeOf(called)} instead of Internal`)
        if (/7f3a9|\/srv\/|\bat .*:\d+:\d+|\.ts\b/.test(`${text}${JSON.stringify(error)}`)) {
          return fault("tells the caller details of a defect")
        }
        const { correlationId } = error
        if (correlationId === undefined || !text.includes(correlationId)) return fault("gives no reference of a defect")
        const isLogged = instance.output.some(
          ({ text }) => text.includes(correlationId) && text.includes("defect-7f3a9")
        )
        return isLogged ? [] : fault("leaves the cause of a defect in no log, under the reference that it gives")
      }),
      note: `${seen.length} defects`,
      transcript: seen.slice(0, 2).map((called) => exchangeOf("its handler dies", called))
    }
  })
}

/** What an error may cost in a model's context. */
const maxTokens = 1500

export const sizeAndAdvice: Probe = {
  info: {
    id: "E05",
    title: `Each error has a known class, advice that fits it, and at most ${maxTokens} tokens`,
    why: "A client goes by the class: it repeats what is transient and nothing else. An error that is too long pushes the task out of the model's context.",
    fix: "Fail with the three classes of @ferrule/core alone, and with a message of one sentence.",
    severity: "block",
    question: "errors"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    const seen = yield* Effect.forEach(
      failures,
      Effect.fnUntraced(function* ([what, failure]) {
        const instance = yield* bench.start({ program: ending(failure) })
        return (yield* callEach(tools, instance)).map((called) => ({ what, called }))
      })
    )
    const instance = yield* bench.start()
    const worst = tools.map((one) => ({ ...one, arguments: everythingWrong(one) }))
    const wrong = (yield* callEach(worst, instance)).map((called) => ({ what: "every argument is wrong", called }))
    const crowded = tools.map((one) => ({ ...one, arguments: manyFields }))
    const many = (yield* callEach(crowded, instance)).map((called) => ({ what: tooMany, called }))
    const cases = [...seen.flat(), ...wrong, ...many]
    return {
      faults: tally(cases.flatMap(({ called, what }) => advice(what, called))),
      note: `${cases.length} errors, the longest of ${Math.max(0, ...cases.map(({ called }) => tokensOf(called)))} tokens`,
      transcript: cases
        .filter(({ called }) => called.tool === tools[0]?.tool.name)
        .map(({ called, what }) => exchangeOf(what, called))
    }
  })
}

/** More than a caller gets wrong by itself, so that an error which grows with them is seen. */
export const manyFields = Object.fromEntries(
  Array.from({ length: 200 }, (_, index) => [`field_that_no_schema_has_${index}`, 0])
)
export const tooMany = "200 fields too many"

type Failure = (tool: Tool.Any) => Effect.Effect<never, ConnectorError>

const failures: ReadonlyArray<readonly [what: string, failure: Failure]> = [
  ["its upstream refuses the arguments", () => Effect.fail(ValidationError.at("", "are refused by the upstream"))],
  ["its upstream refuses the caller", () => Effect.fail(new AuthorizationError({ message: "The upstream refused." }))],
  ["its upstream is busy", (tool) => Effect.fail(busy(tool))],
  ["its handler dies", () => Effect.die(new Error("defect"))]
]

/** For longer than the connector would wait itself. */
const busy = ({ timeout }: Tool.Any) =>
  new TransientError({
    message: "The upstream is busy",
    applied: "no",
    retryAfter: Duration.sum(timeout, Duration.minutes(1))
  })

/** What each class asks of a client. */
const actions: Readonly<Record<string, string>> = {
  ValidationError: "fix-arguments",
  AuthorizationError: "stop",
  TransientError: "retry",
  OutcomeUnknown: "check",
  ResultUnavailable: "done",
  Internal: "stop"
}

/** What is wrong with an error as such, whatever it is an error of. */
export const advice = (what: string, called: Called): ReadonlyArray<Fault> => {
  const { error, text, tool } = called
  const fault = (message: string): ReadonlyArray<Fault> => [
    { subject: tool, message, evidence: `${what}\n${cut(text)}` }
  ]
  const tokens = tokensOf(called)
  const long = tokens > maxTokens ? fault(`takes ${tokens} tokens to say what is wrong`) : []
  if (error === undefined) return [...long, ...fault(`answers with ${outcomeOf(called)}, which has no class`)]
  const action = actions[error.class]
  if (action === undefined)
    return [...long, ...fault(`has an error of the class ${error.class}, which no client knows`)]
  if (error.action !== action) return [...long, ...fault(`advises ${error.action ?? "nothing"} for ${error.class}`)]
  return text.includes(error.class) ? long : [...long, ...fault("names the class in its data and not in its text")]
}

/** What a text is likely to take in a model's context. */
export const tokensOf = ({ text }: Called) => Math.ceil(text.length / 3.5)

/** Each argument of another type than any it can have, and one too many. */
const everythingWrong = ({ tool }: Callable) =>
  Object.fromEntries([...tool.input.fields, "unknown_field"].map((name) => [name, { wrong: [null] }]))

/** Lets every handler end in this way. */
const ending =
  (failure: Failure) =>
  (tool: Tool.Any, program: Connector.Program): Connector.Program => ({ ...program, execute: () => failure(tool) })

const callEach = Effect.fnUntraced(function* (tools: ReadonlyArray<Callable>, instance: Instance) {
  return yield* Effect.forEach(
    tools,
    Effect.fnUntraced(function* ({ arguments: args, caller, era, tool }) {
      return yield* call(yield* instance.connect(caller, era), tool.name, args)
    }),
    { concurrency: 4 }
  )
})
