/**
 * Watches what leaves this process, whichever client sends it: each byte that is written to a TCP, TLS or local socket,
 * before it is encrypted, the headers of HTTP/2, and each connection, program, thread and datagram socket that begins.
 *
 * The audit's own traffic is left out. A socket does not say who writes to it, so whoever asks calls one tool at a time.
 * What native code sends by itself is not seen, nor a thread or a program that began before anybody watched.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type * as Scope from "effect/Scope"
import { Socket } from "node:net"
import { type HttpRequest, read } from "./httpMessages.ts"
import { type Way, watchWays } from "./ways.ts"

export interface Egress {
  /** The present moment, for `since`. */
  readonly mark: () => number
  readonly since: (mark: number) => Departed
}

export interface Departed {
  readonly requests: ReadonlyArray<HttpRequest>
  /** What was written to a connection and is no HTTP, and what programs were started with. */
  readonly messages: ReadonlyArray<{ readonly to: string; readonly text: string }>
  /** Where connections were begun to, as `host:port` or a path, whether they came about or not. */
  readonly connections: ReadonlyArray<string>
  /**
   * By what else something may have left that can't be read, such as "a connection to db.test:5432". What was there before
   * `mark` is among it, since it may be used again.
   */
  readonly unseen: ReadonlyArray<string>
}

/** One end of a connection that this process has opened. */
interface Connection {
  readonly to: string
  readonly isEncrypted: boolean
  isOpen: boolean
  isWrittenTo: boolean
}

interface Watcher {
  readonly connected: (connection: Connection) => void
  readonly wrote: (connection: Connection, bytes: Buffer) => void
  readonly began: (way: Way) => void
}

/** Watches until the scope closes. */
export const watch: Effect.Effect<Egress, never, Scope.Scope> = Effect.gen(function* () {
  const log: Array<{ readonly connection: Connection; readonly bytes: Buffer; readonly at: number }> = []
  const connections: Array<{ readonly connection: Connection; readonly at: number }> = []
  const ways: Array<Way & { readonly at: number }> = []
  const mark = () => log.length + connections.length + ways.length
  const watcher: Watcher = {
    connected: (connection) => {
      connections.push({ connection, at: mark() })
    },
    wrote: (connection, bytes) => {
      log.push({ connection, bytes, at: mark() })
    },
    began: (way) => {
      ways.push({ ...way, at: mark() })
    }
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => add(watcher)),
    () => Effect.sync(() => remove(watcher))
  )
  return {
    mark,
    since: (mark) => {
      const written = Array.from(
        Map.groupBy(
          log.filter(({ at }) => at >= mark),
          ({ connection }) => connection
        ),
        ([{ isEncrypted, to }, pieces]) => {
          const bytes = Buffer.concat(pieces.map(({ bytes }) => bytes))
          const scheme = isEncrypted ? "https" : "http"
          // A local socket has a path in the place of a host.
          const origin = URL.parse(`${scheme}://${to}`)?.origin ?? `${scheme}://localhost`
          return { to, ...read(bytes, origin) }
        }
      )
      const said = ways.filter(({ at }) => at >= mark).map((way) => way.said?.() ?? {})
      const requests = [...written, ...said].flatMap((each) => each.requests ?? [])
      const upgraded = requests.filter(({ headers, method }) => headers.has("upgrade") && method !== "CONNECT")
      const silent = connections.filter(({ connection }) => connection.isOpen && !connection.isWrittenTo)
      return {
        requests,
        connections: connections.filter(({ at }) => at >= mark).map(({ connection }) => connection.to),
        messages: [
          ...written.filter(({ rest }) => rest !== "").map(({ rest, to }) => ({ to, text: rest })),
          ...said.flatMap(({ messages = [] }) => messages)
        ],
        unseen: [
          ...new Set([
            ...silent.map(({ connection }) => `a connection to ${connection.to}`),
            ...upgraded.map(({ url }) => `a connection to ${url.host} that was upgraded`),
            ...ways.flatMap(({ unseen = [] }) => unseen)
          ])
        ]
      }
    }
  } satisfies Egress
})

/** Leaves out the requests that effects of this `within` send by Effect's HttpClient over fetch. */
export const leaveOut = (egress: Egress) => {
  const left: Array<{ readonly at: number; readonly line: string }> = []
  const noting =
    (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
    (input, init) => {
      const request = new Request(input, init)
      left.push({ at: egress.mark(), line: `${request.method} ${request.url}` })
      return fetch(request)
    }
  return {
    within: <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.withFiber((fiber) =>
        Effect.provideService(effect, FetchHttpClient.Fetch, noting(fiber.getRef(FetchHttpClient.Fetch)))
      ),
    egress: {
      ...egress,
      since: (mark) => {
        const departed = egress.since(mark)
        const lines = left.filter(({ at }) => at >= mark).map(({ line }) => line)
        const requests = departed.requests.filter(({ method, url }) => {
          const at = lines.indexOf(`${method} ${url.href}`)
          if (at !== -1) lines.splice(at, 1)
          return at === -1
        })
        return { ...departed, requests }
      }
    } satisfies Egress
  }
}

const ours = new Map<number, number>()

/** Counts what goes to this port of this machine as the audit's own until the scope closes. */
export const isOurs = (port: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => void ours.set(port, (ours.get(port) ?? 0) + 1)),
    () => Effect.sync(() => void ours.set(port, ours.get(port)! - 1))
  )

const watchers = new Set<Watcher>()
const known = new WeakMap<Socket, Connection | "ours">()
let restore: (() => void) | undefined

const add = (watcher: Watcher) => {
  watchers.add(watcher)
  if (watchers.size > 1) return
  const restores = [...interceptSockets(), ...watchWays((way) => watchers.forEach(({ began }) => began(way)))]
  restore = () => restores.forEach((each) => each())
}

const remove = (watcher: Watcher) => {
  watchers.delete(watcher)
  if (watchers.size === 0) restore?.()
}

/** What a writable stream does with what it is given: every client of Node's, and those built on it, come by here. */
interface Writing {
  connect: (this: Socket, ...args: ReadonlyArray<unknown>) => unknown
  _write: (this: Socket, chunk: unknown, encoding: BufferEncoding, done: unknown) => unknown
  _writev: (this: Socket, chunks: ReadonlyArray<Chunk>, done: unknown) => unknown
}

interface Chunk {
  readonly chunk: unknown
  readonly encoding: BufferEncoding
}

const interceptSockets = (): ReadonlyArray<() => void> => {
  // Node's types leave out what a stream implements for itself.
  const prototype = Socket.prototype as unknown as Writing
  const { _write, _writev, connect } = prototype
  prototype.connect = function (...args) {
    connecting(this, args)
    return connect.call(this, ...args)
  }
  prototype._write = function (chunk, encoding, done) {
    writing(this, [{ chunk, encoding }])
    return _write.call(this, chunk, encoding, done)
  }
  prototype._writev = function (chunks, done) {
    writing(this, chunks)
    return _writev.call(this, chunks, done)
  }
  return [() => void Object.assign(prototype, { _write, _writev, connect })]
}

const connecting = (socket: Socket, args: ReadonlyArray<unknown>) => {
  const connection = connectionTo(socket, targetOf(args))
  known.set(socket, connection)
  if (connection === "ours") return
  socket.once("connect", () => {
    connection.isOpen = true
  })
  watchers.forEach(({ connected }) => connected(connection))
}

interface Target {
  readonly port?: unknown
  readonly host?: unknown
  readonly path?: unknown
}

/** As `net.connect` takes it: options, a path, or a port and a host; Node's own calls have them in an array. */
const targetOf = ([first, second]: ReadonlyArray<unknown>): Target => {
  if (Array.isArray(first)) return targetOf(first)
  if (typeof first === "object" && first !== null) return first
  return typeof first === "string" && !/^\d+$/.test(first) ? { path: first } : { port: first, host: second }
}

const loopback = ["localhost", "127.0.0.1", "::1"]

const connectionTo = (socket: Socket, { host, path, port }: Target): Connection | "ours" => {
  const isEncrypted = "encrypted" in socket && socket.encrypted === true
  // Options for a connection over TLS have the path of a request besides.
  if (port === undefined || port === null) {
    return { to: String(path), isEncrypted, isOpen: false, isWrittenTo: false }
  }
  const name = typeof host === "string" && host !== "" ? host : "localhost"
  if (loopback.includes(name) && (ours.get(Number(port)) ?? 0) > 0) return "ours"
  const to = `${name.includes(":") ? `[${name}]` : name}:${String(port)}`
  return { to, isEncrypted, isOpen: false, isWrittenTo: false }
}

const writing = (socket: Socket, chunks: ReadonlyArray<Chunk>) => {
  const connection = known.get(socket) ?? earlier(socket)
  if (connection === undefined || connection === "ours") return
  connection.isWrittenTo = true
  const bytes = Buffer.concat(
    chunks.map(({ chunk, encoding }) =>
      typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk as Uint8Array)
    )
  )
  watchers.forEach(({ wrote }) => wrote(connection, bytes))
}

/** A connection that was opened before anybody watched; what this process has accepted, and its pipes, are none. */
const earlier = (socket: Socket): Connection | "ours" | undefined => {
  const isAccepted = "server" in socket && socket.server !== undefined && socket.server !== null
  if (isAccepted || socket.remotePort === undefined) return undefined
  const connection = connectionTo(socket, { host: socket.remoteAddress, port: socket.remotePort })
  known.set(socket, connection)
  return connection
}
