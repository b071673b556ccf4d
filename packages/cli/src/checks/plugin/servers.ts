/** Checks of the servers that a plugin connects to or starts. */
import { isCredentialName } from "@ferrule/core/ToolSchema"
import * as launch from "../../plugin/launch.ts"
import { type DeclaredServer, listOf, type PluginFolder, recordOf, textsOf } from "../../plugin/PluginFolder.ts"
import { kindIn, secretsIn, secretsOf } from "../../plugin/secrets.ts"
import { type FileFault, make } from "./PluginCheck.ts"

export const secretless = make(
  {
    id: "B02",
    title: "Servers are https, state their transport, and no file holds a credential",
    why: "Everybody who installs a plugin has all of its files. A token in one of them is everybody's, and one in an address is in every log on the way.",
    fix: "Take the credential out and revoke it: what was published is known. Let callers sign in at the server, or ask for it with a sensitive userConfig.",
    severity: "block"
  },
  (plugin) => [...plugin.servers.flatMap(transport), ...plugin.servers.flatMap(memberSecrets), ...textSecrets(plugin)],
  ({ files, servers }) => `${servers.length} servers, ${files.filter(({ text }) => text !== undefined).length} texts`
)

const transport = ({ name, path, raw }: DeclaredServer): ReadonlyArray<FileFault> => {
  const fault = (message: string, fix: string): FileFault => ({
    path,
    at: name,
    message: `the server ${name} ${message}`,
    fix
  })
  const url = raw["url"]
  const faults: Array<FileFault> = []
  if ("url" in raw && raw["type"] === undefined) {
    faults.push(fault("has an address and no type", 'Add "type": "http".'))
  }
  if (Object.hasOwn(recordOf(raw["oauth"]) ?? {}, "clientSecret")) {
    faults.push(fault("has oauth.clientSecret, which Claude does not read", "Remove it, and revoke the secret."))
  }
  if (typeof url !== "string" || url === "" || url.startsWith("${")) return faults
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !["https:", "wss:"].includes(parsed.protocol)) {
    faults.push(fault("is not reached by https", "Serve it over https, with a certificate that is recognised."))
  }
  if (parsed !== undefined && (parsed.username !== "" || parsed.password !== "")) {
    faults.push(fault("has a user or a password in its address", "Take it out, and revoke it."))
  }
  for (const [key, value] of parsed?.searchParams ?? []) {
    if (isCredentialName(key) || key.toLowerCase() === "key" || kindIn(value) !== undefined) {
      faults.push(fault(`has a credential in its address, as ${key}`, "Take it out, and revoke it."))
    }
  }
  return faults
}

const memberSecrets = ({ name, path, raw }: DeclaredServer): ReadonlyArray<FileFault> => {
  const { clientId = "", ...oauth } = textsOf(raw["oauth"])
  // The id of a public client is random with some authorization servers, and is no secret.
  const idKind = kindIn(clientId)
  const args = Object.fromEntries(listOf(raw["args"]).map((arg, index) => [`argument ${index + 1}`, arg]))
  const found = [
    ...secretsIn(textsOf(raw["headers"])).map((each) => ({ ...each, in: "headers" })),
    ...secretsIn(textsOf(raw["env"])).map((each) => ({ ...each, in: "env" })),
    ...secretsIn(oauth).map((each) => ({ ...each, in: "oauth" })),
    ...(idKind === undefined ? [] : [{ at: "clientId", kind: idKind, in: "oauth" }]),
    ...secretsIn(args).map((each) => ({ ...each, in: "args" }))
  ]
  const flags = listOf(raw["args"]).flatMap((arg) => {
    const { flag, value } = /^--?(?<flag>[\w-]+)=(?<value>.+)$/.exec(arg)?.groups ?? {}
    const isLiteral = flag !== undefined && isCredentialName(flag) && value?.startsWith("${") !== true
    return isLiteral ? [{ at: `args --${flag}`, kind: "a credential, by its name" }] : []
  })
  return [
    ...found
      .filter((each) => each.in !== "oauth" || each.at !== "clientSecret")
      .map((each) => ({ at: `${each.in}.${each.at}`, kind: each.kind })),
    ...flags
  ].map(({ at, kind }) => ({ path, at: `${name}.${at}`, message: `the server ${name} holds ${kind} in its ${at}` }))
}

/** Documents whose members are looked at by name too are looked at by line here, so that nothing is said twice. */
const textSecrets = ({ files, mcp }: PluginFolder): ReadonlyArray<FileFault> =>
  files
    .filter(({ path }) => !mcp.some((document) => document.path === path))
    .flatMap(({ path, text }) =>
      secretsOf(text ?? "").map(({ at, kind }) => ({ path, at, message: `${path} holds ${kind} on ${at}` }))
    )

export const pinned = make(
  {
    id: "B03",
    title: "What a plugin starts is in its folder, or pinned to a version",
    why: "A launcher that fetches the newest package, or puts a line together for a shell, runs what nobody reviewed.",
    fix: "Pack the server into the plugin, and start it from ${CLAUDE_PLUGIN_ROOT} without a shell.",
    severity: "block"
  },
  (plugin) => [...plugin.servers.flatMap((server) => launchFaults(server, plugin)), ...piped(plugin)],
  ({ servers }) => `${servers.filter(({ raw }) => raw["command"] !== undefined).length} launchers`
)

const launchFaults = ({ name, path, raw }: DeclaredServer, { files }: PluginFolder): ReadonlyArray<FileFault> => {
  const { command } = raw
  if (typeof command !== "string") return []
  return launch
    .faultsOf(command, listOf(raw["args"]), (inside) => files.some((file) => file.path === inside))
    .map(({ held, what }) => ({
      path,
      at: name,
      message: `the server ${name} ${what}`,
      ...(held && { severity: "warn" as const })
    }))
}

/** What is fetched and run in one go, in scripts, hooks and instructions alike. */
const piped = ({ files }: PluginFolder): ReadonlyArray<FileFault> =>
  files.flatMap(({ path, text }) =>
    (text ?? "").split("\n").flatMap((line, index) =>
      /\b(curl|wget)\b[^|\n]*\|\s*(sudo\s+)?(ba|da|z|k)?sh\b/.test(line)
        ? [
            {
              path,
              at: `line ${index + 1}`,
              message: `${path} pipes what it fetches into a shell, on line ${index + 1}`
            }
          ]
        : []
    )
  )

export const asked = make(
  {
    id: "B04",
    title: "Secrets are asked for as sensitive, and kept out of arguments and helpers",
    why: "A setting that is not marked sensitive is kept in clear in a settings file; an argument is in the list of processes that every user of the machine can see.",
    fix: 'Mark it "sensitive": true under userConfig, and hand it to the server in env.',
    severity: "block"
  },
  (plugin) => [...settingFaults(plugin), ...plugin.servers.flatMap((server) => useFaults(server, sensitiveOf(plugin)))],
  (plugin) => `${Object.keys(settingsOf(plugin)).length} settings`
)

const settingsOf = ({ manifest }: PluginFolder) => recordOf(manifest?.raw["userConfig"]) ?? {}

const sensitiveOf = (plugin: PluginFolder): ReadonlySet<string> =>
  new Set(
    Object.entries(settingsOf(plugin))
      .filter(([name, option]) => isCredentialName(name) || recordOf(option)?.["sensitive"] === true)
      .map(([name]) => name)
  )

const settingFaults = (plugin: PluginFolder): ReadonlyArray<FileFault> =>
  Object.entries(settingsOf(plugin)).flatMap(([name, option]) => {
    const { default: preset, sensitive } = recordOf(option) ?? {}
    const at = { path: ".claude-plugin/plugin.json", at: `userConfig.${name}` }
    const isSecret = isCredentialName(name) || sensitive === true
    return [
      ...(isCredentialName(name) && sensitive !== true
        ? [{ ...at, message: `${name} is a credential by its name, and is not sensitive` }]
        : []),
      ...(isSecret && preset !== undefined && preset !== ""
        ? [{ ...at, message: `${name} is a secret, and has a default that everybody gets`, fix: "Remove the default." }]
        : [])
    ]
  })

const useFaults = ({ name, path, raw }: DeclaredServer, sensitive: ReadonlySet<string>): ReadonlyArray<FileFault> => {
  const at = { path, at: name }
  const helper = raw["headersHelper"]
  const args = [raw["command"], ...listOf(raw["args"])].filter((part) => typeof part === "string")
  const shown = [...sensitive].filter((key) => args.some((arg) => arg.includes(`\${user_config.${key}}`)))
  const environment = Object.entries(textsOf(raw["headers"])).filter(
    ([header, value]) => isCredentialName(header) && /\$\{(?!user_config\.|CLAUDE_)[^}]+\}/.test(value)
  )
  return [
    ...(typeof helper === "string" && (helper.includes("${user_config.") || kindIn(helper) !== undefined)
      ? [{ ...at, message: `the server ${name} has a secret, or a reference to one, in the text of its headersHelper` }]
      : []),
    ...shown.map((key) => ({ ...at, message: `the server ${name} is given ${key} as an argument` })),
    ...environment.map(([header]) => ({
      ...at,
      severity: "warn" as const,
      message: `the server ${name} is sent a variable of the user's environment as ${header}`,
      fix: "Let callers sign in at the server (OAuth), or ask for the value with a sensitive userConfig."
    }))
  ]
}
