/**
 * The folder of an MCP bundle (manifest 0.3): the same server for Claude Desktop, which `mcpb pack` makes one file of.
 */
import * as Effect from "effect/Effect"
import type { Subject } from "../internal/Subject.ts"
import { Unusable } from "../internal/Unusable.ts"
import type { Details } from "./Details.ts"
import { type File, json } from "./folder.ts"
import { environment, type PluginServer, scriptPath, type StdioServer } from "./PluginServer.ts"
import * as Readme from "./readme.ts"

/** Lists what the folder of the bundle holds. */
export const files = Effect.fnUntraced(function* (
  details: Details,
  subject: Subject,
  server: PluginServer,
  icon: Uint8Array | undefined
) {
  if (server.type === "http") {
    return yield* new Unusable({
      message: "An MCP bundle holds a server that runs on the machine: give --stdio with --mcpb, or leave --mcpb out."
    })
  }
  const pluginOnly = Object.entries(server.env).find(([, value]) => value.includes("${CLAUDE_"))
  if (pluginOnly !== undefined) {
    return yield* new Unusable({
      message: `--env ${pluginOnly[0]} names a folder of Claude Code, which an MCP bundle does not have. Ask for it with --setting ${pluginOnly[0]}="what it is", or use \${HOME}.`
    })
  }
  const bundle: ReadonlyArray<File> = [
    json("manifest.json", manifest(details, subject, server, icon !== undefined)),
    { path: scriptPath, content: server.script },
    { path: "README.md", content: Readme.ofBundle(details, subject, server) },
    { path: "LICENSE", content: details.licenseText },
    ...(icon === undefined ? [] : [{ path: "icon.png", content: icon }])
  ]
  return bundle
})

const manifest = (details: Details, { tools }: Subject, server: StdioServer, hasIcon: boolean) => ({
  manifest_version: "0.3",
  name: details.name,
  display_name: details.displayName,
  version: details.version,
  description: details.description,
  author: details.author,
  license: details.license,
  privacy_policies: [details.privacyPolicyUrl],
  ...(details.supportUrl !== undefined && { support: details.supportUrl }),
  ...(details.documentationUrl !== undefined && {
    documentation: details.documentationUrl,
    homepage: details.documentationUrl
  }),
  ...(details.repository !== undefined && { repository: { type: "git", url: details.repository } }),
  ...(hasIcon && { icon: "icon.png" }),
  server: {
    type: "node",
    entry_point: scriptPath,
    mcp_config: { command: "node", args: [`\${__dirname}/${scriptPath}`], env: environment(server) }
  },
  tools: tools.map(({ name, title }) => ({ name, ...(title !== undefined && { description: title }) })),
  compatibility: { runtimes: { node: ">=22.19" } },
  ...(Object.keys(server.userConfig).length > 0 && { user_config: server.userConfig })
})
