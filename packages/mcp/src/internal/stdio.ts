/**
 * Serves a connection on a pair of Node streams: one JSON-RPC message a line, and nothing else on the output.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Scrubber from "@ferrule/core/Scrubber"
import { PARSE_ERROR } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { isUtf8 } from "node:buffer"
import type { Readable, Writable } from "node:stream"
import type { ToolHost } from "../ToolHost.ts"
import * as Connection from "./connection.ts"
import * as ToolServer from "./toolServer.ts"

export interface StdioOptions {
  /** The size in bytes beyond which a line ends the connection; 4 MiB unless given. */
  readonly maxMessageSize?: number | undefined
  readonly stdin?: Readable | undefined
  readonly stdout?: Writable | undefined
}

/**
 * Serves until the input ends, answers what was asked until then, and returns. An interruption interrupts the calls in
 * flight.
 */
export const serve = (host: ToolHost, principal: PrincipalData, options: StdioOptions): Effect.Effect<void> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { stdout } = options
      const target: Output = stdout ? { stream: stdout, write: (...args) => stdout.write(...args) } : yield* claimStdout
      const server = ToolServer.make(host, yield* Effect.context<never>())
      const output = lineWriter(target)
      const connection = yield* Effect.acquireRelease(Connection.make(server, principal, output), ({ close }) => close)
      yield* readLines(options.stdin ?? process.stdin, options.maxMessageSize ?? defaultMaxMessageSize, (line) => {
        const message = line === undefined ? undefined : parseJson(line)
        if (message === undefined) output.write(notJson)
        else connection.receive(message)
      })
      yield* connection.drain
      yield* output.flush
    })
  ).pipe(Scrubber.guarded, Effect.provideService(Logger.LogToStderr, true))

const defaultMaxMessageSize = 4 * 1024 * 1024

const notJson = JSON.stringify({
  jsonrpc: "2.0",
  id: null,
  error: { code: PARSE_ERROR, message: "The line is not JSON in UTF-8" }
})

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

interface Output {
  readonly stream: Writable
  readonly write: (chunk: string, done?: () => void) => void
}

// A stray `console.log` in a handler or a dependency would break the protocol, so while a connection owns the process's
// output, every other writer is led to stderr.
const claimStdout: Effect.Effect<Output, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const { stdout, stderr } = process
    const original = stdout.write
    stdout.write = stderr.write.bind(stderr) as typeof stdout.write
    return original
  }),
  (original) =>
    Effect.sync(() => {
      process.stdout.write = original
    })
).pipe(
  Effect.map((original) => ({
    stream: process.stdout,
    write: (chunk, done) => original.call(process.stdout, chunk, "utf8", done)
  }))
)

// Messages of one turn of the event loop leave in one write: a system call each would be most of their cost.
const lineWriter = ({ stream, write }: Output) => {
  let lines = ""
  let broken = false
  const send = (done?: () => void) => {
    const chunk = lines
    lines = ""
    if (broken || (chunk === "" && done === undefined)) done?.()
    else write(chunk, done)
  }
  // The reader has gone. The end of the input says so as well, and ends the connection.
  stream.on("error", () => {
    broken = true
  })
  return {
    write: (message: string): void => {
      if (lines === "") setImmediate(send)
      lines += message + "\n"
    },
    flush: Effect.callback<void>((resume) => send(() => resume(Effect.void)))
  }
}

/** The blanks of JSON. Others, as the mark of a byte order is, make a line no JSON. */
const blank = /^[ \t\r]*$/

const readLines = (
  stream: Readable,
  maxSize: number,
  onLine: (line: string | undefined) => void
): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    let pending: Array<Buffer> = []
    let size = 0
    const onData = (chunk: Buffer) => {
      let start = 0
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        const part = chunk.subarray(start, end)
        if (size + part.length > maxSize) return onTooLong()
        const line = pending.length === 0 ? part : Buffer.concat([...pending, part])
        pending = []
        size = 0
        start = end + 1
        // Bytes that are no UTF-8 would all become the same character, and two operations one.
        const text = isUtf8(line) ? line.toString("utf8") : undefined
        if (text === undefined || !blank.test(text)) onLine(text)
      }
      if (start === chunk.length) return
      pending.push(chunk.subarray(start))
      size += chunk.length - start
      if (size > maxSize) onTooLong()
    }
    const onEnd = () => {
      stop()
      resume(Effect.void)
    }
    // A stream that is paused still reads ahead, which keeps the process up for as long as its client waits.
    const onTooLong = () => {
      onEnd()
      stream.destroy()
    }
    const stop = () => {
      stream.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onEnd)
      stream.pause()
    }
    stream.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onEnd)
    return Effect.sync(stop)
  })
