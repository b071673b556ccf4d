/**
 * The files of a Claude plugin, as schemas: what this command writes, and what an audit finds in a folder. Each has every
 * key that Claude Code 2.1 reads; a key that is none of them is most likely a mistake.
 */
import * as Schema from "effect/Schema"

const optional = Schema.optionalKey
const Strings = Schema.Array(Schema.String)
const StringRecord = Schema.Record(Schema.String, Schema.String)
/** One path, several, or the thing itself. */
const PathsOr = <S extends Schema.Top>(schema: S) => Schema.Union([Schema.String, Strings, schema])
const Anything = Schema.Record(Schema.String, Schema.Unknown)

/** Who made it. */
export const Author = Schema.Struct({
  name: Schema.NonEmptyString,
  email: optional(Schema.String),
  url: optional(Schema.String)
})
export type Author = typeof Author.Type

/** What a plugin asks of whoever installs it. */
export const UserOption = Schema.Struct({
  type: Schema.Literals(["string", "number", "boolean", "directory", "file"]),
  title: Schema.NonEmptyString,
  description: Schema.NonEmptyString,
  sensitive: optional(Schema.Boolean),
  required: optional(Schema.Boolean),
  default: optional(Schema.Unknown),
  multiple: optional(Schema.Boolean),
  min: optional(Schema.Number),
  max: optional(Schema.Number)
})
export const UserConfig = Schema.Record(Schema.String, UserOption)
export type UserConfig = typeof UserConfig.Type

/** One server of `.mcp.json`, whatever its transport. */
export const Server = Schema.Struct({
  type: optional(Schema.Literals(["stdio", "http", "streamable-http", "sse", "ws"])),
  command: optional(Schema.String),
  args: optional(Strings),
  env: optional(StringRecord),
  url: optional(Schema.String),
  headers: optional(StringRecord),
  headersHelper: optional(Schema.String),
  timeout: optional(Schema.Number),
  alwaysLoad: optional(Schema.Boolean),
  oauth: optional(
    Schema.Struct({
      clientId: optional(Schema.String),
      callbackPort: optional(Schema.Number),
      authServerMetadataUrl: optional(Schema.String),
      scopes: optional(Schema.Union([Schema.String, Strings])),
      xaa: optional(Schema.Unknown)
    })
  ),
  tools: optional(
    Schema.Array(
      Schema.Struct({
        name: Schema.String,
        permission_policy: optional(Schema.Literals(["always_allow", "always_ask", "always_deny"])),
        org_max_permission: optional(Schema.Literals(["always_allow", "always_ask", "always_deny"]))
      })
    )
  ),
  network: optional(Schema.Struct({ hosts: optional(Strings) }))
})
export type Server = typeof Server.Type

/** `.mcp.json` */
export const McpConfig = Schema.Struct({ mcpServers: Schema.Record(Schema.String, Server) })
export type McpConfig = typeof McpConfig.Type

/** `.claude-plugin/plugin.json` */
export const Manifest = Schema.Struct({
  $schema: optional(Schema.String),
  name: Schema.NonEmptyString,
  displayName: optional(Schema.String),
  version: optional(Schema.String),
  description: optional(Schema.String),
  author: optional(Author),
  homepage: optional(Schema.String),
  repository: optional(Schema.String),
  license: optional(Schema.String),
  keywords: optional(Strings),
  metadata: optional(Anything),
  defaultEnabled: optional(Schema.Boolean),
  skills: optional(Schema.Union([Schema.String, Strings])),
  commands: optional(PathsOr(Anything)),
  agents: optional(PathsOr(Anything)),
  workflows: optional(PathsOr(Anything)),
  outputStyles: optional(PathsOr(Anything)),
  experimental: optional(Anything),
  hooks: optional(PathsOr(Anything)),
  mcpServers: optional(PathsOr(Anything)),
  lspServers: optional(PathsOr(Anything)),
  userConfig: optional(UserConfig),
  channels: optional(Schema.Array(Anything)),
  dependencies: optional(Schema.Union([Strings, Schema.Array(Anything), Anything])),
  network: optional(Schema.Struct({ hosts: optional(Strings) })),
  icon: optional(Schema.String),
  privacyPolicyUrl: optional(Schema.String),
  supportUrl: optional(Schema.String),
  documentationUrl: optional(Schema.String),
  installationPreference: optional(Schema.Literals(["required", "auto_install", "available"]))
})
export type Manifest = typeof Manifest.Type

/** `.claude-plugin/marketplace.json`; an entry may have any key of a plugin's manifest. */
export const Marketplace = Schema.Struct({
  $schema: optional(Schema.String),
  name: Schema.NonEmptyString,
  description: optional(Schema.String),
  version: optional(Schema.String),
  metadata: optional(Anything),
  owner: Author,
  plugins: Schema.Array(
    Schema.Struct({
      ...Manifest.fields,
      source: Schema.Union([Schema.String, Anything]),
      category: optional(Schema.String),
      tags: optional(Strings),
      strict: optional(Schema.Boolean)
    })
  )
})
export type Marketplace = typeof Marketplace.Type

/** What a company may do with each tool: exact names and wildcards. */
export const ToolPolicy = Schema.Record(Schema.String, Schema.Literals(["allow", "ask", "ask-session", "blocked"]))
export type ToolPolicy = typeof ToolPolicy.Type

/** The part of Claude Desktop's managed settings that hands out servers. */
export const ManagedSettings = Schema.Struct({
  managedMcpServers: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      transport: Schema.Literals(["http", "sse", "stdio"]),
      url: optional(Schema.String),
      headers: optional(StringRecord),
      headersHelper: optional(Schema.String),
      oauth: optional(Schema.Unknown),
      command: optional(Schema.String),
      args: optional(Strings),
      env: optional(StringRecord),
      envHelper: optional(Schema.String),
      toolPolicy: optional(ToolPolicy)
    })
  )
})
export type ManagedSettings = typeof ManagedSettings.Type

/** The front matter of a SKILL.md. */
export const SkillFrontMatter = Schema.Struct({
  name: optional(Schema.String),
  description: optional(Schema.String),
  when_to_use: optional(Schema.String),
  "argument-hint": optional(Schema.String),
  arguments: optional(Schema.Union([Schema.String, Strings])),
  "disable-model-invocation": optional(Schema.Boolean),
  "user-invocable": optional(Schema.Boolean),
  "allowed-tools": optional(Schema.Union([Schema.String, Strings])),
  "disallowed-tools": optional(Schema.Union([Schema.String, Strings])),
  model: optional(Schema.String),
  effort: optional(Schema.Union([Schema.String, Schema.Number])),
  context: optional(Schema.String),
  agent: optional(Schema.String),
  hooks: optional(Anything),
  paths: optional(Schema.Union([Schema.String, Strings])),
  shell: optional(Schema.String),
  license: optional(Schema.String),
  compatibility: optional(Schema.String),
  version: optional(Schema.String),
  metadata: optional(Anything)
})
export type SkillFrontMatter = typeof SkillFrontMatter.Type
