/**
 * What no answer may be, whatever was asked: the judgement of one JSON-RPC message, and of any text that goes out.
 */
import { isUtf8 } from "node:buffer"
import { tokens } from "./desk.ts"
import { canary } from "./MessageCases.ts"

/** One fault of the server. `kind` is what the report counts. */
export interface Fault {
  readonly kind: string
  readonly detail: string
}

export const fault = (kind: string, detail = ""): Fault => ({ kind, detail: detail.slice(0, 400) })

const secrets = Object.values(tokens)
const stack = /\n\s*at |\bat [\w.<>]+ \(|node_modules|node:internal|\.(?:ts|m?js):\d+/

/** Judges a text that left the server, head and all. */
export const judgeText = (bytes: Buffer): Array<Fault> => {
  const text = bytes.toString("utf8")
  const faults: Array<Fault> = []
  if (!isUtf8(bytes)) faults.push(fault("no UTF-8", text))
  // The specification has this one error say which version was asked for.
  if (text.includes(canary) && !text.includes('"code":-32022')) faults.push(fault("repeats a rejected value", text))
  if (secrets.some((secret) => text.includes(secret))) faults.push(fault("shows a token"))
  if (stack.test(text)) faults.push(fault("shows a stack", text))
  return faults
}

type Fields = Readonly<Record<string, unknown>>

/** A message as it has to be, and the class of answer that the report counts it under. */
export type Read =
  | { readonly id: unknown; readonly answer: string; readonly result: Fields | undefined }
  | { readonly notification: string }
  | { readonly wrong: string }

const codes = [-32_700, -32_600, -32_601, -32_602, -32_000, -32_020, -32_021, -32_022]

const classes = ["ValidationError", "AuthorizationError", "TransientError", "OutcomeUnknown", "ResultUnavailable"]

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const hasExactly = (fields: Fields, ...names: ReadonlyArray<string>): boolean =>
  Object.keys(fields).length === names.length && names.every((name) => Object.hasOwn(fields, name))

export const readMessage = (text: string): Read => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { wrong: "no JSON" }
  }
  if (!isFields(value) || value["jsonrpc"] !== "2.0") return { wrong: "no JSON-RPC" }
  if (typeof value["method"] === "string" && !Object.hasOwn(value, "id")) return { notification: value["method"] }
  const { id } = value
  if (!(id === null || typeof id === "string" || Number.isFinite(id))) return { wrong: "an id that is none" }
  if (hasExactly(value, "jsonrpc", "id", "error")) {
    const { error } = value
    if (!isFields(error) || typeof error["message"] !== "string") return { wrong: "an error without a message" }
    const code = Number(error["code"])
    return codes.includes(code) ? { id, answer: `error ${code}`, result: undefined } : { wrong: `code ${code}` }
  }
  if (!hasExactly(value, "jsonrpc", "id", "result") || !isFields(value["result"])) return { wrong: "no answer" }
  const { result } = value
  if (result["isError"] !== true) return { id, answer: "result", result }
  const said = isFields(result["_meta"]) ? result["_meta"]["ferrule/error"] : undefined
  const name = isFields(said) ? String(said["class"]) : "none"
  return classes.includes(name) ? { id, answer: name, result } : { wrong: `class ${name}` }
}

/** The note that a call was answered with. */
export const noteOf = (result: Fields | undefined): unknown =>
  isFields(result?.["structuredContent"]) ? result["structuredContent"]["note"] : undefined
