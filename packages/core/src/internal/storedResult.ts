/**
 * What a settled record holds: the encoded result of a write, and when it was done.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ResultUnavailable } from "../ConnectorError.ts"
import type * as Tool from "../Tool.ts"

/** A result in its wire form: the JSON value, and its one text. */
export interface Answer {
  readonly value: Readonly<Record<string, unknown>>
  readonly json: string
}

/** `answer` is absent when the handler returned what the tool's output refuses: the write is done all the same. */
export interface StoredResult {
  readonly text: string
  readonly doneAt: number
  readonly answer: Answer | undefined
}

const Stored = Schema.fromJsonString(
  Schema.Struct({
    format: Schema.Literal(1),
    doneAt: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 8.64e15 })),
    result: Schema.NullOr(Schema.Record(Schema.String, Schema.Json))
  })
)
const decodeStored = Schema.decodeUnknownResult(Stored)

/** Encodes what a handler returned. */
export const encode = (tool: Tool.Any, value: unknown): Effect.Effect<Answer> => {
  const answer = answerWith(tool, value)
  return Result.isSuccess(answer) ? Effect.succeed(answer.success) : Effect.die(answer.failure)
}

const answerWith = (tool: Tool.Any, value: unknown): Result.Result<Answer, Error> => {
  const encoded = tool.output.encode(value)
  return Result.isSuccess(encoded)
    ? Result.succeed({ value: encoded.success, json: JSON.stringify(encoded.success) })
    : Result.fail(new Error(`The handler of ${tool.name} returned what its output refuses: ${faults(encoded.failure)}`))
}

const faults = (issues: ReadonlyArray<{ readonly path: string; readonly message: string }>) =>
  issues.map(({ path, message }) => `${path} ${message}`).join("; ")

/** Makes the record of a write that is done now. It never fails: whatever the handler returned, the write is done. */
export const make = (tool: Tool.AnyWrite, value: unknown): Effect.Effect<StoredResult> =>
  Clock.clockWith((clock): Effect.Effect<StoredResult> => {
    const doneAt = clock.currentTimeMillisUnsafe()
    const answer = answerWith(tool, value)
    if (Result.isSuccess(answer)) {
      // One string, which a store in memory may keep, instead of a tree of its parts.
      const text = ['{"format":1,"doneAt":', doneAt, ',"result":', answer.success.json, "}"].join("")
      return Effect.succeed({ text, doneAt, answer: answer.success })
    }
    return Effect.as(Effect.logError("A write is done, and its result can't be kept", Cause.die(answer.failure)), {
      text: `{"format":1,"doneAt":${doneAt},"result":null}`,
      doneAt,
      answer: undefined
    })
  })

/** Reads a record by the output that the tool has now. What no longer decodes is said, and never executed again. */
export const read = (
  tool: Tool.AnyWrite,
  text: string | undefined,
  settledAt: number | undefined
): Effect.Effect<StoredResult> => {
  const stored = decodeStored(text)
  if (Result.isFailure(stored)) return Effect.succeed({ text: text ?? "", doneAt: settledAt ?? 0, answer: undefined })
  const { doneAt, result } = stored.success
  const readable = result !== null && Result.isSuccess(tool.output.decode(result))
  return Effect.succeed({
    text: text ?? "",
    doneAt,
    answer: readable ? { value: result, json: JSON.stringify(result) } : undefined
  })
}

/** The answer of a record, or the honest refusal when there is none to give. */
export const answerOf = (tool: Tool.AnyWrite, stored: StoredResult): Effect.Effect<Answer, ResultUnavailable> =>
  stored.answer === undefined
    ? Effect.fail(unavailable(tool, "unreadable", stored.doneAt))
    : Effect.succeed(stored.answer)

export const unavailable = (tool: Tool.AnyWrite, reason: "unreadable" | "too-large", doneAt: number) =>
  new ResultUnavailable({
    reason,
    doneAt,
    ...(tool.idempotency.checkWith === undefined ? {} : { checkWith: tool.idempotency.checkWith })
  })
