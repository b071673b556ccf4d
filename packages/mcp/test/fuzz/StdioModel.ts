/**
 * What a client's bytes must be answered with on stdio: one answer for each request and for each line that is no message,
 * and none for the rest. A line beyond the limit ends the connection.
 */
import { limit } from "./MessageCases.ts"
import * as Model from "./MessageModel.ts"

export interface Expected {
  /** The answer's id as JSON, or the code of an error that has none. */
  readonly key: string
  readonly asked: Model.Asked | undefined
  readonly isKeyed: boolean
  /** The beginning of the line, for who reads of a fault. */
  readonly line: string
  /** Whether there may be no answer. */
  readonly isOptional: boolean
}

export interface Expectation {
  readonly answers: ReadonlyArray<Expected>
  /** Whether a line is too long, so that nothing after it is read and the connection ends. */
  readonly ends: boolean
}

export const expectationOf = (bytes: Buffer): Expectation => {
  const answers: Array<Expected> = []
  let start = 0
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    const line = bytes.subarray(start, end)
    start = end + 1
    if (line.length > limit) return { answers, ends: true }
    const expected = ofLine(line)
    if (expected !== undefined) answers.push(expected)
  }
  return { answers, ends: bytes.length - start > limit }
}

const blank = /^[ \t\r]*$/

const ofLine = (line: Buffer): Expected | undefined => {
  // A long line is no blank one, and no work for a regular expression.
  if (line.length < 100 && blank.test(line.toString("latin1"))) return undefined
  const shown = line.subarray(0, 400).toString("latin1")
  const parsed = Model.parse(line)
  if (parsed === undefined) return { key: "-32700", asked: undefined, isKeyed: false, isOptional: false, line: shown }
  const asked = Model.read(parsed.value, "ada", undefined)
  if (asked.kind === "told" && asked.isPlain) return undefined
  const isId = asked.id !== null && (typeof asked.id === "string" || Number.isSafeInteger(asked.id))
  return {
    key: isId ? keyOf(asked.id) : "-32600",
    asked,
    isKeyed: line.includes("ferrule/idempotencyKey"),
    isOptional: asked.kind === "told",
    line: shown
  }
}

export const keyOf = (id: unknown): string => JSON.stringify(id)
