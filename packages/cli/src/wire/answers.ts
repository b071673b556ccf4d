/**
 * What callers are told when a call can't be done, as far as that can be provoked from outside.
 */
import * as Effect from "effect/Effect"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import type { Fault, Outcome, WireProbe } from "../internal/Check.ts"
import { isRead, type JsonSchema, type SubjectTool } from "../internal/Subject.ts"
import { tally } from "../internal/tally.ts"
import { validatorOf } from "../internal/validator.ts"
import type { WireTarget } from "../internal/WireTarget.ts"
import {
  advice,
  badArgumentsAreNamed,
  manyFields,
  sizeAndAdvice as inside,
  tokensOf,
  tooMany,
  unknownTools
} from "../probes/errors.ts"

export const badArguments: WireProbe = {
  info: badArgumentsAreNamed.info,
  limit: 120,
  run: Effect.fnUntraced(function* (wire) {
    const tools = triedOf(wire)
    if (tools.length === 0) return noneTried
    const client = yield* wire.connect()
    const cases = (yield* Effect.forEach(tools, (tool) =>
      Effect.forEach(wrong(tool), (bad) =>
        Effect.map(call(client, tool.name, bad.arguments), (called) => ({ bad, called }))
      )
    )).flat()
    if (cases.length === 0) return noneRefused
    return {
      faults: tally(cases.flatMap(({ bad, called }) => faultsOf(bad, called))),
      note: `${cases.length} cases over ${tools.length} tools${leftAlone(wire)}`,
      transcript: cases.slice(0, 6).map(({ bad, called }) => exchangeOf(bad.what, called))
    }
  })
}

/** What may write is called only where the caller of the audit says so. */
const triedOf = ({ tools, write }: WireTarget) => tools.filter((tool) => write || isRead(tool))

const leftAlone = (wire: WireTarget): string => {
  const left = wire.tools.length - triedOf(wire).length
  return left === 0 ? "" : `; ${left} that may write were left alone (--write)`
}

const noneTried: Outcome = {
  notSeen: "No tool says that it only reads. With --write, those that may change something are tried too."
}
const noneRefused: Outcome = { notSeen: "No arguments are known that the schemas refuse." }

interface Wrong {
  readonly what: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly names: ReadonlyArray<string>
}

/** What the listed schema refuses without any valid arguments being known. A validator confirms it. */
const wrong = ({ inputSchema }: SubjectTool): ReadonlyArray<Wrong> => {
  const faultOf = validatorOf(inputSchema)
  const fields = Object.keys(propertiesOf(inputSchema))
  const required = Array.isArray(inputSchema["required"]) ? inputSchema["required"].map(String) : []
  const ofWrongType = Object.fromEntries(fields.map((name) => [name, { wrong: [null] }]))
  return [
    { what: "nothing is given", arguments: {}, names: required },
    { what: "every field is of another type", arguments: ofWrongType, names: fields },
    ...(inputSchema["additionalProperties"] === false
      ? [{ what: "a field too many", arguments: { ...ofWrongType, unknown_field: "x" }, names: ["unknown_field"] }]
      : [])
  ].filter(({ arguments: args, names }) => names.length > 0 && faultOf(args) !== undefined)
}

const propertiesOf = (schema: JsonSchema): Readonly<Record<string, unknown>> =>
  typeof schema["properties"] === "object" && schema["properties"] !== null ? { ...schema["properties"] } : {}

const faultsOf = ({ names, what }: Wrong, called: Called): ReadonlyArray<Fault> => {
  const { error, isError, text, tool } = called
  const fault = (message: string): Fault => ({ subject: tool, message, evidence: `${what}\n${cut(text)}` })
  if (!isError) return [fault("accepts arguments that its schema refuses")]
  return [
    ...(error?.class === "ValidationError" ? [] : [fault(`answers bad arguments with ${outcomeOf(called)}`)]),
    ...(names.every((name) => text.includes(name)) ? [] : [fault("does not name every argument that is wrong")])
  ]
}

const crowded = ({ inputSchema }: SubjectTool): ReadonlyArray<Pick<Wrong, "what" | "arguments">> =>
  validatorOf(inputSchema)(manyFields) === undefined ? [] : [{ what: tooMany, arguments: manyFields }]

export const sizeAndAdvice: WireProbe = {
  info: inside.info,
  limit: 120,
  run: Effect.fnUntraced(function* (wire) {
    const tools = triedOf(wire)
    if (tools.length === 0) return noneTried
    const client = yield* wire.connect()
    const cases = (yield* Effect.forEach(tools, (tool) =>
      Effect.forEach(
        [...wrong(tool), ...crowded(tool)],
        Effect.fnUntraced(function* ({ arguments: args, what }) {
          const first = yield* call(client, tool.name, args)
          return { what, first, second: yield* call(client, tool.name, args) }
        })
      )
    )).flat()
    // What is accepted is no error; E01 says so.
    const errors = cases.filter(({ first }) => first.isError)
    if (errors.length === 0) return noneRefused
    return {
      faults: tally(
        errors.flatMap(({ first, second, what }): ReadonlyArray<Fault> => {
          const [one, other] = [outcomeOf(first), outcomeOf(second)]
          const message = `answers one call with ${one}, and again with ${other}`
          const changed = one === other ? [] : [{ subject: first.tool, message, evidence: what }]
          return [...advice(what, first), ...changed]
        })
      ),
      note: `${errors.length} errors over ${tools.length} tools, each twice, the longest of ${Math.max(...errors.map(({ first }) => tokensOf(first)))} tokens; those of upstreams and defects can't be provoked${leftAlone(wire)}`,
      transcript: errors.slice(0, 4).map(({ first, what }) => exchangeOf(what, first))
    }
  })
}

export const unknownTool: WireProbe = {
  info: unknownTools.info,
  limit: 60,
  run: Effect.fnUntraced(function* (wire) {
    const client = yield* wire.connect()
    const called = yield* call(client, "there_is_no_such_tool", {})
    const message = `is not there, and answers with ${outcomeOf(called)} instead of -32602`
    return {
      faults: called.refused?.code === -32602 ? [] : [{ subject: called.tool, message, evidence: cut(called.text) }],
      note: "1 call; what is hidden from this caller can't be seen",
      transcript: [exchangeOf("a tool that is not there", called)]
    }
  })
}
