/**
 * An HTTP request around a message, as it is before it is written: nothing of it is made to fit together, so that any part
 * may be wrong.
 */
import { tokens } from "./desk.ts"
import type { Message } from "./MessageCases.ts"

export interface HttpRequest {
  readonly method: string
  readonly target: string
  readonly version: string
  /** In order and as written, without those that frame the body. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly message: Message
  readonly framing: Framing
  readonly changes: ReadonlyArray<string>
}

/** How the body is framed. The kinds after the first three are wrong in a way that RFC 9112 names. */
export type Framing =
  | { readonly kind: "length" }
  | { readonly kind: "chunks"; readonly size: number; readonly extension: string; readonly trailer: string }
  | { readonly kind: "none" }
  | { readonly kind: "bad head"; readonly lines: string }
  | { readonly kind: "bad chunks"; readonly line: string }
  | { readonly kind: "length is less" }
  | { readonly kind: "length is more" }

/** A change to one part of a request, and the category that the report counts it under. */
export type Change = readonly [level: string, apply: (request: HttpRequest) => HttpRequest]

export const bearer = (token: string) => `Bearer ${token}`

export const json = "application/json"

/** A request that is right in all respects, but for its message. */
export const plain = (message: Message): HttpRequest => ({
  method: "POST",
  target: "/mcp",
  version: "HTTP/1.1",
  headers: [
    ["Host", "localhost"],
    ["Authorization", bearer(tokens.ada)],
    ["Content-Type", json],
    ["Accept", `${json}, text/event-stream`],
    ["MCP-Protocol-Version", message.era === "modern" ? "2026-07-28" : "2025-11-25"],
    ...(message.era === "legacy"
      ? []
      : [
          ["Mcp-Method", message.method] as const,
          ...(message.name === undefined ? [] : [["Mcp-Name", message.name] as const])
        ])
  ],
  message,
  framing: { kind: "length" },
  changes: message.changes
})

/** The request as it goes over the wire. */
export const bytesOf = ({ method, target, version, headers, message, framing }: HttpRequest): Buffer => {
  const body = message.bytes
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  const head = (more: string) => Buffer.from(`${method} ${target} ${version}\r\n${lines}${more}\r\n`, "latin1")
  const chunked = "Transfer-Encoding: chunked\r\n"
  switch (framing.kind) {
    case "length":
      return Buffer.concat([head(`Content-Length: ${body.length}\r\n`), body])
    case "length is less":
      return Buffer.concat([head(`Content-Length: ${Math.max(0, body.length - 5)}\r\n`), body])
    case "length is more":
      return Buffer.concat([head(`Content-Length: ${body.length + 5}\r\n`), body])
    case "none":
      return head("")
    case "bad head":
      return Buffer.concat([head(framing.lines), body])
    case "bad chunks":
      return Buffer.concat([head(chunked), Buffer.from(framing.line), body])
    case "chunks": {
      const parts: Array<Buffer> = [head(chunked)]
      // Each chunk costs the parser a callback, so there are at most a thousand.
      const size = Math.max(framing.size, Math.ceil(body.length / 1000))
      for (let start = 0; start < body.length; start += size) {
        const chunk = body.subarray(start, start + size)
        parts.push(Buffer.from(`${chunk.length.toString(16)}${framing.extension}\r\n`), chunk, Buffer.from("\r\n"))
      }
      return Buffer.concat([...parts, Buffer.from(`0\r\n${framing.trailer}\r\n`)])
    }
  }
}
