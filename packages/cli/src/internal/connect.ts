/**
 * Connects the SDK's client to a target, and says in a sentence why it can't be.
 */
import {
  Client,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  StreamableHTTPClientTransport
} from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { version } from "../version.ts"
import { printable } from "./printable.ts"
import { serve, type ServeOptions } from "./served.ts"
import type { Target } from "./target.ts"
import type { Token } from "./token.ts"
import { Unusable } from "./Unusable.ts"

export const eras = ["auto", "2026-07-28", "2025-11-25"] as const

export interface ConnectOptions {
  readonly era: (typeof eras)[number]
  readonly token?: Token | undefined
  /** As whom the connector of a module is called. */
  readonly as?: ServeOptions
  /** Lets what a command writes on standard error through. */
  readonly debug?: boolean
}

export interface Connected {
  readonly client: Client
  /** The revision of the protocol that is spoken. */
  readonly era: string
  /** The server's own name and version. */
  readonly server: string
}

/** Gives a client that is connected until the scope closes. */
export const connect = Effect.fnUntraced(function* (
  target: Target,
  options: ConnectOptions
): Effect.fn.Return<Connected, Unusable, Scope.Scope> {
  const client = new Client(
    { name: "ferrule", version },
    {
      versionNegotiation: {
        mode: options.era === "auto" ? "auto" : options.era === "2025-11-25" ? "legacy" : { pin: options.era },
        probe: { timeoutMs: 10_000 }
      }
    }
  )
  const said: Array<string> = []
  const transport = yield* transportOf(target, options, said)
  yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => client.connect(transport, { timeout: 30_000 }),
      catch: (cause) => new Unusable({ message: sentenceOf(cause, target, options, said), cause })
    }),
    () => Effect.promise(() => client.close().catch(() => undefined)),
    { interruptible: true }
  )
  const server = client.getServerVersion()
  return {
    client,
    era: client.getNegotiatedProtocolVersion() ?? options.era,
    server: server === undefined ? "a server without a name" : printable(`${server.name} ${server.version}`)
  }
})

const transportOf = Effect.fnUntraced(function* (
  target: Target,
  options: ConnectOptions,
  said: Array<string>
): Effect.fn.Return<StdioClientTransport | StreamableHTTPClientTransport, Unusable, Scope.Scope> {
  switch (target._tag) {
    case "Command": {
      const transport = new StdioClientTransport({
        command: target.command,
        args: [...target.args],
        env: Object.fromEntries(
          Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
        ),
        stderr: options.debug === true ? "inherit" : "pipe"
      })
      transport.stderr?.on("data", (chunk: Buffer) => void said.push(chunk.toString()))
      return transport
    }
    case "Module": {
      const { token, url } = yield* serve(target.file, options.as ?? {})
      return new StreamableHTTPClientTransport(url, authorized(token))
    }
    case "Url": {
      if (options.token !== undefined && target.url.protocol === "http:" && !isLoopback(target.url)) {
        return yield* new Unusable({
          message: `A token is not sent over http to ${target.url.host}, where anyone on the way reads it. Use https.`
        })
      }
      return new StreamableHTTPClientTransport(target.url, authorized(options.token))
    }
  }
})

const authorized = (token: Token | undefined) =>
  token === undefined ? {} : { authProvider: { token: () => Promise.resolve(Redacted.value(token.value)) } }

export const isLoopback = ({ hostname }: URL) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)

const sentenceOf = (
  thrown: unknown,
  target: Target,
  { era, token }: ConnectOptions,
  said: ReadonlyArray<string>
): string => {
  const errors = causesOf(thrown)
  const codes = errors.flatMap((error) => ("code" in error && typeof error.code === "string" ? [error.code] : []))
  const status = statusOf(errors)
  const refused = eraRefused(era)
  if (target._tag === "Command") {
    const last = said.join("").trim().split("\n").at(-1)
    const words =
      last === undefined || last === "" ? "" : ` The last that it wrote on standard error: ${printable(last)}`
    if (codes.includes("ENOENT")) return `There is no command ${target.command}. Install it, or give its path.`
    if (codes.includes(SdkErrorCode.RequestTimeout)) {
      return `${target.text} started and does not answer over stdio. Is it an MCP server, and does it log on standard error alone?${words}`
    }
    if (codes.includes(SdkErrorCode.EraNegotiationFailed) && era !== "auto") return `${target.text} ${refused}`
    return `${target.text} ended before it answered over stdio.${words}`
  }
  const address = target._tag === "Url" ? target.url.href : target.file
  if (status === 401 || errors.some(({ name }) => name === "UnauthorizedError")) {
    return token === undefined
      ? `${address} wants a token. Put it into an environment variable and name that with --token-env, or into a file for --token-file.`
      : `${address} does not accept the token in ${token.from}: it may have expired, or be for another address.`
  }
  if (status === 403)
    return `${address} denies access (HTTP 403). Use a token with the scopes or the role that it wants.`
  if (status === 404 || status === 405) return `${address} is no MCP endpoint (HTTP ${status}). Its path is often /mcp.`
  if (status !== undefined)
    return `${address} answered with HTTP ${status} instead of MCP. Is it the endpoint, and is it up?`
  if (codes.includes("ECONNREFUSED")) return `Nothing listens at ${address}. Start the server, or correct the address.`
  if (codes.includes("ENOTFOUND") || codes.includes("EAI_AGAIN")) {
    return `The name in ${address} is not known. Correct the address, or check the network.`
  }
  if (codes.some((code) => /CERT|TLS|SSL|ALTNAME|SELF_SIGNED/.test(code))) {
    return `The certificate of ${address} is not trusted. Name its authority with NODE_EXTRA_CA_CERTS.`
  }
  if (codes.includes(SdkErrorCode.RequestTimeout))
    return `${address} does not answer. Is it an MCP endpoint, and is it up?`
  if (codes.includes(SdkErrorCode.EraNegotiationFailed) && era !== "auto") return `${address} ${refused}`
  return `${address} can't be spoken to over MCP. Is it the endpoint of a server? --debug shows what failed.`
}

const eraRefused = (era: ConnectOptions["era"]) => `does not speak ${era}. Leave --era out to speak what it does.`

/** The error with what caused it, and what caused that. */
const causesOf = (thrown: unknown): ReadonlyArray<Error> => {
  const errors: Array<Error> = []
  for (let each = thrown; each instanceof Error && errors.length < 10; each = each.cause) {
    errors.push(each)
    if (each instanceof AggregateError) errors.push(...each.errors.filter((one) => one instanceof Error))
  }
  return errors
}

const statusOf = (errors: ReadonlyArray<Error>): number | undefined => {
  for (const error of errors) {
    if (SdkHttpError.isInstance(error)) return error.status
    if (SdkError.isInstance(error) && typeof error.data === "object" && error.data !== null && "status" in error.data) {
      if (typeof error.data.status === "number") return error.data.status
    }
  }
  return undefined
}
