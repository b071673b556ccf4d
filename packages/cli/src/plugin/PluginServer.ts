/**
 * How a plugin reaches its connector: at an address, or as a file of its own that Node runs.
 */
import * as Effect from "effect/Effect"
import { Unusable } from "../internal/Unusable.ts"
import { isHttps } from "./Details.ts"
import type { McpConfig, UserConfig } from "./formats.ts"
import { secretsIn } from "./secrets.ts"

export type PluginServer =
  | { readonly type: "http"; readonly url: string }
  | {
      readonly type: "stdio"
      /** The server as one JavaScript module, with all that it imports. */
      readonly script: string
      /** What is asked for at installation, by the name of the variable that it becomes. */
      readonly userConfig: UserConfig
      readonly env: Readonly<Record<string, string>>
    }

/** Where the script is in the folder. */
export const scriptPath = "server/main.mjs"

/** Takes the address of a server that everybody who installs the plugin can reach. */
export const ofUrl = (text: string): Effect.Effect<PluginServer, Unusable> => {
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
  return Effect.succeed({ type: "http", url: text })
}

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
  const bad = names.find((name, index) => !/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name) || names.indexOf(name) !== index)
  if (bad !== undefined) {
    return new Unusable({ message: "--setting, --secret and --env each take the name of a variable, once." })
  }
  const option = (title: string, sensitive: boolean) => ({
    type: "string" as const,
    title,
    description: title,
    required: true,
    ...(sensitive && { sensitive })
  })
  const asked = [
    ...Object.entries(settings).map(([name, title]) => [name, option(title || name, false)] as const),
    ...Object.entries(secrets).map(([name, title]) => [name, option(title || name, true)] as const)
  ]
  return Effect.succeed({ type: "stdio", script, userConfig: Object.fromEntries(asked), env })
}

/** The environment of a server: what never changes, and a reference to each answer. */
export const environment = ({ env, userConfig }: Extract<PluginServer, { type: "stdio" }>) => ({
  ...env,
  ...Object.fromEntries(Object.keys(userConfig).map((name) => [name, `\${user_config.${name}}`]))
})

/** The text of `.mcp.json`, as data. */
export const mcpConfig = (name: string, server: PluginServer): McpConfig => ({
  mcpServers: {
    [name]:
      server.type === "http"
        ? { type: "http", url: server.url }
        : {
            type: "stdio",
            command: "node",
            args: [`\${CLAUDE_PLUGIN_ROOT}/${scriptPath}`],
            env: environment(server)
          }
  }
})
