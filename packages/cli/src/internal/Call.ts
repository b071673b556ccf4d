/**
 * One call of a tool by a real client, and what came of it in the form that probes judge: what a client sees, and nothing
 * that the connector says of itself elsewhere.
 */
import type { Client } from "@modelcontextprotocol/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Exchange } from "../Report.ts"
import { shown } from "./excerpt.ts"

export type Arguments = Readonly<Record<string, unknown>>

/** What an error says as data. */
const ErrorData = Schema.Struct({
  class: Schema.String,
  action: Schema.optionalKey(Schema.String),
  correlationId: Schema.optionalKey(Schema.String),
  retryAfterMs: Schema.optionalKey(Schema.Number),
  checkWith: Schema.optionalKey(Schema.String),
  issues: Schema.optionalKey(
    Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String, expected: Schema.String }))
  )
})
export type ErrorData = typeof ErrorData.Type

export interface Called {
  readonly tool: string
  readonly arguments: Arguments
  /** It has no result: the protocol refused it, or no answer came. */
  readonly refused: { readonly code: number | undefined; readonly message: string } | undefined
  readonly isError: boolean
  /** What an error says as data; undefined for a result, and for an error that says nothing. */
  readonly error: ErrorData | undefined
  /** Every text of the answer. */
  readonly text: string
  /** The text blocks, one by one. */
  readonly texts: ReadonlyArray<string>
  readonly result: unknown
  /** It says that an earlier call has done it. */
  readonly replayed: boolean
  readonly millis: number
}

export interface Options {
  /** The client's own idempotency key. */
  readonly key?: string | undefined
}

/** Calls, and gives up after 45 seconds. */
export const call = (client: Client, tool: string, args: Arguments, { key }: Options = {}): Effect.Effect<Called> =>
  Effect.gen(function* () {
    const begun = yield* Clock.currentTimeMillis
    const meta = key === undefined ? {} : { _meta: { "ferrule/idempotencyKey": key } }
    const answer = yield* Effect.promise((signal) =>
      client.callTool({ name: tool, arguments: { ...args }, ...meta }, { signal, timeout: 45_000 }).then(given, refusal)
    )
    return { tool, arguments: args, ...answer, millis: (yield* Clock.currentTimeMillis) - begun }
  })

type Answer = Omit<Called, "tool" | "arguments" | "millis">

const given = (answer: Awaited<ReturnType<Client["callTool"]>>): Answer => {
  const texts = answer.content.flatMap((block) => (block.type === "text" ? [block.text] : []))
  return {
    refused: undefined,
    isError: answer.isError === true,
    error: Option.getOrUndefined(Schema.decodeUnknownOption(ErrorData)(answer._meta?.["ferrule/error"])),
    text: texts.join("\n"),
    texts,
    result: answer.structuredContent,
    replayed: answer._meta?.["ferrule/replayed"] !== undefined
  }
}

const refusal = (cause: unknown): Answer => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "number" ? cause.code : undefined
  return {
    refused: { code, message },
    isError: true,
    error: undefined,
    text: message,
    texts: [message],
    result: undefined,
    replayed: false
  }
}

/** What a call came to, in a word or two. */
export const outcomeOf = ({ error, isError, refused, replayed }: Called): string => {
  if (refused !== undefined) return `a refusal by the protocol (${refused.code ?? "no code"})`
  if (isError) return error?.class ?? "an error that names no class"
  return replayed ? "an earlier result" : "a result"
}

/** A call for a transcript. */
export const exchangeOf = (what: string, { arguments: args, millis, text, tool }: Called): Exchange => ({
  what,
  sent: cut(`${tool} ${JSON.stringify(args)}`),
  answered: cut(text),
  millis
})

/** Leaves enough of a text to see what it is, and shows what is hidden in it. */
export const cut = (text: string): string =>
  shown(text.length <= 600 ? text : `${text.slice(0, 600)} … (${text.length} characters)`)
