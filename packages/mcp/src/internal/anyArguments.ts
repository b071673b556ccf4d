/**
 * Gets the arguments of a call past the SDK as its client sent them. The SDK would refuse what is no object with a line
 * that names no field, and makes a copy of what is one, without a member named `__proto__`; the pipeline says what the
 * tool takes. So the arguments travel in `_meta` as well, under a name that no client can know, and the SDK checks all that
 * the protocol asks of the call.
 */
import { randomUUID } from "node:crypto"

const travelling = `ferrule/arguments-${randomUUID()}`

type Fields = Readonly<Record<string, unknown>>

/** Packs the arguments of a call for the SDK. Every other message stays what it is. */
export const pack = (message: unknown): unknown => {
  if (!isRecord(message) || message["method"] !== "tools/call" || !isRecord(message["params"])) return message
  const { params } = message
  const { arguments: args, _meta: meta } = params
  if (args === undefined || !(meta === undefined || isRecord(meta))) return message
  const shown = isRecord(args) ? args : {}
  return { ...message, params: { ...params, arguments: shown, _meta: { ...meta, [travelling]: args } } }
}

/** Gives the arguments of a call as its client sent them, and an empty object where it sent none. */
export const unpack = (args: unknown, meta: Fields | undefined): unknown =>
  meta !== undefined && travelling in meta ? meta[travelling] : (args ?? {})

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
