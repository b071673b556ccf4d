/**
 * What an endpoint tells clients about signing in: the metadata of a protected resource (RFC 9728), and the challenges of
 * RFC 6750 that lead there.
 */
import { getOAuthProtectedResourceMetadataUrl } from "@modelcontextprotocol/server"
import * as Duration from "effect/Duration"
import type { ProtectedResource } from "../Identity.ts"
import type { IdentityUnavailable, Unauthenticated } from "../IdentityError.ts"
import type { ToolHost } from "../ToolHost.ts"
import { type Refusal, refusal } from "./refusal.ts"

export interface Challenges {
  /** The metadata, and the path that it is served at; absent where clients can't sign in by themselves. */
  readonly metadata: { readonly url: string; readonly path: `/${string}`; readonly body: string } | undefined
  /** Gives the name of a scope as it is asked for. */
  readonly asked: (scope: string) => string
  readonly refuse: (error: Unauthenticated | IdentityUnavailable) => Refusal
}

export const make = (host: ToolHost, resource: ProtectedResource | undefined): Challenges => {
  const { scopePrefix = "", signInScopes = host.scopes } = resource ?? {}
  const asked = (scope: string) => scopePrefix + scope
  const metadata = resource && metadataOf(host, resource, host.scopes.map(asked))
  const parameters = [
    ...(resource !== undefined && signInScopes.length > 0 ? [`scope="${signInScopes.map(asked).join(" ")}"`] : []),
    ...(metadata === undefined ? [] : [`resource_metadata="${metadata.url}"`])
  ]
  return {
    metadata,
    asked,
    refuse: (error) => {
      if (error._tag === "IdentityUnavailable") return unavailable(error)
      const name = error.reason === "malformed" ? "invalid_request" : "invalid_token"
      // Without credentials it names no error (RFC 6750, section 3).
      const said = error.reason === "missing" ? [] : [`error="${name}"`, `error_description="${error.message}"`]
      const challenge = ["Bearer", [...said, ...parameters].join(", ")].join(" ").trimEnd()
      return refusal(401, { error: name, error_description: error.message }, { "www-authenticate": challenge })
    }
  }
}

const metadataOf = (host: ToolHost, resource: ProtectedResource, scopes: ReadonlyArray<string>) => {
  const url = getOAuthProtectedResourceMetadataUrl(new URL(resource.resource))
  return {
    url,
    path: new URL(url).pathname as `/${string}`,
    body: JSON.stringify({
      resource: resource.resource,
      authorization_servers: resource.authorizationServers,
      ...(scopes.length > 0 && { scopes_supported: scopes }),
      bearer_methods_supported: ["header"],
      resource_name: host.title ?? host.name
    })
  }
}

const unavailable = ({ message, retryAfter }: IdentityUnavailable): Refusal =>
  refusal(
    503,
    { error: "temporarily_unavailable", error_description: message },
    { "retry-after": String(Math.max(1, Math.ceil(Duration.toSeconds(retryAfter)))) }
  )

const anyOrigin = { "access-control-allow-origin": "*" }

/** Answers a request for the metadata, which is public: clients in a browser may read it from any page. */
export const metadataAnswer = (method: string, body: string): Refusal => {
  switch (method) {
    case "GET":
    case "HEAD":
      return {
        status: 200,
        headers: { ...anyOrigin, "content-type": "application/json", "cache-control": "max-age=3600" },
        body
      }
    case "OPTIONS":
      return {
        status: 204,
        headers: { ...anyOrigin, "access-control-allow-methods": "GET", "access-control-allow-headers": "*" },
        body: ""
      }
    default:
      return { status: 405, headers: { allow: "GET, HEAD, OPTIONS" }, body: "" }
  }
}
