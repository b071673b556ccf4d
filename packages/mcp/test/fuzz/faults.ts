/**
 * A server that is broken on purpose, in as many ways as the judge looks for, each on a kind of case of its own.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { PassThrough, Transform, type Writable } from "node:stream"
import { MessageChannel } from "node:worker_threads"
import { tokens } from "./desk.ts"
import { canary } from "./MessageCases.ts"

/** `many` is wrong in all ways but one: `ends` ends the process. */
export type Broken = "many" | "ends"

/** Says something else in the same number of bytes, since the head has said how many there are. */
const instead = (text: string, said: string, wrong: string) =>
  text.replace(said, wrong.padEnd(said.length).slice(0, said.length))

const changed = (text: string, change: ReadonlyArray<readonly [said: string, wrong: string]>): string =>
  change.reduce((text, [said, wrong]) => instead(text, said, wrong), text)

const noBatch = '"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"JSON-RPC batches'

const overHttp = [
  ["Method not allowed: use POST", canary],
  ["The body is not JSON in UTF-8", "TypeError at read (server.ts)"],
  [noBatch, noBatch.replace("jsonrpc", "version")]
] as const

const kept: Array<string> = []

const breakOne = (request: IncomingMessage, response: ServerResponse): void => {
  const { end, writeHead } = response
  // Strangers get in.
  if (!request.headers.authorization?.includes(tokens.outage)) request.headers.authorization = `Bearer ${tokens.ada}`
  if (request.method === "HEAD") process.stderr.write("ERROR: A tool call died outside the pipeline\n")
  kept.push(Buffer.alloc(200_000, request.rawHeaders.join()).toString("latin1"))
  new MessageChannel().port1.on("message", () => undefined).ref()
  response.writeHead = ((status: number, ...headers: ReadonlyArray<never>) =>
    writeHead.call(response, status === 415 ? 500 : status, ...headers)) as typeof writeHead
  response.end = ((body?: unknown) => {
    const text = typeof body === "string" ? body : ""
    // It never answers.
    if (text.includes("Origin is not allowed")) return response
    const wrong = changed(text, overHttp)
    return end.call(
      response,
      wrong.includes('"tools":') ? wrong.replace('"id":"a', '"id":"b') : wrong,
      "utf8",
      undefined
    )
  }) as typeof end
}

/** Puts the faults in front of whatever else listens to the server's requests. */
export const breakServer = (server: Server, broken: Broken): Server =>
  server.on("request", broken === "many" ? breakOne : () => process.exit(1))

const onStdio = (line: string): string => {
  if (line.includes('"class":"AuthorizationError"')) return ""
  if (line.includes('"tools":')) return line.replace('"id":"a', '"id":"b')
  if (line.includes('"code":-32601')) return line + line
  if (line.includes('"code":-32700')) return `Oh no\n${line}`
  return line
}

/** Gives an output that the faults stand before. */
export const breakOutput = (output: Writable, broken: Broken): Writable => {
  if (broken === "ends") process.exit(1)
  let rest = ""
  const input = new PassThrough()
  const breaking = new Transform({
    transform: (chunk, _, done) => {
      const lines = (rest + String(chunk)).split("\n")
      rest = lines.pop() ?? ""
      done(null, lines.map((line) => onStdio(`${line}\n`)).join(""))
    }
  })
  input.pipe(breaking).pipe(output)
  return input
}
