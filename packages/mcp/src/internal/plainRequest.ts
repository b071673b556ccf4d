/**
 * Recognises the two requests that a tool server gets all day, `tools/call` and `tools/list`, when nothing about them
 * needs a second look. Every other message, each faulty one included, is `undefined` here and goes to the SDK, whose
 * answer is then the answer. So this file may refuse too much. What it accepts, the SDK accepts too, but for members of the
 * envelope that a tool server never reads: what a client says of its capabilities, and its icons.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  type RequestId,
  SUPPORTED_PROTOCOL_VERSIONS
} from "@modelcontextprotocol/server"

/** The headers that repeat or qualify the body over HTTP. */
export interface PlainHeaders {
  readonly protocolVersion: string | ReadonlyArray<string> | undefined
  readonly method: string | ReadonlyArray<string> | undefined
  readonly name: string | ReadonlyArray<string> | undefined
  readonly accept: string | undefined
}

/** `modern` is revision 2026-07-28, where each request says so itself; `legacy` is each revision before it. */
export type Era = "modern" | "legacy"

export interface PlainList {
  readonly method: "tools/list"
  readonly era: Era
  readonly id: RequestId
}

export interface PlainCall {
  readonly method: "tools/call"
  readonly era: Era
  readonly id: RequestId
  readonly name: string
  readonly arguments: unknown
  readonly meta: Readonly<Record<string, unknown>> | undefined
  readonly progressToken: string | number | undefined
}

export const modernVersion = "2026-07-28"

const legacyVersions: ReadonlySet<unknown> = new Set(SUPPORTED_PROTOCOL_VERSIONS)

/** Reads a parsed body, with the headers it came with, or with none where the transport has no headers. */
export const plainRequest = (body: unknown, headers: PlainHeaders | undefined): PlainList | PlainCall | undefined => {
  if (!isRecord(body) || body["jsonrpc"] !== "2.0" || !hasOnly(body, requestKeys)) return undefined
  const { id, method, params } = body
  if (!isToken(id)) return undefined
  if (method === "tools/list") {
    if (params !== undefined && !(isRecord(params) && hasOnly(params, listKeys))) return undefined
    const era = eraOf(params?.["_meta"], method, undefined, headers)
    return era === undefined ? undefined : { method, era, id }
  }
  if (method !== "tools/call" || !isRecord(params) || !hasOnly(params, callKeys)) return undefined
  const { name, _meta: meta } = params
  if (typeof name !== "string") return undefined
  const era = eraOf(meta, method, name, headers)
  if (era === undefined) return undefined
  const fields = meta as Readonly<Record<string, unknown>> | undefined
  return {
    method,
    era,
    id,
    name,
    arguments: params["arguments"] === undefined ? {} : params["arguments"],
    meta: fields,
    progressToken: fields?.["progressToken"] as string | number | undefined
  }
}

const requestKeys: ReadonlySet<string> = new Set(["jsonrpc", "id", "method", "params"])
const listKeys: ReadonlySet<string> = new Set(["_meta"])
const callKeys: ReadonlySet<string> = new Set(["name", "arguments", "_meta"])

const eraOf = (meta: unknown, method: string, name: string | undefined, headers: PlainHeaders | undefined) => {
  if (meta !== undefined) {
    if (!isRecord(meta)) return undefined
    if (meta["progressToken"] !== undefined && !isToken(meta["progressToken"])) return undefined
    if (PROTOCOL_VERSION_META_KEY in meta) return isPlainModern(meta, method, name, headers) ? "modern" : undefined
  }
  if (headers === undefined) return "legacy"
  if (headers.protocolVersion !== undefined && !legacyVersions.has(headers.protocolVersion)) return undefined
  return acceptsBoth(headers.accept) ? "legacy" : undefined
}

const isPlainModern = (
  meta: Readonly<Record<string, unknown>>,
  method: string,
  name: string | undefined,
  headers: PlainHeaders | undefined
): boolean => {
  if (meta[PROTOCOL_VERSION_META_KEY] !== modernVersion || LOG_LEVEL_META_KEY in meta) return false
  const capabilities = meta[CLIENT_CAPABILITIES_META_KEY]
  if (!isRecord(capabilities)) return false
  for (const key in capabilities) if (!isRecord(capabilities[key])) return false
  const info = meta[CLIENT_INFO_META_KEY]
  if (info !== undefined) {
    if (!isRecord(info) || typeof info["name"] !== "string" || typeof info["version"] !== "string") return false
  }
  if (headers === undefined) return true
  return headers.protocolVersion === modernVersion && headers.method === method && headers.name === name
}

// Clients send one of a few values, so the common one is compared before it is searched.
const acceptsBoth = (accept: string | undefined): boolean =>
  accept === "application/json, text/event-stream" ||
  (accept !== undefined && accept.includes("application/json") && accept.includes("text/event-stream"))

const isToken = (value: unknown): value is string | number => typeof value === "string" || Number.isSafeInteger(value)

const hasOnly = (value: Readonly<Record<string, unknown>>, keys: ReadonlySet<string>): boolean => {
  for (const key in value) if (!keys.has(key)) return false
  return true
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
