/**
 * Serves the endpoint on Node's own request and response, without web objects or streams in between, which is what makes
 * it fast. It runs inside the fiber of the request: when the client goes away, that fiber is interrupted, and the call
 * with it.
 */
import { isJsonContentType } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Authenticated } from "../Identity.ts"
import { Unauthenticated } from "../IdentityError.ts"
import type { ToolRequest } from "../ToolHost.ts"
import { isDuplicated, queryOf } from "./bearer.ts"
import * as Endpoint from "./httpEndpoint.ts"
import { plainRequest } from "./plainRequest.ts"
import type { Refusal } from "./refusal.ts"
import { type Answer, progressParams, withTrace } from "./toolServer.ts"

/** Answers one request completely. It never fails; what goes wrong is answered and logged. */
export const handler = (endpoint: Endpoint.HttpEndpoint) => {
  const tooLarge = Endpoint.tooLarge(endpoint.maxBodySize)

  const serve = (request: IncomingMessage, response: ServerResponse, caller: Authenticated): Effect.Effect<void> => {
    if (request.method !== "POST") return refuse(response, Endpoint.methodNotAllowed)
    if (!isJsonContentType(request.headers["content-type"])) return refuse(response, Endpoint.unsupportedMediaType)
    return Effect.flatMap(readBody(request, response, endpoint.maxBodySize), (body) => {
      if (body === undefined) return refuse(response, tooLarge)
      const message = Endpoint.parseBody(body)
      if (message === undefined) return refuse(response, Endpoint.notJson)
      if (Array.isArray(message)) return refuse(response, Endpoint.noBatch)
      return direct(request, response, caller, message) ?? viaSdk(request, response, caller, message)
    })
  }

  const direct = (
    { headers }: IncomingMessage,
    response: ServerResponse,
    { principal, token: callerToken }: Authenticated,
    message: unknown
  ): Effect.Effect<void> | undefined => {
    const plain = plainRequest(message, {
      protocolVersion: headers["mcp-protocol-version"],
      method: headers["mcp-method"],
      name: headers["mcp-name"],
      accept: headers.accept
    })
    if (plain === undefined) return undefined
    if (plain.method === "tools/list") {
      const list = endpoint.server.answer(plain, { principal, idempotencyKey: undefined, progress: undefined })
      return list && Effect.flatMap(list, (answer) => leave(response, answer))
    }
    if (endpoint.server.host.missingScopes(plain.name, plain.arguments, principal).length > 0) return undefined
    const call = endpoint.server.answer(
      headers["traceparent"] === undefined ? plain : { ...plain, meta: withTrace(plain.meta, (name) => headers[name]) },
      {
        principal,
        callerToken,
        idempotencyKey: headers["idempotency-key"] as string | undefined,
        progress:
          plain.progressToken === undefined || !headers.accept?.includes("text/event-stream")
            ? undefined
            : progressStream(response, plain.progressToken)
      }
    )
    return call && Effect.flatMap(call, (answer) => leave(response, answer))
  }

  const viaSdk = (
    request: IncomingMessage,
    response: ServerResponse,
    caller: Authenticated,
    message: unknown
  ): Effect.Effect<void> =>
    Effect.promise(async (signal) => {
      const web = new Request("http://localhost/", { method: "POST", headers: webHeaders(request), signal })
      await writeWeb(response, await endpoint.viaSdk(web, caller, message), signal)
    })

  return (request: IncomingMessage, response: ServerResponse): Effect.Effect<void> => {
    const { rawHeaders } = request
    if (isDuplicated(rawHeaders, "host")) return refuse(response, Endpoint.twoHosts)
    const refused = endpoint.guard(hostOf(request), request.headers.origin)
    if (refused !== undefined) return refuse(response, refused)
    const { challenges } = endpoint
    if (isDuplicated(rawHeaders, "authorization")) return refuse(response, challenges.refuse(twice))
    return endpoint.authenticate(request.headers.authorization, queryOf(request.url ?? "")).pipe(
      Effect.matchEffect({
        onFailure: (error) => refuse(response, challenges.refuse(error)),
        onSuccess: (caller) => serve(request, response, caller)
      }),
      Effect.catchCause((cause) =>
        Effect.andThen(Effect.logError("An MCP request could not be served", cause), refuse(response, Endpoint.failed))
      )
    )
  }
}

/** A target that names a host itself takes the place of the header (RFC 9112, section 3.2.2). */
const hostOf = ({ headers, url = "" }: IncomingMessage): string | undefined =>
  url.startsWith("/") ? headers.host : URL.parse(url)?.host

const twice = new Unauthenticated({ reason: "malformed" })

const refuse = (response: ServerResponse, { status, headers, body }: Refusal): Effect.Effect<void> =>
  Effect.sync(() => {
    if (response.headersSent) response.end()
    else response.writeHead(status, headers).end(body)
  })

// `undefined` stands for a body over the limit. One that says so in its length is refused unread.
const readBody = (
  request: IncomingMessage,
  response: ServerResponse,
  limit: number
): Effect.Effect<Buffer | undefined> =>
  Effect.callback<Buffer | undefined>((resume) => {
    if (Number(request.headers["content-length"]) > limit) return resume(Effect.undefined)
    if (request.headers.expect !== undefined) response.writeContinue()
    let first: Buffer | undefined
    let rest: Array<Buffer> | undefined
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) {
        request.removeAllListeners("data")
        resume(Effect.undefined)
      } else if (first === undefined) first = chunk
      else if (rest === undefined) rest = [first, chunk]
      else rest.push(chunk)
    })
    request.on("end", () => {
      resume(Effect.succeed(rest === undefined ? (first ?? empty) : Buffer.concat(rest, size)))
    })
    // A client that leaves in the middle of its body: the response closes, and the fiber is interrupted from there.
    request.on("error", () => resume(Effect.interrupt))
  })

const empty = Buffer.alloc(0)

/**
 * Answers leave when everything that has arrived was read. Those of requests that came together leave together, and wake
 * their client once, which costs more than making them does.
 */
const leave = (response: ServerResponse, answer: Answer): Effect.Effect<void> =>
  Effect.map(Effect.yieldNow, () => writeAnswer(response, answer))

const writeAnswer = (response: ServerResponse, { json, replayed }: Answer): void => {
  if (response.headersSent) {
    response.end(`event: message\ndata: ${json}\n\n`)
    return
  }
  const headers = ["content-type", "application/json", "content-length", String(Buffer.byteLength(json))]
  if (replayed) headers.push(...Endpoint.replayedHeader)
  response.writeHead(200, headers)
  response.end(json)
}

const streamHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache, no-transform",
  // Keeps a reverse proxy from holding the events back until the answer is complete.
  "x-accel-buffering": "no"
}

// The first report turns the answer into an event stream. A client that does not read loses reports, not the answer.
const progressStream =
  (response: ServerResponse, token: string | number): NonNullable<ToolRequest["progress"]> =>
  (...report) => {
    if (response.writableEnded || response.destroyed) return
    if (!response.headersSent) {
      response.writeHead(200, streamHeaders)
      keepAlive(response)
    }
    if (response.writableNeedDrain) return
    const params = progressParams(token, ...report)
    response.write(
      `event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params })}\n\n`
    )
  }

// An idle stream is cut by many proxies after a minute.
const keepAlive = (response: ServerResponse): void => {
  const beat = Effect.runFork(
    Effect.sync(() => response.writableNeedDrain || response.writableEnded || response.write(": keepalive\n\n")).pipe(
      Effect.schedule(Schedule.spaced("15 seconds"))
    )
  )
  response.once("close", () => beat.interruptUnsafe())
}

const webHeaders = (request: IncomingMessage): Headers => {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    // The credential stops here; the principal that it proved goes on.
    if (value === undefined || name === "authorization") continue
    for (const item of Array.isArray(value) ? value : [value]) headers.append(name, item)
  }
  return headers
}

const writeWeb = async (response: ServerResponse, answer: Response, signal: AbortSignal): Promise<void> => {
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (answer.body !== null) {
    for await (const chunk of answer.body) {
      if (signal.aborted) break
      if (!response.write(chunk)) await drained(response)
    }
  }
  response.end()
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      response.off("drain", done)
      response.off("close", done)
      resolve()
    }
    response.on("drain", done)
    response.on("close", done)
  })
