/**
 * Gets a call past the SDK when its arguments are no object. The SDK would refuse it with a line that names no field; the
 * pipeline says what the tool takes. So the SDK is handed an empty object, checks all that the protocol asks of the call,
 * and the arguments themselves travel in `_meta`, under a name that no client can know.
 */
import { randomUUID } from "node:crypto"

const travelling = `ferrule/arguments-${randomUUID()}`

type Fields = Readonly<Record<string, unknown>>

/** Packs the arguments of a message for the SDK when they are no object. Every other message stays what it is. */
export const pack = (message: unknown): unknown => {
  if (!isRecord(message) || message["method"] !== "tools/call" || !isRecord(message["params"])) return message
  const { params } = message
  const { arguments: args, _meta: meta } = params
  if (args === undefined || isRecord(args) || !(meta === undefined || isRecord(meta))) return message
  return { ...message, params: { ...params, arguments: {}, _meta: { ...meta, [travelling]: args } } }
}

/** Gives the arguments of a call as its client sent them, and an empty object where it sent none. */
export const unpack = (args: unknown, meta: Fields | undefined): unknown =>
  meta !== undefined && travelling in meta ? meta[travelling] : (args ?? {})

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
