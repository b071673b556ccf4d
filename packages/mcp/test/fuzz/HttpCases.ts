/**
 * The grammar of HTTP requests around a message: the request line, the headers that the message has to agree with, who
 * asks, where from, how the body is framed and how its bytes arrive.
 */
import * as fc from "fast-check"
import { tokens } from "./desk.ts"
import { canary, type Message, messages } from "./MessageCases.ts"

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

/** What a connection carries, and how: `cut` leaves after that part of the bytes, `halfClose` says that no more will come. */
export interface HttpCase {
  readonly requests: ReadonlyArray<HttpRequest>
  readonly delivery: Delivery
  /** The category that the report counts it under. */
  readonly category: string
}

export type Delivery =
  | { readonly kind: "at once" }
  | { readonly kind: "in pieces"; readonly pieces: number }
  | { readonly kind: "cut"; readonly at: number; readonly halfClose: boolean }

export type MakeHttpCase = (note: string) => HttpCase

type Change = readonly [level: string, apply: (request: HttpRequest) => HttpRequest]

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

const json = "application/json"

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

const bearer = (token: string) => `Bearer ${token}`

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

const targets = fc
  .constantFrom(
    "/",
    "/mcp?",
    "/mcp?x=1",
    `/mcp?access_token=${canary}`,
    `/mcp?token=${canary}`,
    "/mcp?access%5ftoken=x",
    "/mcp#x",
    "/mcp/",
    "/mcp/x",
    "/MCP",
    "//mcp",
    "/./mcp",
    "/x/../mcp",
    "/%6dcp",
    "/mcp%00",
    "/mcp%ff",
    "/mcp%",
    "/%ff%fe",
    "/mcp;x=1",
    "\\mcp",
    "mcp",
    "*",
    "",
    "http://localhost/mcp",
    "http://evil.example/mcp",
    "http://localhost@evil.example/mcp",
    "https://localhost/mcp?x",
    "http://[/mcp",
    "ftp://localhost/mcp",
    "localhost:80",
    `/${canary}`,
    `/${"a".repeat(10_000)}`,
    `/${"a".repeat(20_000)}`,
    "/mcp\u00ff",
    "/__proto__",
    "/mcp?__proto__[x]=1",
    "/.well-known/oauth-protected-resource/mcp"
  )
  .map((target): Change => ["path", (request) => ({ ...request, target })])

const methods = fc
  .constantFrom(
    "GET",
    "HEAD",
    "OPTIONS",
    "PUT",
    "PATCH",
    "DELETE",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "SEARCH",
    "QUERY",
    "PURGE",
    "M-SEARCH",
    "post",
    "POSTS",
    "BREW",
    "PRI",
    ""
  )
  .map((method): Change => ["method", (request) => ({ ...request, method })])

const httpVersions = fc
  .constantFrom("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "HTTP/1.1 ", "http/1.1", "HTTP/11", "ICY/1.1", "")
  .map((version): Change => ["HTTP version", (request) => ({ ...request, version })])

const framings = fc
  .oneof(
    fc
      .record({
        size: fc.constantFrom(1, 7, 64, 1000, 100_000),
        extension: fc.constantFrom("", "", ";a=b", `;${canary}`, `;x="${"y".repeat(200)}"`),
        trailer: fc.constantFrom("", "", `X-Trailer: ${canary}\r\n`, "Authorization: Bearer x\r\n")
      })
      .map((chunks): Framing => ({ kind: "chunks", ...chunks })),
    fc.constant<Framing>({ kind: "none" }),
    fc
      .constantFrom(
        "Content-Length: -1\r\n",
        "Content-Length: x\r\n",
        "Content-Length: 1e3\r\n",
        "Content-Length: 0x10\r\n",
        "Content-Length: +10\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
        "Content-Length: 10\r\nContent-Length: 11\r\n",
        "Content-Length: 10, 10\r\n",
        "Content-Length: \r\n",
        "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 10\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X-A: b\r\n continued\r\n",
        "X-A: b\rc: d\r\n",
        "X-A: b\nc: d\r\n",
        "X-A: \u0000\r\n",
        "X-A\u0000: b\r\n",
        ": no name\r\n",
        "no colon\r\n",
        "X A: b\r\n",
        " X-A: b\r\n",
        "(X): b\r\n"
      )
      .map((lines): Framing => ({ kind: "bad head", lines })),
    fc
      .constantFrom(
        "x\r\n",
        "-1\r\n",
        "\r\n",
        "ffffffffffffffffff\r\n",
        "5 \r\n",
        "5\n",
        `5;${"x".repeat(20_000)}\r\n`,
        "0x5\r\n"
      )
      .map((line): Framing => ({ kind: "bad chunks", line })),
    fc.constant<Framing>({ kind: "length is less" }),
    fc.constant<Framing>({ kind: "length is more" })
  )
  .map((framing): Change => ["framing", (request) => ({ ...request, framing })])

const httpChange = fc.oneof(
  contentTypes,
  accepts,
  versions,
  mcpMethods,
  mcpNames,
  otherHeaders,
  otherHeaders,
  upgrades,
  expectations,
  manyHeaders,
  authorizations,
  authorizations,
  hosts,
  origins,
  targets,
  methods,
  httpVersions,
  framings,
  framings
)

const plain = (message: Message): HttpRequest => ({
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

const request = (giants: number) =>
  fc
    .record({
      message: messages(giants),
      changes: fc.oneof(
        { weight: 3, arbitrary: fc.constant<ReadonlyArray<Change>>([]) },
        {
          weight: 4,
          arbitrary: fc.array(httpChange, { minLength: 1, maxLength: 2 }) as fc.Arbitrary<ReadonlyArray<Change>>
        }
      )
    })
    .map(({ message, changes }): ((note: string) => HttpRequest) => (note) => {
      const made = changes.reduce((request, [, apply]) => apply(request), plain(message(note)))
      return { ...made, changes: [...made.changes, ...changes.map(([level]) => level)] }
    })

const delivery = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Delivery>({ kind: "at once" }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(2, 3, 10, 40).map((pieces): Delivery => ({ kind: "in pieces", pieces }))
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), halfClose: fc.boolean() })
      .map((cut): Delivery => ({ kind: "cut", ...cut }))
  }
)

/** `giants` says how many messages in a thousand are of sizes around the limit. */
export const httpCases = (giants: number): fc.Arbitrary<MakeHttpCase> =>
  fc
    .record({
      requests: fc.oneof(
        { weight: 9, arbitrary: fc.array(request(giants), { minLength: 1, maxLength: 1 }) },
        { weight: 1, arbitrary: fc.array(request(0), { minLength: 2, maxLength: 5 }) }
      ),
      delivery
    })
    .map(({ requests, delivery }): MakeHttpCase => (note) => {
      const all = requests.map((make, index) => make(index === 0 ? note : `${note}.${index}`))
      // What a client sends along with a request for an upgrade, Node takes for the other protocol and drops.
      const last = all.findIndex(({ changes }) => changes.includes("upgrade"))
      const made = last === -1 ? all : all.slice(0, last + 1)
      return { requests: made, delivery, category: categoryOf(made, delivery) }
    })

const categoryOf = (requests: ReadonlyArray<HttpRequest>, { kind }: Delivery): string =>
  requests.length > 1
    ? "pipelined"
    : kind === "cut"
      ? "left half-way"
      : (requests[0]?.changes.at(-1) ?? "nothing changed")

/** A single request that is right in all respects. */
export const httpProbe = (message: Message): HttpCase => ({
  requests: [plain(message)],
  delivery: { kind: "at once" },
  category: "probe"
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
