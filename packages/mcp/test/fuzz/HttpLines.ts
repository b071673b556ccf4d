/**
 * Changes to what a request is on the wire: its first line, and how its body is framed.
 */
import * as fc from "fast-check"
import type { Change, Framing } from "./HttpRequest.ts"
import { canary } from "./MessageCases.ts"

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

export const lineChanges: fc.Arbitrary<Change> = fc.oneof(targets, methods, httpVersions, {
  weight: 2,
  arbitrary: framings
})
