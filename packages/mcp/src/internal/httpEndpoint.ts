/**
 * The decisions of the HTTP endpoint that depend neither on Node nor on the web types: who may come in, and what each
 * refusal looks like. The transports beside this file read a request and write an answer.
 *
 * The order is guard, identity, method, media type, size, JSON, then the message itself, so that an unknown caller learns
 * nothing and costs little.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import {
  type AuthInfo,
  createMcpHandler,
  DEFAULT_MAX_REQUEST_BODY_SIZE,
  INVALID_REQUEST,
  type McpHttpHandler,
  PARSE_ERROR
} from "@modelcontextprotocol/server"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { isUtf8 } from "node:buffer"
import { Credentials, Identity, type Unauthenticated } from "../Identity.ts"
import type { ToolHost } from "../ToolHost.ts"
import * as Guard from "./guard.ts"
import * as ToolServer from "./toolServer.ts"

export interface HttpOptions extends Guard.GuardOptions {
  /** The size in bytes beyond which a body is refused with 413; 4 MiB unless given. */
  readonly maxBodySize?: number | undefined
}

/** An answer that is ready before the message was looked at. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface HttpEndpoint {
  readonly server: ToolServer.ToolServer
  readonly maxBodySize: number
  readonly guard: (host: string | null | undefined, origin: string | null | undefined) => Refusal | undefined
  readonly authenticate: (authorization: string | null | undefined) => Effect.Effect<PrincipalData, Unauthenticated>
  /** The SDK's own entry, for each message that is not plain. */
  readonly sdk: McpHttpHandler
}

export const make = (
  host: ToolHost,
  options: HttpOptions
): Effect.Effect<HttpEndpoint, never, Identity | Scope.Scope> =>
  Effect.gen(function* () {
    const identity = yield* Identity
    const server = ToolServer.make(host, yield* Effect.context<never>())
    const refusalOf = Guard.make(options)
    const maxBodySize = options.maxBodySize ?? DEFAULT_MAX_REQUEST_BODY_SIZE
    const sdk = yield* Effect.acquireRelease(
      Effect.sync(() =>
        createMcpHandler(({ authInfo }) => server.sdkServer(principalOf(authInfo)), { maxRequestBodySize: maxBodySize })
      ),
      (handler) => Effect.promise(() => handler.close())
    )
    return {
      server,
      maxBodySize,
      sdk,
      guard: (host, origin) => {
        const sentence = refusalOf(host, origin)
        return sentence === undefined ? undefined : protocolRefusal(403, INVALID_REQUEST, sentence)
      },
      authenticate: (authorization) => identity.authenticate(credentialsOf(authorization))
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

const bearer = /^bearer +(\S+) *$/i

const credentialsOf = (authorization: string | null | undefined): Credentials => {
  const token = authorization ? bearer.exec(authorization)?.[1] : undefined
  return token === undefined ? anonymous : Credentials.Bearer({ token: Redacted.make(token) })
}

const anonymous = Credentials.Anonymous()

// The SDK hands this through to the factory untouched. The token itself stays outside: nothing behind the gate needs it.
export const authInfoOf = (principal: PrincipalData): AuthInfo => ({
  token: "",
  clientId: principal.id,
  scopes: [...principal.scopes],
  extra: { principal }
})

const principalOf = (authInfo: AuthInfo | undefined): PrincipalData => authInfo?.extra?.["principal"] as PrincipalData

const refusal = (status: number, body: object, headers: Readonly<Record<string, string>>): Refusal => {
  const text = JSON.stringify(body)
  const length = String(Buffer.byteLength(text))
  return { status, headers: { "content-type": "application/json", "content-length": length, ...headers }, body: text }
}

export const protocolRefusal = (
  status: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): Refusal => refusal(status, { jsonrpc: "2.0", id: null, error: { code, message } }, headers)

export const methodNotAllowed = protocolRefusal(405, INVALID_REQUEST, "Method not allowed: use POST", { allow: "POST" })
export const unsupportedMediaType = protocolRefusal(415, INVALID_REQUEST, "Content-Type must be application/json")
export const notJson = protocolRefusal(400, PARSE_ERROR, "The body is not JSON in UTF-8")
export const noBatch = protocolRefusal(400, INVALID_REQUEST, "JSON-RPC batches are not supported")
export const failed = protocolRefusal(500, ToolServer.internalError.code, ToolServer.internalError.message)

export const tooLarge = (maxBodySize: number): Refusal =>
  protocolRefusal(413, INVALID_REQUEST, `The body is larger than ${maxBodySize} bytes`, { connection: "close" })

/**
 * The challenge of RFC 6750, section 3: without credentials it names no error. Where the server publishes protected
 * resource metadata (RFC 9728), its URL belongs here as `resource_metadata`, and in the challenge for missing scopes too.
 */
export const unauthorized = ({ reason, message }: Unauthenticated): Refusal =>
  refusal(
    401,
    { error: "invalid_token", error_description: message },
    {
      "www-authenticate":
        reason === "missing" ? "Bearer" : `Bearer error="invalid_token", error_description="${message}"`
    }
  )
