/**
 * Reads the HTTP/1.1 requests (RFC 9112) in what was written to one connection.
 */

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: string
}

/** What was written: the requests, and whatever follows them that is none, as text. */
export interface Written {
  readonly requests: ReadonlyArray<HttpRequest>
  readonly rest: string
}

const head = /^([A-Z]{1,20}) (\S{1,65536}) HTTP\/1\.[01]\r\n((?:[^\r\n]+\r\n)*)\r\n/

/** `origin` is what requests are to unless they name a host. */
export const read = (bytes: Buffer, origin: string): Written => {
  // One character for each byte, so that lengths are those on the wire.
  const text = bytes.toString("latin1")
  const requests: Array<HttpRequest> = []
  let at = 0
  for (;;) {
    const [all, method, target, lines] = head.exec(text.slice(at)) ?? []
    if (all === undefined || method === undefined || target === undefined) break
    const headers = headersOf((lines ?? "").split("\r\n"))
    const url = urlOf(origin, headers.get("host"), target)
    if (url === undefined) break
    at += all.length
    const body = bodyOf(text.slice(at), headers)
    at += body.length
    requests.push({ method, url, headers, body: utf8(body.content) })
  }
  return { requests, rest: utf8(text.slice(at)) }
}

const utf8 = (latin1: string) => Buffer.from(latin1, "latin1").toString("utf8")

/** The headers that lines say, without what is none. */
export const headersOf = (lines: ReadonlyArray<string>): Headers => {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (/^[!#$%&'*+.^_`|~\w-]+$/.test(line.slice(0, Math.max(0, colon)))) {
      headers.append(line.slice(0, colon), line.slice(colon + 1).replace(/[\0\r\n]/g, ""))
    }
  }
  return headers
}

const urlOf = (origin: string, host: string | null, target: string): URL | undefined => {
  const { protocol } = new URL(origin)
  // A proxy is asked with a whole address, or by CONNECT with a host.
  const base = host === null ? origin : `${protocol}//${host}`
  return (/^[\w.-]+:\d+$/.test(target) ? URL.parse(`${protocol}//${target}`) : URL.parse(target, base)) ?? undefined
}

interface Body {
  readonly content: string
  /** How much of the text it takes. */
  readonly length: number
}

/** As far as it was written. */
const bodyOf = (text: string, headers: Headers): Body => {
  if (/\bchunked\b/i.test(headers.get("transfer-encoding") ?? "")) return chunked(text)
  const length = Math.min(text.length, Number(headers.get("content-length") ?? 0) || 0)
  return { content: text.slice(0, length), length }
}

const chunked = (text: string): Body => {
  let content = ""
  let at = 0
  for (;;) {
    const [line, size] = /^(?:\r\n)?([0-9a-f]{1,8})[^\r\n]*\r\n/i.exec(text.slice(at)) ?? []
    if (line === undefined || size === undefined) return { content, length: text.length }
    at += line.length
    const length = Number.parseInt(size, 16)
    if (length === 0) {
      const end = text.indexOf("\r\n", at)
      return { content, length: end === -1 ? text.length : end + 2 }
    }
    content += text.slice(at, at + length)
    at += length + 2
  }
}
