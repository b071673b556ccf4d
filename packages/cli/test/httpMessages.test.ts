import { assert, describe, it } from "@effect/vitest"
import { read } from "../src/internal/bench/httpMessages.ts"

const origin = "http://10.0.0.1:8080"

const linesOf = (text: string) => {
  const { requests, rest } = read(Buffer.from(text), origin)
  return { requests: requests.map(({ body, method, url }) => [method, url.href, body]), rest }
}

describe("what was written to a connection", () => {
  it("is read as the requests that it holds, one after the other", () => {
    const text = [
      "POST /a?b=1 HTTP/1.1\r\nHost: desk.test\r\nContent-Length: 5\r\n\r\nsn\u00f8w",
      "GET /b HTTP/1.1\r\nhost: desk.test:81\r\n\r\n",
      "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
      "DELETE /d HTTP/1.0\r\n\r\n"
    ].join("")
    assert.deepStrictEqual(linesOf(text), {
      requests: [
        ["POST", "http://desk.test/a?b=1", "sn\u00f8w"],
        ["GET", "http://desk.test:81/b", ""],
        ["PUT", "http://10.0.0.1:8080/c", "abcde"],
        ["DELETE", "http://10.0.0.1:8080/d", ""]
      ],
      rest: ""
    })
  })

  it("keeps the headers, each that is there several times, and none that is no header", () => {
    const { requests } = read(
      Buffer.from("GET / HTTP/1.1\r\nX-A: 1\r\nX-A: 2\r\nno header\r\n: empty\r\nb\u00fc: 3\r\n\r\n"),
      origin
    )
    assert.deepStrictEqual([...requests[0]!.headers], [["x-a", "1, 2"]])
  })

  it("is read by the proxy that is asked", () => {
    const text =
      "GET http://desk.test/a HTTP/1.1\r\nHost: proxy\r\n\r\nCONNECT desk.test:443 HTTP/1.1\r\n\r\n\u0016\u0003\u0001"
    assert.deepStrictEqual(linesOf(text), {
      requests: [
        ["GET", "http://desk.test/a", ""],
        ["CONNECT", "http://desk.test:443/", ""]
      ],
      rest: "\u0016\u0003\u0001"
    })
  })

  it("is read as far as it goes", () => {
    assert.deepStrictEqual(linesOf("POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc").requests, [
      ["POST", "http://10.0.0.1:8080/a", "abc"]
    ])
    assert.deepStrictEqual(linesOf("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc").requests, [
      ["POST", "http://10.0.0.1:8080/a", "abc"]
    ])
  })

  it("is left as it is where it is no request", () => {
    for (const text of [
      "",
      "PING\r\n",
      "GET /a HTTP/2\r\n\r\n",
      "GET /a HTTP/1.1\r\nHost: a",
      "*1\r\n$4\r\nPING\r\n"
    ]) {
      assert.deepStrictEqual(linesOf(text), { requests: [], rest: text })
    }
  })
})
