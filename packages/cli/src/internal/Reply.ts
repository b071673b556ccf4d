/**
 * What became of a call, read from its result: done, replayed, or refused with a class.
 */
import type { CallToolResult } from "@modelcontextprotocol/client"
import { ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/client"
import * as Schema from "effect/Schema"
import { printable } from "./printable.ts"

export type Reply =
  | { readonly outcome: "done"; readonly result: CallToolResult }
  | { readonly outcome: "replayed"; readonly doneAt: string; readonly result: CallToolResult }
  | {
      readonly outcome: "refused"
      /** Undefined where the server names none. */
      readonly class: string | undefined
      readonly text: string
      readonly doneAt?: string | undefined
      readonly error?: unknown
    }

const isReplay = Schema.is(Schema.Struct({ doneAt: Schema.String }))
const isError = Schema.is(Schema.Struct({ class: Schema.String }))

export const ofResult = (result: CallToolResult): Reply => {
  const replay = result._meta?.["ferrule/replayed"]
  const doneAt = isReplay(replay) ? printable(replay.doneAt) : undefined
  if (result.isError === true) {
    const error = result._meta?.["ferrule/error"]
    return {
      outcome: "refused",
      class: isError(error) ? printable(error.class) : undefined,
      text: textOf(result),
      doneAt,
      error
    }
  }
  return doneAt === undefined ? { outcome: "done", result } : { outcome: "replayed", doneAt, result }
}

/** What the client threw, where the server did answer. Undefined where the connection failed. */
export const ofThrown = (thrown: unknown): Reply | undefined => {
  if (ProtocolError.isInstance(thrown)) {
    const text = `${printable(thrown.message)} (JSON-RPC ${thrown.code})`
    return { outcome: "refused", class: undefined, text, error: { code: thrown.code } }
  }
  if (SdkError.isInstance(thrown) && thrown.code === SdkErrorCode.InvalidResult) {
    return {
      outcome: "refused",
      class: undefined,
      text: `The server's answer is not what it may be: ${printable(thrown.message)}`,
      error: { code: thrown.code }
    }
  }
  return undefined
}

/** The text blocks of a result; other blocks by their type. */
export const textOf = ({ content }: Pick<CallToolResult, "content">): string =>
  content.map((block) => (block.type === "text" ? printable(block.text) : `(${block.type})`)).join("\n")
