/**
 * Serves the endpoint on the web's `Request` and `Response`, for servers that speak those. The same checks, the same
 * answers and the same direct way as on Node; an event stream for progress is the SDK's.
 */
import { isJsonContentType } from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type { Authenticated } from "../Identity.ts"
import { queryOf } from "./bearer.ts"
import { metadataAnswer } from "./challenge.ts"
import * as Endpoint from "./httpEndpoint.ts"
import { plainRequest } from "./plainRequest.ts"
import type { Refusal } from "./refusal.ts"
import { withTrace } from "./toolServer.ts"

/** Answers one request; an abort of the request interrupts the call. */
export const handler = (endpoint: Endpoint.HttpEndpoint) => {
  const serve = (request: Request, caller: Authenticated): Effect.Effect<Response> => {
    if (request.method !== "POST") return refuse(Endpoint.methodNotAllowed)
    if (!isJsonContentType(request.headers.get("content-type"))) return refuse(Endpoint.unsupportedMediaType)
    return Effect.flatMap(
      Effect.promise(() => readBody(request, endpoint.maxBodySize)),
      (body) => {
        if (body === undefined) return refuse(Endpoint.tooLarge(endpoint.maxBodySize))
        const message = Endpoint.parseBody(body)
        if (message === undefined) return refuse(Endpoint.notJson)
        if (Array.isArray(message)) return refuse(Endpoint.noBatch)
        return direct(request, caller, message) ?? viaSdk(request, caller, message)
      }
    )
  }

  const direct = (
    { headers }: Request,
    { principal, token: callerToken }: Authenticated,
    message: unknown
  ): Effect.Effect<Response> | undefined => {
    const plain = plainRequest(message, {
      protocolVersion: headers.get("mcp-protocol-version") ?? undefined,
      method: headers.get("mcp-method") ?? undefined,
      name: headers.get("mcp-name") ?? undefined,
      accept: headers.get("accept") ?? undefined
    })
    if (plain === undefined) return undefined
    if (plain.method === "tools/call") {
      if (plain.progressToken !== undefined) return undefined
      if (endpoint.server.host.missingScopes(plain.name, plain.arguments, principal).length > 0) return undefined
    }
    const answer = endpoint.server.answer(
      plain.method === "tools/list"
        ? plain
        : { ...plain, meta: withTrace(plain.meta, (name) => headers.get(name) ?? undefined) },
      { principal, callerToken, idempotencyKey: headers.get("idempotency-key") ?? undefined, progress: undefined }
    )
    return answer && Effect.map(answer, ({ json, replayed }) => new Response(json, replayed ? jsonReplay : jsonAnswer))
  }

  const viaSdk = (request: Request, caller: Authenticated, message: unknown): Effect.Effect<Response> =>
    Effect.promise((interrupted) => {
      const headers = new Headers(request.headers)
      // The credential stops here; the principal that it proved goes on.
      headers.delete("authorization")
      const signal = AbortSignal.any([request.signal, interrupted])
      return endpoint.viaSdk(new Request(request.url, { method: "POST", headers, signal }), caller, message)
    })

  return (request: Request): Effect.Effect<Response> => {
    const { challenges } = endpoint
    if (challenges.metadata !== undefined && request.method !== "POST") {
      const { body, path } = challenges.metadata
      if (new URL(request.url).pathname === path) return refuse(metadataAnswer(request.method, body))
    }
    const refused = endpoint.guard(request.headers.get("host"), request.headers.get("origin"))
    if (refused !== undefined) return refuse(refused)
    return endpoint.authenticate(request.headers.get("authorization"), queryOf(request.url)).pipe(
      Effect.matchEffect({
        onFailure: (error) => refuse(challenges.refuse(error)),
        onSuccess: (caller) => serve(request, caller)
      }),
      Effect.catchCause((cause) =>
        Effect.andThen(Effect.logError("An MCP request could not be served", cause), refuse(Endpoint.failed))
      )
    )
  }
}

// `undefined` stands for a body over the limit. One that says so in its length is refused unread.
const readBody = async ({ headers, body }: Request, limit: number): Promise<Buffer | undefined> => {
  if (Number(headers.get("content-length")) > limit) return undefined
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

const jsonHeaders = { "content-type": "application/json" }
const jsonAnswer = { status: 200, headers: jsonHeaders }
const [replayed, yes] = Endpoint.replayedHeader
const jsonReplay = { status: 200, headers: { ...jsonHeaders, [replayed]: yes } }

const refuse = ({ status, headers, body }: Refusal): Effect.Effect<Response> =>
  Effect.sync(() => new Response(body === "" ? null : body, { status, headers }))
