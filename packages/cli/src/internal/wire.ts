/**
 * Requests of both revisions as they are on the wire, for what a well-behaved client would not send.
 */
import type { Exchange } from "../Report.ts"
import type { Answer, Era, RawRequest } from "./Bench.ts"
import { cut } from "./Call.ts"

export interface Message {
  readonly era: Era
  readonly method: string
  readonly params?: Readonly<Record<string, unknown>>
  /** None where it is undefined. */
  readonly token?: string | undefined
  /** Further headers, or others in the place of the right ones. */
  readonly headers?: RawRequest["headers"]
}

export const request = ({ era, headers = {}, method, params = {}, token }: Message): RawRequest => ({
  headers: {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": era,
    ...(era === "2026-07-28" && { "mcp-method": method }),
    ...(era === "2026-07-28" && typeof params["name"] === "string" && { "mcp-name": params["name"] }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...headers
  },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: era === "2026-07-28" ? withEnvelope(params) : params })
})

/** What each request of this revision says of its client. */
const withEnvelope = (params: Readonly<Record<string, unknown>>) => ({
  ...params,
  _meta: {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "ferrule-audit", version: "1" },
    ...(params["_meta"] as object | undefined)
  }
})

/** A request and its answer for a transcript, with what a refusal says in its header. */
export const exchange = (what: string, sent: string, answer: Answer): Exchange => ({
  what,
  sent,
  answered: said(answer),
  millis: answer.millis
})

export const said = ({ headers, status, text }: Answer): string =>
  cut([status, headers.get("www-authenticate"), text].filter((part) => part !== null && part !== "").join(" "))

/** The message that asks a server what it is. */
export const greeting = (era: Era, token?: string): RawRequest =>
  era === "2026-07-28"
    ? request({ era, method: "server/discover", token })
    : request({
        era,
        method: "initialize",
        params: {
          protocolVersion: era,
          capabilities: {},
          clientInfo: { name: "ferrule-audit", version: "1" }
        },
        token
      })

/** The JSON-RPC message of an answer, which may come as the one event of a stream. */
export const messageOf = (text: string): Readonly<Record<string, unknown>> | undefined => {
  const data = text.startsWith("{") ? text : /^data: (\{.*\})$/m.exec(text)?.[1]
  try {
    return data === undefined ? undefined : (JSON.parse(data) as Readonly<Record<string, unknown>>)
  } catch {
    return undefined
  }
}

/** The code of a JSON-RPC error. */
export const codeOf = (text: string): number | undefined => {
  const error = messageOf(text)?.["error"]
  return typeof error === "object" && error !== null && "code" in error && typeof error.code === "number"
    ? error.code
    : undefined
}
