/**
 * A client of bytes: it writes what it is given to a socket of its own, and reads what comes back by RFC 9112 alone, so that
 * neither side of an exchange is tidied up by an HTTP library.
 */
import { Effect } from "effect"
import { connect } from "node:net"

export interface HttpAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
  /** All of it, as it came. */
  readonly raw: Buffer
}

export interface Exchange {
  readonly answers: ReadonlyArray<HttpAnswer>
  /** What came that is no whole answer. */
  readonly rest: Buffer
}

export interface Sending {
  readonly port: number
  readonly pieces: ReadonlyArray<Buffer>
  /** By request, whether it is a HEAD. */
  readonly isHead: ReadonlyArray<boolean>
  /** What is done once all is written. */
  readonly afterwards: "wait" | "half-close" | "leave"
}

/** Exchanges bytes until as many answers came as were asked for, or the server ended the connection. */
export const exchange = ({ port, pieces, isHead, afterwards }: Sending): Effect.Effect<Exchange> =>
  Effect.callback<Exchange>((resume) => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
    const chunks: Array<Buffer> = []
    let exchanged: Exchange = { answers: [], rest: Buffer.alloc(0) }
    const finish = () => {
      socket.destroy()
      resume(Effect.succeed(readAnswers(Buffer.concat(chunks), isHead, true)))
    }
    const sendPiece = (index: number): void => {
      if (socket.destroyed) return
      if (index === pieces.length) {
        if (afterwards === "half-close") socket.end()
        if (afterwards === "leave") finish()
        return
      }
      // The next turn of the event loop makes a packet of its own of it.
      socket.write(pieces[index]!, () => setImmediate(sendPiece, index + 1))
    }
    socket.on("connect", () => sendPiece(0))
    socket.on("data", (chunk) => {
      chunks.push(chunk)
      if (exchanged.answers.length >= isHead.length) return
      exchanged = readAnswers(Buffer.concat(chunks), isHead, false)
      if (isSubscribed(exchanged.rest)) finish()
      // What comes after the last answer shows before the connection ends.
      else if (exchanged.answers.length >= isHead.length) socket.end()
    })
    socket.on("end", finish)
    socket.on("close", finish)
    // The server may end the connection while bytes are still on their way to it.
    socket.on("error", finish)
    return Effect.sync(() => socket.destroy())
  })

/** A subscription stays open, and nothing more comes once it is acknowledged. */
const isSubscribed = (rest: Buffer): boolean => rest.includes('"notifications/subscriptions/acknowledged"')

const readAnswers = (bytes: Buffer, isHead: ReadonlyArray<boolean>, ended: boolean): Exchange => {
  const answers: Array<HttpAnswer> = []
  let rest = bytes
  while (rest.length > 0) {
    const answer = readAnswer(rest, isHead[answers.length] ?? false, ended)
    if (answer === undefined) break
    rest = rest.subarray(answer.raw.length)
    // A provisional answer is followed by the one that counts.
    if (answer.status >= 200) answers.push(answer)
  }
  return { answers, rest }
}

const readAnswer = (bytes: Buffer, isHead: boolean, ended: boolean): HttpAnswer | undefined => {
  const end = bytes.indexOf("\r\n\r\n")
  if (end === -1) return undefined
  const [line = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n")
  const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(line)?.[1])
  const headers = new Map<string, string>()
  for (const each of lines) {
    const [, name, value] = /^([!#$%&'*+.^`|~\w-]+): ?([\x20-\x7e]*)$/.exec(each) ?? []
    if (name === undefined || value === undefined) return undefined
    headers.set(name.toLowerCase(), value)
  }
  const start = end + 4
  const answer = (body: Buffer, size: number) => ({ status, headers, body, raw: bytes.subarray(0, start + size) })
  if (Number.isNaN(status)) return undefined
  if (isHead || status < 200 || status === 204 || status === 304) return answer(Buffer.alloc(0), 0)
  if (headers.get("transfer-encoding") === "chunked") {
    const read = readChunks(bytes.subarray(start))
    return read && answer(read.body, read.size)
  }
  const length = headers.get("content-length")
  if (length === undefined) {
    const closes = headers.get("connection") === "close"
    return closes && ended ? answer(bytes.subarray(start), bytes.length - start) : undefined
  }
  const size = Number(length)
  return bytes.length - start < size ? undefined : answer(bytes.subarray(start, start + size), size)
}

const readChunks = (bytes: Buffer): { readonly body: Buffer; readonly size: number } | undefined => {
  const chunks: Array<Buffer> = []
  let at = 0
  for (;;) {
    const end = bytes.indexOf("\r\n", at)
    if (end === -1) return undefined
    const size = Number.parseInt(bytes.subarray(at, end).toString("latin1"), 16)
    const start = end + 2
    if (Number.isNaN(size) || bytes.length < start + size + 2) return undefined
    chunks.push(bytes.subarray(start, start + size))
    at = start + size + 2
    if (size === 0) return { body: Buffer.concat(chunks), size: at }
  }
}
