/**
 * How a plugin reaches its connector: at an address, or as a file of its own that Node runs.
 */
import * as Effect from "effect/Effect"
import { Unusable } from "../internal/Unusable.ts"
import { isHttps } from "./Details.ts"
import type { McpConfig, UserConfig } from "./formats.ts"
import { secretsIn } from "./secrets.ts"

export type PluginServer = HttpServer | StdioServer

export interface HttpServer {
  readonly type: "http"
  readonly url: string
  /** What is asked for at installation: nothing, or the caller's token, which is sent to the server as the bearer token. */
  readonly userConfig: UserConfig
  /** As what callers sign in, where the authorization server only knows programs that were registered with it. */
  readonly oauth?: OAuthClient
}

/** A public client: its id is no secret. The port is that of the redirect address `http://localhost:<port>/callback`. */
export interface OAuthClient {
  readonly clientId: string
  readonly callbackPort?: number
}

export interface StdioServer {
  readonly type: "stdio"
  /** The server as one JavaScript module, with all that it imports. */
  readonly script: string
  /** What is asked for at installation, by the name of the variable that it becomes. */
  readonly userConfig: UserConfig
  readonly env: Readonly<Record<string, string>>
}

/** Where the script is in the folder. */
export const scriptPath = "server/main.mjs"

/** How a server knows its callers: by a token that each has, as people who sign in, or, with neither, as it says itself. */
export interface Callers {
  readonly secrets?: Readonly<Record<string, string>>
  readonly clientId?: string | undefined
  readonly callbackPort?: number | undefined
}

/** Takes the address of a server that everybody who installs the plugin can reach, and how it knows its callers. */
export const ofUrl = (text: string, options: Callers = {}): Effect.Effect<PluginServer, Unusable> => {
  const fault = (what: string) => new Unusable({ message: `The address of --url ${what}.` })
  if (!URL.canParse(text)) return fault("is no address. Give the endpoint, such as https://desk.example.com/mcp")
  const url = new URL(text)
  if (/^(localhost|127\.|\[::1\])/.test(url.hostname) || url.hostname.endsWith(".localhost")) {
    return fault("is this machine's, which nobody else can reach. Give the public one, or make a plugin with --stdio")
  }
  if (!isHttps(text)) return fault("must be https, without a user or a password, so that tokens are not sent in clear")
  if (url.search !== "" || url.hash !== "") {
    return fault(
      "has a query or a fragment. Give the bare endpoint: a plugin holds no token, and callers sign in at the server"
    )
  }
  const faultOfCallers = callersFault(options)
  if (faultOfCallers !== undefined) return new Unusable({ message: faultOfCallers })
  const { callbackPort, clientId, secrets = {} } = options
  return Effect.succeed({
    type: "http",
    url: text,
    userConfig: userConfig({}, secrets),
    ...(clientId !== undefined && { oauth: { clientId, ...(callbackPort !== undefined && { callbackPort }) } })
  })
}

const callersFault = ({ callbackPort, clientId, secrets = {} }: Callers): string | undefined => {
  const names = Object.keys(secrets)
  if (names.length > 1 || names.some((name) => !isVariable(name))) {
    return 'With --url, --secret takes one name, as in --secret DESK_TOKEN="Your token for the desk": it is sent as the bearer token.'
  }
  if (names.length > 0 && clientId !== undefined) {
    return "Callers sign in, or they have a token: give --client-id or --secret, not both."
  }
  if (clientId !== undefined && (!/^[\x21-\x7e]{1,256}$/.test(clientId) || clientId.includes("${"))) {
    return "--client-id takes the id that the authorization server gave to Claude Code, which is not its secret."
  }
  if (callbackPort === undefined) return undefined
  if (clientId === undefined) return "--callback-port belongs to a --client-id that is registered with that port."
  return callbackPort >= 1024 && callbackPort <= 65_535 ? undefined : "--callback-port takes a port from 1024 to 65535."
}

const isVariable = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)

/** Takes a bundled server, what is asked for when it is installed, and what never changes. */
export const ofScript = (
  script: string,
  options: {
    readonly settings: Readonly<Record<string, string>>
    readonly secrets: Readonly<Record<string, string>>
    readonly env: Readonly<Record<string, string>>
  }
): Effect.Effect<PluginServer, Unusable> => {
  const { env, secrets, settings } = options
  const literal = Object.entries(env).find(([name, value]) => secretsIn({ [name]: value }).length > 0)
  if (literal !== undefined) {
    return new Unusable({
      message: `The value of --env ${literal[0]} looks like a secret, and everybody who installs the plugin would have it. Ask for it with --secret ${literal[0]}="what it is".`
    })
  }
  const names = [settings, secrets, env].flatMap(Object.keys)
  const bad = names.find((name, index) => !isVariable(name) || names.indexOf(name) !== index)
  if (bad !== undefined) {
    return new Unusable({ message: "--setting, --secret and --env each take the name of a variable, once." })
  }
  return Effect.succeed({ type: "stdio", script, userConfig: userConfig(settings, secrets), env })
}

/** What is asked for at installation. Secrets are marked as such, so that they are kept in the keychain. */
const userConfig = (
  settings: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>
): UserConfig => {
  const option = (title: string, sensitive: boolean) => ({
    type: "string" as const,
    title,
    description: title,
    required: true,
    ...(sensitive && { sensitive })
  })
  return Object.fromEntries([
    ...Object.entries(settings).map(([name, title]) => [name, option(title || name, false)] as const),
    ...Object.entries(secrets).map(([name, title]) => [name, option(title || name, true)] as const)
  ])
}

/** The environment of a server: what never changes, and a reference to each answer. */
export const environment = ({ env, userConfig }: StdioServer) => ({
  ...env,
  ...Object.fromEntries(Object.keys(userConfig).map((name) => [name, reference(name)]))
})

const reference = (name: string) => `\${user_config.${name}}`

/** The text of `.mcp.json`, as data. */
export const mcpConfig = (name: string, server: PluginServer): McpConfig => ({
  mcpServers: { [name]: server.type === "http" ? remote(server) : local(server) }
})

const remote = ({ oauth, url, userConfig }: HttpServer): McpConfig["mcpServers"][string] => {
  const [token] = Object.keys(userConfig)
  return {
    type: "http",
    url,
    ...(token !== undefined && { headers: { Authorization: `Bearer ${reference(token)}` } }),
    ...(oauth !== undefined && { oauth })
  }
}

const local = (server: StdioServer): McpConfig["mcpServers"][string] => ({
  type: "stdio",
  command: "node",
  args: [`\${CLAUDE_PLUGIN_ROOT}/${scriptPath}`],
  env: environment(server)
})
