/**
 * Over HTTP: one keep-alive connection for each caller, and HTTP/1.1 written and read by hand. Node's own client costs
 * more than the cheaper servers do, and would hide how far apart they are.
 */
import { connect, type Socket } from "node:net"
import { Progress } from "../Load.ts"
import { answeredId, bearerToken, checking, handshake, requestsOf, toolOf } from "../Workload.ts"
import { type Memory, type Running, startChild, type Subject } from "./child.ts"

export const start = async (subject: Subject): Promise<Running> => {
  const { name, revision, work } = subject
  const child = await startChild("http", subject)
  const {
    path,
    port,
    token = bearerToken
  } = child.ready as {
    readonly path: string
    readonly port: number
    readonly token?: string
  }

  const headers =
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
    `Accept: application/json, text/event-stream\r\nAuthorization: Bearer ${token}\r\n`
  const opening = await openSession(port, headers, revision === "2025-11-25")
  const callHeaders =
    headers +
    `MCP-Protocol-Version: ${revision}\r\n` +
    (revision === "2025-11-25" ? opening : `Mcp-Method: tools/call\r\nMcp-Name: ${toolOf(work)}\r\n`)
  const request = requestsOf(revision, work)
  let lastId = 1
  const next = (): string => post(callHeaders, request(++lastId))

  const checkText = checking(revision)
  const check = (response: Response, id: number): void => {
    const { body, head } = response
    if (!head.startsWith("HTTP/1.1 200")) throw new Error(`${name} answered ${head}\r\n\r\n${body}`)
    checkText(body, () => textOf(response))
    if (answeredId(body) !== id && answeredId(textOf(response)) !== id) {
      throw new Error(`${name} answered another call: ${body}`)
    }
  }

  const first = await Connection.open(port)
  check(await first.exchange(next()), lastId)
  first.close()

  return {
    measure: async (window) => {
      // Opened for each window: a server closes a connection that waits for its turn too long.
      const connections = await Promise.all(Array.from({ length: window.concurrency }, () => Connection.open(port)))
      const progress = new Progress(window)
      const calls = connections.map(
        (connection) =>
          new Promise<void>((done, failed) => {
            let id = 0
            const call = (): void => {
              if (!progress.mayStart()) return done()
              connection.write(next())
              id = lastId
            }
            connection.failed = failed
            connection.receive = (response) => {
              try {
                check(response, id)
              } catch (error) {
                return failed(error)
              }
              progress.calls++
              call()
            }
            call()
          })
      )
      await Promise.race([Promise.all(calls), child.died])
      const measured = progress.measured()
      for (const connection of connections) connection.close()
      return measured
    },
    memory: async () => (await child.ask({ memory: true })) as unknown as Memory,
    stop: child.stop
  }
}

/** Initializes, if the revision asks for it, and gives the header of the session, if the server opened one. */
const openSession = async (port: number, headers: string, wanted: boolean): Promise<string> => {
  if (!wanted) return ""
  const connection = await Connection.open(port)
  const { head } = await connection.exchange(post(headers, handshake[0]))
  const id = /^mcp-session-id: *(\S+)/im.exec(head)?.[1]
  const session = id === undefined ? "" : `Mcp-Session-Id: ${id}\r\n`
  await connection.exchange(post(headers + session + "MCP-Protocol-Version: 2025-11-25\r\n", handshake[1]))
  connection.close()
  return session
}

const post = (headers: string, body: string): string => `${headers}Content-Length: ${body.length}\r\n\r\n${body}`

interface Response {
  readonly head: string
  /** The body as it came, with the sizes of its chunks. */
  readonly body: string
}

/** One connection that carries one request at a time; every character is one byte. */
class Connection {
  receive: (response: Response) => void = () => {}
  failed: (error: Error) => void = () => {}

  private readonly socket: Socket
  private received = ""

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding("latin1").setNoDelay(true)
    socket.on("data", (chunk: unknown) => this.take(chunk as string))
    socket.on("error", (error) => this.failed(error))
    socket.on("close", () => this.failed(new Error("the server closed the connection")))
  }

  static open(port: number): Promise<Connection> {
    return new Promise((opened, failed) => {
      const socket = connect(port, "127.0.0.1", () => opened(new Connection(socket)))
      socket.once("error", failed)
    })
  }

  write(request: string): void {
    this.socket.write(request, "latin1")
  }

  exchange(request: string): Promise<Response> {
    return new Promise((answered, failed) => {
      this.receive = answered
      this.failed = failed
      this.write(request)
    })
  }

  close(): void {
    this.socket
      .removeAllListeners()
      .on("error", () => {})
      .destroy()
  }

  private take(chunk: string): void {
    this.received += chunk
    const end = this.received.indexOf("\r\n\r\n")
    if (end < 0) return
    const head = this.received.slice(0, end)
    const body = this.received.slice(end + 4)
    const length = /content-length: *(\d+)/i.exec(head)?.[1]
    const whole =
      length !== undefined ? body.length >= Number(length) : !isChunked(head) || `\r\n${body}`.endsWith("\r\n0\r\n\r\n")
    if (!whole) return
    this.received = ""
    this.receive({ head, body })
  }
}

const isChunked = (head: string): boolean => /transfer-encoding: *chunked/i.test(head)

/** The JSON text in a response: without the sizes of chunks, and out of its event stream. */
const textOf = ({ body, head }: Response): string => {
  let text = body
  if (isChunked(head)) {
    text = ""
    for (let at = 0, size; (size = Number.parseInt(body.slice(at, at + 8), 16)) > 0; at += size + 2) {
      at = body.indexOf("\r\n", at) + 2
      text += body.slice(at, at + size)
    }
  }
  const data = text.split("\n").findLast((line) => line.startsWith("data: {"))
  return Buffer.from(data?.slice(6) ?? text, "latin1").toString("utf8")
}
