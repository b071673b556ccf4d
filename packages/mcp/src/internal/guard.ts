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
  // Most requests name the host that the last one named, and to read it as a URL costs more than to decode a call.
  let accepted: string | undefined
  return (host: string | null | undefined, origin: string | null | undefined): string | undefined => {
    if (host !== accepted || host === undefined) {
      if (!validateHostHeader(host, hosts).ok) return "Host is not allowed"
      accepted = host ?? undefined
    }
    if (origin === undefined || origin === null) return undefined
    return validateOriginHeader(origin, origins).ok ? undefined : "Origin is not allowed"
  }
}
