/**
 * The decisions of the HTTP endpoint that depend neither on Node nor on the web types: who may come in, and what each
 * refusal looks like. The transports beside this file read a request and write an answer.
 *
 * The order is guard, identity, method, media type, size, JSON, then the message itself, so that an unknown caller learns
 * nothing and costs little.
 */
import {
  type AuthInfo,
  createMcpHandler,
  DEFAULT_MAX_REQUEST_BODY_SIZE,
  INVALID_REQUEST,
  isJsonContentType,
  PARSE_ERROR
} from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isUtf8 } from "node:buffer"
import { type Authenticated, Identity } from "../Identity.ts"
import type { IdentityUnavailable, Unauthenticated } from "../IdentityError.ts"
import type { ToolHost } from "../ToolHost.ts"
import { pack } from "./anyArguments.ts"
import { credentialsOf } from "./bearer.ts"
import * as Challenge from "./challenge.ts"
import * as Guard from "./guard.ts"
import { type Refusal, refusal } from "./refusal.ts"
import { withoutValues } from "./sdkRefusal.ts"
import * as ToolServer from "./toolServer.ts"

export interface HttpOptions extends Guard.GuardOptions {
  /** The size in bytes beyond which a body is refused with 413; 4 MiB unless given. */
  readonly maxBodySize?: number | undefined
}

export interface HttpEndpoint {
  readonly server: ToolServer.ToolServer
  readonly maxBodySize: number
  readonly guard: (host: string | null | undefined, origin: string | null | undefined) => Refusal | undefined
  /** Names the caller of a request that has this Authorization header and this query. */
  readonly authenticate: (
    authorization: string | null | undefined,
    query: string | undefined
  ) => Effect.Effect<Authenticated, Unauthenticated | IdentityUnavailable>
  /** The refusal of a caller who was not recognised, and where others find out how to be. */
  readonly challenges: Challenge.Challenges
  /** The SDK's own entry, for each message that is not plain. */
  readonly viaSdk: (request: Request, caller: Authenticated, message: unknown) => Promise<Response>
}

export const make = (
  host: ToolHost,
  options: HttpOptions
): Effect.Effect<HttpEndpoint, never, Identity | Scope.Scope> =>
  Effect.gen(function* () {
    const identity = yield* Identity
    const challenges = Challenge.make(host, identity.protectedResource)
    const server = ToolServer.make(
      { ...host, missingScopes: (...call) => host.missingScopes(...call).map(challenges.asked) },
      yield* Effect.context<never>()
    )
    const refusalOf = Guard.make(options)
    const maxBodySize = options.maxBodySize ?? DEFAULT_MAX_REQUEST_BODY_SIZE
    const sdk = yield* Effect.acquireRelease(
      Effect.sync(() =>
        createMcpHandler(({ authInfo }) => server.sdkServer(visitOf(authInfo)), { maxRequestBodySize: maxBodySize })
      ),
      (handler) => Effect.promise(() => handler.close())
    )
    return {
      server,
      maxBodySize,
      guard: (host, origin) => {
        const sentence = refusalOf(host, origin)
        return sentence === undefined ? undefined : protocolRefusal(403, INVALID_REQUEST, sentence)
      },
      authenticate: (authorization, query) =>
        Effect.flatMap(credentialsOf(authorization, query), identity.authenticate),
      challenges,
      viaSdk: async (request, caller, message) => {
        let replayed = false
        const visit: ToolServer.Visit = { ...caller, onReplay: () => (replayed = true) }
        // What the SDK hands through to the server that it asks for. The SDK itself gets no token.
        const authInfo = {
          token: "",
          clientId: caller.principal.id,
          scopes: [...caller.principal.scopes],
          ...(challenges.metadata && { resourceMetadataUrl: challenges.metadata.url }),
          extra: { visit }
        }
        const answer = await withoutValues(await sdk.fetch(request, { parsedBody: pack(message), authInfo }))
        if (replayed && isJsonContentType(answer.headers.get("content-type"))) answer.headers.set(...replayedHeader)
        return answer
      }
    }
  })

/** Says over HTTP what `_meta` says of a replay. A stream of events, whose headers leave first, can't carry it. */
export const replayedHeader = ["idempotent-replayed", "true"] as const

/** Gives `undefined`, which no JSON text parses to, when the bytes are not JSON in UTF-8. */
export const parseBody = (bytes: Buffer): unknown => {
  // Bytes that are no UTF-8 would all become the same character, and two operations one.
  if (!isUtf8(bytes)) return undefined
  try {
    return JSON.parse(bytes.toString("utf8"))
  } catch {
    return undefined
  }
}

const visitOf = (authInfo: AuthInfo | undefined) => authInfo?.extra?.["visit"] as ToolServer.Visit

export const protocolRefusal = (
  status: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): Refusal => refusal(status, { jsonrpc: "2.0", id: null, error: { code, message } }, headers)

export const methodNotAllowed = protocolRefusal(405, INVALID_REQUEST, "Method not allowed: use POST", { allow: "POST" })
/** RFC 9112, section 3.2. */
export const twoHosts = protocolRefusal(400, INVALID_REQUEST, "Send one Host header")
export const unsupportedMediaType = protocolRefusal(415, INVALID_REQUEST, "Content-Type must be application/json")
export const notJson = protocolRefusal(400, PARSE_ERROR, "The body is not JSON in UTF-8")
export const noBatch = protocolRefusal(400, INVALID_REQUEST, "JSON-RPC batches are not supported")
export const failed = protocolRefusal(500, ToolServer.internalError.code, ToolServer.internalError.message)

export const tooLarge = (maxBodySize: number): Refusal =>
  protocolRefusal(413, INVALID_REQUEST, `The body is larger than ${maxBodySize} bytes`, { connection: "close" })
