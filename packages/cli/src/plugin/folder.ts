/**
 * The files of a plugin's folder, which is also a marketplace that lists it: so a repository of it can be installed from.
 */
import type { Subject } from "../internal/Subject.ts"
import type { Details } from "./Details.ts"
import type { Manifest, Marketplace } from "./formats.ts"
import { type Destructive, managedPath, managedSettings } from "./managed.ts"
import { mcpConfig, type PluginServer, scriptPath } from "./PluginServer.ts"
import * as Readme from "./readme.ts"
import { skill } from "./skill.ts"

/** A file by its path within the folder. */
export interface File {
  readonly path: string
  readonly content: string | Uint8Array
}

export interface Options {
  readonly marketplace: string
  readonly destructive: Destructive
  /** A square PNG. */
  readonly icon: Uint8Array | undefined
}

/** Lists what the folder of a plugin holds. */
export const files = (
  details: Details,
  subject: Subject,
  server: PluginServer,
  { destructive, icon, marketplace }: Options
): ReadonlyArray<File> => [
  json(".claude-plugin/plugin.json", manifest(details, server, icon !== undefined)),
  json(".claude-plugin/marketplace.json", marketplaceOf(details, marketplace)),
  json(".mcp.json", mcpConfig(details.server, server)),
  json(managedPath, managedSettings(details, subject, server, destructive)),
  { path: `skills/${details.server}/SKILL.md`, content: skill(details, subject) },
  { path: "README.md", content: Readme.ofPlugin(details, subject, server) },
  { path: "LICENSE", content: details.licenseText },
  ...(icon === undefined ? [] : [{ path: iconPath, content: icon }]),
  ...(server.type === "stdio" ? [{ path: scriptPath, content: server.script }] : [])
]

/** Where the icon is in the folder. */
const iconPath = ".claude-plugin/icon.png"

/** A file of JSON, as people format it. */
export const json = (path: string, value: unknown): File => ({ path, content: `${JSON.stringify(value, null, 2)}\n` })

const manifest = (details: Details, server: PluginServer, hasIcon: boolean): Manifest => ({
  $schema: "https://json.schemastore.org/claude-code-plugin-manifest.json",
  name: details.name,
  displayName: details.displayName,
  version: details.version,
  description: details.description,
  author: details.author,
  license: details.license,
  privacyPolicyUrl: details.privacyPolicyUrl,
  ...(details.supportUrl !== undefined && { supportUrl: details.supportUrl }),
  ...(details.documentationUrl !== undefined && {
    documentationUrl: details.documentationUrl,
    homepage: details.documentationUrl
  }),
  ...(details.repository !== undefined && { repository: details.repository }),
  ...(hasIcon && { icon: `./${iconPath}` }),
  ...(Object.keys(server.userConfig).length > 0 && { userConfig: server.userConfig })
})

const marketplaceOf = ({ author, description, name, version }: Details, marketplace: string): Marketplace => ({
  name: marketplace,
  owner: author,
  description: `Lists the plugin ${name}.`,
  plugins: [{ name, source: "./", description, version }]
})
