/**
 * Watches the ways out of this process that are no bytes written to a socket: programs, threads, datagrams, and the requests of
 * HTTP/2, which go by native code.
 */
import Programs, { type ChildProcess } from "node:child_process"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { OutgoingHttpHeaders } from "node:http"
import { syncBuiltinESMExports } from "node:module"
import { headersOf, type HttpRequest } from "./httpMessages.ts"

/** What begins otherwise than with bytes. */
export interface Way {
  /** What goes by it can't be read. */
  readonly unseen?: string
  /** What it is known to say, once it has begun. */
  readonly said?: () => Said
}

export interface Said {
  readonly requests?: ReadonlyArray<HttpRequest>
  readonly messages?: ReadonlyArray<{ readonly to: string; readonly text: string }>
}

type Began = (way: Way) => void

/** Watches until what it gives is called. */
export const watchWays = (began: Began): ReadonlyArray<() => void> => [
  interceptPrograms(began),
  ...Object.entries(channels).map(([name, wayOf]) => listen(name, wayOf, began))
]

/** Channels of Node that say what begins. */
const channels: Readonly<Record<string, (message: never) => Way>> = {
  child_process: ({ process }: { readonly process: ChildProcess }) => ({
    unseen: program,
    // Set when the channel has been told.
    said: () => ({ messages: [{ to: `the program ${process.spawnfile}`, text: process.spawnargs.join(" ") }] })
  }),
  worker_threads: () => ({ unseen: "a thread that was started" }),
  "udp.socket": () => ({ unseen: "a datagram socket" }),
  // Its connection is among those that nothing was read of.
  "http2.client.stream.created": ({ headers }: { readonly headers: OutgoingHttpHeaders }) => ({
    said: () => streamOf(headers)
  })
}

const program = "a program that was started"

const listen = (name: string, wayOf: (message: never) => Way, began: Began) => {
  // Node's documentation says what a channel's messages are; its types do not.
  const heard = (message: unknown) => began(wayOf(message as never))
  subscribe(name, heard)
  return () => void unsubscribe(name, heard)
}

/** A request of HTTP/2, of which the body is not seen. One of gRPC is none by its method, which is always POST. */
const streamOf = (headers: OutgoingHttpHeaders): Said => {
  const { ":authority": to = "", ":method": method = "GET", ":path": path = "/", ":scheme": scheme = "https" } = headers
  const lines = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((each) => `${name}: ${String(each)}`)
  )
  const url = URL.parse(`${String(scheme)}://${String(to)}${String(path)}`)
  return url === null || String(headers["content-type"]).startsWith("application/grpc")
    ? { messages: [{ to: String(to), text: lines.join("\n") }] }
    : { requests: [{ method: String(method), url, headers: headersOf(lines), body: "" }] }
}

/** Node tells nobody of programs that it waits for. */
const interceptPrograms = (began: Began) => {
  const { execFileSync, execSync, spawnSync } = Programs
  const watched =
    <A extends ReadonlyArray<unknown>, B>(run: (...args: A) => B) =>
    (...args: A): B => {
      const [file, rest] = args
      const text = [file, ...(Array.isArray(rest) ? rest : [])].map(String).join(" ")
      const to = `the program ${String(file).split(" ")[0]}`
      began({ unseen: program, said: () => ({ messages: [{ to, text }] }) })
      return run(...args)
    }
  const replace = (functions: object) => {
    Object.assign(Programs, functions)
    syncBuiltinESMExports()
  }
  replace({
    execFileSync: watched(execFileSync as Run),
    execSync: watched(execSync as Run),
    spawnSync: watched(spawnSync as Run)
  })
  return () => replace({ execFileSync, execSync, spawnSync })
}

type Run = (...args: ReadonlyArray<unknown>) => unknown
