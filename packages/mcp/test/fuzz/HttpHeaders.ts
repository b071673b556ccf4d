/**
 * Changes to the headers of a request: what the message has to agree with, who asks, where from, and what else there is.
 */
import * as fc from "fast-check"
import { tokens } from "./desk.ts"
import { bearer, type Change, type HttpRequest, json } from "./HttpRequest.ts"
import { canary } from "./MessageCases.ts"

const withHeader =
  (name: string, ...values: ReadonlyArray<string>) =>
  (request: HttpRequest): HttpRequest => ({
    ...request,
    headers: [
      ...request.headers.filter(([each]) => each.toLowerCase() !== name.toLowerCase()),
      ...values.map((value) => [name, value] as const)
    ]
  })

const also =
  (...headers: HttpRequest["headers"]) =>
  (request: HttpRequest): HttpRequest => ({ ...request, headers: [...request.headers, ...headers] })

const headerChange = (level: string, name: string, ...values: ReadonlyArray<ReadonlyArray<string>>) =>
  fc.constantFrom(...values).map((given): Change => [level, withHeader(name, ...given)])

const contentTypes = headerChange(
  "content type",
  "Content-Type",
  [],
  [""],
  ["text/plain"],
  [`${canary}/json`],
  ["application/jsonp"],
  ["application/json-seq"],
  ["application/vnd.api+json"],
  ["multipart/form-data; boundary=application/json"],
  ["APPLICATION/JSON"],
  ["application/json;charset=utf-8"],
  ['application/json; charset="utf-16"'],
  [`application/json; x=${canary}`],
  ["application/json;"],
  [";"],
  [`text/html, ${json}`],
  [json, "text/plain"],
  ["text/plain", json],
  [json, json]
)

const accepts = headerChange(
  "accept",
  "Accept",
  [],
  [""],
  ["*/*"],
  [json],
  ["text/event-stream"],
  [canary],
  ["a".repeat(2000)]
)

const versions = headerChange(
  "protocol headers",
  "MCP-Protocol-Version",
  [],
  [""],
  ["2026-07-28"],
  ["2025-11-25"],
  ["2025-03-26"],
  ["2024-11-05"],
  ["1999-01-01"],
  ["2026-07-28", "2025-11-25"],
  ["2026-07-28", "2026-07-28"],
  ["__proto__"],
  [canary]
)

const mcpMethods = headerChange(
  "protocol headers",
  "Mcp-Method",
  [],
  [""],
  ["tools/call"],
  ["tools/list"],
  [canary],
  ["TOOLS/CALL"]
)

const mcpNames = headerChange(
  "protocol headers",
  "Mcp-Name",
  [],
  [""],
  ["look"],
  ["set"],
  ["look", "set"],
  ["=?base64?bG9vaw==?="],
  ["=?base64?====?="],
  [`=?base64?${canary}?=`],
  [canary],
  ["\u00ff\u00fe"]
)

const otherHeaders = fc
  .constantFrom<HttpRequest["headers"][number]>(
    ["Mcp-Session-Id", canary],
    ["Last-Event-ID", canary],
    ["Mcp-Param-Name", canary],
    ["Mcp-Param-Name", "=?base64?!?="],
    ["Idempotency-Key", "key-1"],
    ["Idempotency-Key", '"key-2"'],
    ["Idempotency-Key", ""],
    ["Idempotency-Key", canary.repeat(40)],
    ["traceparent", canary],
    ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ["tracestate", "=".repeat(500)],
    ["Cookie", `token=${canary}`],
    ["X-Forwarded-Host", "evil.example"],
    ["X-Forwarded-For", canary],
    ["Forwarded", "host=evil.example"],
    ["X-HTTP-Method-Override", "GET"],
    ["X-Original-URL", "/admin"],
    ["Content-Encoding", "gzip"],
    ["Content-Encoding", canary],
    ["Range", "bytes=0-1"],
    ["If-None-Match", "*"],
    ["TE", "trailers"],
    ["__proto__", canary],
    ["constructor", canary],
    ["toString", canary],
    ["X", "\u0080\u00ff"],
    ["Connection", "close"],
    ["Connection", canary],
    ["Connection", "host, authorization, content-length"],
    ["Keep-Alive", "timeout=99999"]
  )
  .map((header): Change => ["other headers", also(header)])

const upgrades = fc
  .constantFrom<HttpRequest["headers"]>(
    [
      ["Connection", "Upgrade"],
      ["Upgrade", "h2c"]
    ],
    [
      ["Connection", "Upgrade, HTTP2-Settings"],
      ["Upgrade", "h2c"],
      ["HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"]
    ],
    [
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Version", "13"],
      ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="]
    ],
    [
      ["Connection", "Upgrade"],
      ["Upgrade", canary]
    ],
    [["Upgrade", "h2c"]]
  )
  .map((headers): Change => ["upgrade", also(...headers)])

const expectations = headerChange("expect", "Expect", ["100-continue"], ["100-Continue"], [canary], ["200-ok"], [""])

const manyHeaders = fc
  .constantFrom<HttpRequest["headers"]>(
    [["X-Long", "x".repeat(20_000)]],
    [["X-Long", "x".repeat(15_000)]],
    Array.from({ length: 1500 }, (_, index) => [`x${index}`, ""] as const),
    Array.from({ length: 500 }, () => ["Mcp-Name", "look"] as const),
    [["x".repeat(20_000), "x"]]
  )
  .map((headers): Change => ["many headers", also(...headers)])

const authorizations = headerChange(
  "authorization",
  "Authorization",
  [],
  [""],
  ["Bearer"],
  ["Bearer "],
  [bearer(canary)],
  [bearer(`${tokens.ada}x`)],
  [bearer(tokens.ada.slice(0, -1))],
  [bearer(`${tokens.ada},${tokens.vic}`)],
  [`${bearer(tokens.ada)}, ${bearer(tokens.vic)}`],
  [bearer(tokens.ada), bearer(tokens.vic)],
  [bearer(tokens.ada), bearer(tokens.ada)],
  [bearer(tokens.vic)],
  [bearer(tokens.eve)],
  [bearer(tokens.outage)],
  [`bearer   ${tokens.ada}  `],
  [`BEARER ${tokens.ada}`],
  [`Bearer\t${tokens.ada}`],
  [`Bearer "${tokens.ada}"`],
  [`Basic ${canary}`],
  [`Digest username="${canary}"`],
  [tokens.ada],
  [bearer("a".repeat(9000))],
  [bearer("\u00e4\u00f6\u00fc")]
)

const hosts = headerChange(
  "host",
  "Host",
  [],
  [""],
  ["evil.example"],
  ["localhost.evil.example"],
  ["localhost@evil.example"],
  ["evil.example:80"],
  ["localhost, evil.example"],
  ["localhost", "evil.example"],
  ["localhost", "localhost"],
  ["LOCALHOST"],
  ["localhost:99"],
  ["127.0.0.1:1"],
  ["[::1]"],
  ["127.1"],
  ["localhost:notaport"],
  ["localhost/x"],
  ["\u00ff"],
  [canary],
  ["0x7f000001"],
  ["[::ffff:127.0.0.1]"]
)

const origins = headerChange(
  "origin",
  "Origin",
  [""],
  ["null"],
  ["https://evil.example"],
  ["http://localhost:3000"],
  ["https://127.0.0.1"],
  ["http://[::1]"],
  ["localhost"],
  ["file://"],
  ["http://localhost:3000", "https://evil.example"],
  [`https://${canary}.example`],
  ["http://localhost@evil.example"]
)

export const headerChanges: fc.Arbitrary<Change> = fc.oneof(
  contentTypes,
  accepts,
  versions,
  mcpMethods,
  mcpNames,
  { weight: 2, arbitrary: otherHeaders },
  upgrades,
  expectations,
  manyHeaders,
  { weight: 2, arbitrary: authorizations },
  hosts,
  origins
)
