/**
 * What a message asks for, as the specification and the desk's contract have it. It shares no code with the server: the
 * judge goes by this. Where neither says, it says `may`, and never where what is wrong is plain.
 */
import { isUtf8 } from "node:buffer"
import { principals } from "./desk.ts"

/** Whether a handler runs: `must` for a read that is right in all respects, `may` for a write, which may be a repeat. */
export type Runs = "must" | "may" | "never"

export type Asked =
  | { readonly kind: "request"; readonly id: string | number; readonly method: string; readonly call: Call }
  /** It asks for no answer: a notification, or an answer itself. Where it is not plain, it may be no message at all. */
  | { readonly kind: "told"; readonly isPlain: boolean; readonly id: string | number | null }
  /** It is no message. `id` is there when it can be read. */
  | { readonly kind: "invalid"; readonly id: string | number | null }

export interface Call {
  readonly runs: Runs
  readonly note: string | undefined
  /** Names the scope that a call, right in all else, is refused for. */
  readonly missingScope: boolean
}

export type PrincipalName = keyof typeof principals

/** The headers that a message has to agree with, by lower-case name; absent where the transport has none. */
export type HeaderOf = (name: string) => string | undefined

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const has = (fields: Fields, name: string): boolean => Object.hasOwn(fields, name)
const isId = (value: unknown): value is string | number => typeof value === "string" || Number.isSafeInteger(value)
const onlyHas = (fields: Fields, ...names: ReadonlyArray<string>): boolean =>
  Object.keys(fields).every((name) => names.includes(name))

/** Gives `undefined` for bytes that are no JSON text in UTF-8. */
export const parse = (bytes: Buffer): { readonly value: unknown } | undefined => {
  if (!isUtf8(bytes)) return undefined
  try {
    return { value: JSON.parse(bytes.toString("utf8")) }
  } catch {
    return undefined
  }
}

const never: Call = { runs: "never", note: undefined, missingScope: false }

export const read = (value: unknown, principal: PrincipalName, header: HeaderOf | undefined): Asked => {
  if (!isFields(value)) return { kind: "invalid", id: null }
  const id =
    has(value, "id") && (isId(value["id"]) || Number.isFinite(value["id"])) ? (value["id"] as string | number) : null
  if (value["jsonrpc"] !== "2.0") return { kind: "invalid", id }
  if (!has(value, "method")) {
    const isAnswer = has(value, "result") || has(value, "error")
    return isAnswer ? { kind: "told", id, isPlain: isPlainAnswer(value) } : { kind: "invalid", id }
  }
  if (typeof value["method"] !== "string") return { kind: "invalid", id }
  if (has(value, "params") && !isFields(value["params"])) return { kind: "invalid", id }
  if (!has(value, "id")) return { kind: "told", id, isPlain: isPlainNotification(value) }
  if (!isId(id)) return { kind: "invalid", id }
  return { kind: "request", id, method: value["method"], call: callOf(value, principal, header) }
}

const isPlainAnswer = (value: Fields): boolean =>
  isId(value["id"]) &&
  (onlyHas(value, "jsonrpc", "id", "result") || onlyHas(value, "jsonrpc", "id", "error")) &&
  isFields(value["result"] ?? value["error"])

const isPlainNotification = (value: Fields): boolean =>
  onlyHas(value, "jsonrpc", "method", "params") && !(isFields(value["params"]) && has(value["params"], "_meta"))

const callOf = (message: Fields, principal: PrincipalName, header: HeaderOf | undefined): Call => {
  const { method, params } = message
  if (method !== "tools/call" || !isFields(params)) return never
  const { name, arguments: args, _meta: meta } = params
  const access = typeof name === "string" ? accessTo(name, args, principal) : "none"
  if (access === "none" || !isFields(args) || !isValid(args)) return never
  const regular = envelopeOf(meta, String(name), header)
  if (regular === "wrong") return never
  const isPlain = regular === "plain" && onlyHas(message, "jsonrpc", "id", "method", "params")
  if (access === "scope") return { runs: "never", note: undefined, missingScope: isPlain }
  const isRegular =
    isPlain && onlyHas(params, "name", "arguments", "_meta") && ["look", "scoped", "mine"].includes(String(name))
  return { runs: isRegular ? "must" : "may", note: String(args["note"]), missingScope: false }
}

const accessTo = (tool: string, args: unknown, principal: PrincipalName): "full" | "scope" | "none" => {
  if (tool === "mine") return isFields(args) && args["name"] === principal ? "full" : "none"
  if (principal === "eve" || !["look", "scoped", "set", "send", "open", "charge"].includes(tool)) return "none"
  return tool === "scoped" && principal !== "ada" ? "scope" : "full"
}

const isText = (value: unknown, maximum: number): boolean =>
  typeof value === "string" && value.length >= 1 && value.length <= maximum

const isDigit = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 9

const isValid = (args: Fields): boolean =>
  onlyHas(args, "name", "note", "size", "color", "tags", "place") &&
  isText(args["name"], 40) &&
  isText(args["note"], 64) &&
  (!has(args, "size") || isDigit(args["size"])) &&
  (!has(args, "color") || args["color"] === "red" || args["color"] === "green") &&
  (!has(args, "tags") || isTags(args["tags"])) &&
  (!has(args, "place") || isPlace(args["place"]))

const isTags = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= 3 && value.every((tag) => isText(tag, 10))

const isPlace = (value: unknown): boolean =>
  isFields(value) && onlyHas(value, "row") && has(value, "row") && isDigit(value["row"])

const prefix = "io.modelcontextprotocol/"
const modern = "2026-07-28"
const legacy = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"]

/** Whether the envelope is right: `wrong` when it breaks a rule, `odd` when it holds what no rule is about. */
const envelopeOf = (meta: unknown, name: string, header: HeaderOf | undefined): "plain" | "odd" | "wrong" => {
  if (meta !== undefined && !isFields(meta)) return "wrong"
  const fields = meta ?? {}
  const token = fields["progressToken"]
  if (token !== undefined && !(typeof token === "string" || typeof token === "number")) return "wrong"
  // An occurrence of a key of the client's own may be a repeat, or no key at all.
  const isOdd = Object.keys(fields).length > (has(fields, `${prefix}protocolVersion`) ? 3 : 0)
  if (eraIsRight(fields, name, header)) return isOdd ? "odd" : "plain"
  // To a connection of an earlier revision, an envelope is data that it has no rule about.
  return header === undefined ? "odd" : "wrong"
}

const eraIsRight = (meta: Fields, name: string, header: HeaderOf | undefined): boolean => {
  if (!has(meta, `${prefix}protocolVersion`)) {
    if (header === undefined) return true
    const version = header("mcp-protocol-version")
    if (version !== undefined && !legacy.includes(version)) return false
    const accept = header("accept") ?? ""
    return accept.includes("application/json") && accept.includes("text/event-stream")
  }
  if (meta[`${prefix}protocolVersion`] !== modern || !isFields(meta[`${prefix}clientCapabilities`])) return false
  const info = meta[`${prefix}clientInfo`]
  if (
    info !== undefined &&
    !(isFields(info) && typeof info["name"] === "string" && typeof info["version"] === "string")
  ) {
    return false
  }
  if (header === undefined) return true
  return (
    header("mcp-protocol-version") === modern &&
    header("mcp-method") === "tools/call" &&
    plainName(header("mcp-name") ?? "") === name
  )
}

/** SEP-2243: a name that is no header text travels in base64. */
const plainName = (name: string): string => {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(name)?.[1]
  return encoded === undefined ? name : Buffer.from(encoded, "base64").toString("utf8")
}
