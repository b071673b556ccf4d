/**
 * Refuses requests that a page in somebody's browser sent to a server on their machine or network (DNS rebinding).
 */
import {
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader
} from "@modelcontextprotocol/server"

/** Names, without scheme and port, that a request may be addressed to and may come from; loopback unless given. */
export interface GuardOptions {
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
}

/** Gives the sentence that refuses a request, or `undefined`. A request without an `Origin` is no browser's. */
export const make = (options: GuardOptions) => {
  const hosts = [...(options.allowedHosts ?? localhostAllowedHostnames())]
  const origins = [...(options.allowedOrigins ?? localhostAllowedOrigins())]
  return (host: string | null | undefined, origin: string | null | undefined): string | undefined => {
    if (!validateHostHeader(host, hosts).ok) return "Host is not allowed"
    return validateOriginHeader(origin, origins).ok ? undefined : "Origin is not allowed"
  }
}
