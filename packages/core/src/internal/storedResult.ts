/**
 * What a settled record holds: the encoded result of a write, and when it was done.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { AuthorizationError, ResultUnavailable, ValidationError } from "../ConnectorError.ts"
import type { Registry } from "../Scrubber.ts"
import type * as Tool from "../Tool.ts"
import { legible } from "./legible.ts"
import type { Surroundings } from "./surroundings.ts"

/** A result in its wire form: the JSON value, and its one text, in which what nobody would see is escaped. */
export interface Answer {
  readonly value: Readonly<Record<string, unknown>>
  readonly json: string
}

/** An upstream's last word that is kept like a result. */
export type Failure = ValidationError | AuthorizationError

/**
 * What `text`, the record, stands for: the answer, the failure, or why there is neither. The write is done all the same.
 */
export interface StoredResult {
  readonly text: string
  readonly doneAt: number
  readonly kept: Kept
}

type Kept =
  | { readonly _tag: "Answer"; readonly answer: Answer }
  | { readonly _tag: "Failure"; readonly failure: Failure }
  | { readonly _tag: "Nothing"; readonly reason: ResultUnavailable["reason"] }

const head = {
  format: Schema.Literal(1),
  doneAt: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 8.64e15 }))
}

const Stored = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ ...head, result: Schema.Record(Schema.String, Schema.Json) }),
    Schema.Struct({ ...head, failure: Schema.Union([ValidationError, AuthorizationError]) }),
    Schema.Struct({ ...head, nothing: Schema.Literals(["unreadable", "too-large"]) })
  ])
)
const decodeStored = Schema.decodeUnknownResult(Stored)
const encodeFailure = Schema.encodeSync(Schema.fromJsonString(Schema.Union([ValidationError, AuthorizationError])))

/** Encodes what a handler returned. */
export const encode = (tool: Tool.Any, value: unknown, { scrubber }: Surroundings): Effect.Effect<Answer> => {
  const answer = answerWith(tool, value, scrubber)
  return Result.isSuccess(answer) ? Effect.succeed(answer.success) : Effect.die(answer.failure)
}

const answerWith = (tool: Tool.Any, value: unknown, scrubber: Registry): Result.Result<Answer, Error> => {
  const encoded = tool.output.encode(value)
  if (Result.isFailure(encoded)) {
    const said = `The handler of ${tool.name} returned what its output refuses: ${faults(encoded.failure)}`
    return Result.fail(new Error(said))
  }
  const answer = scrubbed(tool, { value: encoded.success, json: textOf(encoded.success) }, scrubber)
  return answer === undefined
    ? Result.fail(
        new Error(`The handler of ${tool.name} returned a secret where its output has no room for <redacted>`)
      )
    : Result.succeed(answer)
}

const textOf = (value: Answer["value"]): string => legible(JSON.stringify(value))

/** The answer without secrets; none when its output refuses what is left, or the secret lies across its parts. */
const scrubbed = (tool: Tool.Any, answer: Answer, scrubber: Registry): Answer | undefined => {
  // One text for the whole, so that an answer without secrets is searched once and never copied.
  if (scrubber.scrub(answer.json) === answer.json) return answer
  const value = scrubber.scrubValue(answer.value)
  const json = textOf(value)
  return scrubber.scrub(json) === json && Result.isSuccess(tool.output.decode(value)) ? { value, json } : undefined
}

const faults = (issues: ReadonlyArray<{ readonly path: string; readonly message: string }>) =>
  issues.map(({ path, message }) => `${path} ${message}`).join("; ")

/**
 * Makes the record of a write that is done now. It never fails: whatever the handler returned, the write is done. This
 * call gets its answer also where it is larger than is kept for later ones.
 */
export const make = (
  tool: Tool.AnyWrite,
  value: unknown,
  { clock, scrubber }: Surroundings
): Effect.Effect<StoredResult> => {
  const doneAt = clock.currentTimeMillisUnsafe()
  const answer = answerWith(tool, value, scrubber)
  if (Result.isFailure(answer)) {
    return Effect.as(Effect.logError("A write is done, and its result can't be kept", Cause.die(answer.failure)), {
      text: record(doneAt, "nothing", '"unreadable"'),
      doneAt,
      kept: { _tag: "Nothing", reason: "unreadable" }
    })
  }
  const { json } = answer.success
  const fits = json.length <= tool.idempotency.maxStoredSize
  return Effect.succeed({
    text: fits ? record(doneAt, "result", json) : record(doneAt, "nothing", '"too-large"'),
    doneAt,
    kept: { _tag: "Answer", answer: answer.success }
  })
}

/** Makes the record of a write that has ended for good with this failure. */
export const ofFailure = (failure: Failure, { clock, scrubber }: Surroundings): StoredResult => {
  const doneAt = clock.currentTimeMillisUnsafe()
  const clean = scrubber.scrubValue(failure)
  return { text: record(doneAt, "failure", encodeFailure(clean)), doneAt, kept: { _tag: "Failure", failure: clean } }
}

// One string, which a store in memory may keep, instead of a tree of its parts.
const record = (doneAt: number, kind: "result" | "failure" | "nothing", json: string): string =>
  ['{"format":1,"doneAt":', doneAt, ',"', kind, '":', json, "}"].join("")

/** Reads a record by the output that the tool has now. What no longer decodes is said, and never executed again. */
export const read = (tool: Tool.AnyWrite, text: string | undefined, settledAt: number | undefined): StoredResult => {
  const unreadable = { _tag: "Nothing", reason: "unreadable" } as const
  const stored = decodeStored(text)
  if (Result.isFailure(stored)) return { text: text ?? "", doneAt: settledAt ?? 0, kept: unreadable }
  const { doneAt } = stored.success
  if ("failure" in stored.success) {
    return { text: text ?? "", doneAt, kept: { _tag: "Failure", failure: stored.success.failure } }
  }
  if ("nothing" in stored.success) {
    return { text: text ?? "", doneAt, kept: { _tag: "Nothing", reason: stored.success.nothing } }
  }
  const value = readable(tool, stored.success.result) ?? readable(tool, migrated(tool, stored.success.result))
  return {
    text: text ?? "",
    doneAt,
    kept: value === undefined ? unreadable : { _tag: "Answer", answer: { value, json: textOf(value) } }
  }
}

const readable = (tool: Tool.AnyWrite, result: unknown): Answer["value"] | undefined =>
  result !== undefined && Result.isSuccess(tool.output.decode(result)) ? (result as Answer["value"]) : undefined

/** A migration that throws has none. */
const migrated = (tool: Tool.AnyWrite, result: Schema.Json): unknown => {
  try {
    return tool.idempotency.migrate?.(result)
  } catch {
    return undefined
  }
}

/**
 * The answer of a record, the failure that is one, or the honest refusal when there is none to give. Secrets that became
 * known after the record was made are not in it either.
 */
export const answerOf = (
  tool: Tool.AnyWrite,
  { doneAt, kept }: StoredResult,
  { scrubber }: Surroundings
): Effect.Effect<Answer, ResultUnavailable | Failure> => {
  switch (kept._tag) {
    case "Answer": {
      const answer = scrubbed(tool, kept.answer, scrubber)
      return answer === undefined ? Effect.fail(unavailable(tool, "unreadable", doneAt)) : Effect.succeed(answer)
    }
    case "Failure":
      return Effect.fail(scrubber.scrubValue(kept.failure))
    case "Nothing":
      return Effect.fail(unavailable(tool, kept.reason, doneAt))
  }
}

export const unavailable = (tool: Tool.AnyWrite, reason: ResultUnavailable["reason"], doneAt: number) =>
  new ResultUnavailable({
    reason,
    doneAt,
    ...(tool.idempotency.checkWith === undefined ? {} : { checkWith: tool.idempotency.checkWith })
  })
