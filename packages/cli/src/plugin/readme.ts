/**
 * The README of a plugin: what it is, who may do what, how it is installed, and where its rules and its people are.
 */
import * as Policy from "@ferrule/core/Policy"
import { isRead, type Subject, type SubjectTool } from "../internal/Subject.ts"
import type { Details } from "./Details.ts"
import { text } from "./markdown.ts"
import type { PluginServer } from "./PluginServer.ts"

/** The README of a plugin. */
export const ofPlugin = (details: Details, subject: Subject, server: PluginServer): string =>
  readme(details, subject, server, [
    "In Claude Code, from the repository that holds this folder:",
    "",
    "```",
    `/plugin install ${details.name} --marketplace ${repositoryOf(details.repository)}`,
    "```",
    "",
    "For a whole organization, `admin/managed-settings.json` suggests how its administrators hand the server out, and which",
    "tools ask before each call.",
    ...(server.type === "http" && Object.keys(server.userConfig).length > 0
      ? ["It has no token: they add a `headersHelper` that gives each person's."]
      : [])
  ])

/** The README of an MCP bundle. */
export const ofBundle = (details: Details, subject: Subject, server: PluginServer): string =>
  readme(details, subject, server, ["Open the `.mcpb` file with Claude Desktop, and allow what it asks for."])

const readme = (
  details: Details,
  { tools }: Subject,
  server: PluginServer,
  installation: ReadonlyArray<string>
): string =>
  [
    `# ${text(details.displayName)}`,
    "",
    text(details.description),
    "",
    server.type === "http"
      ? `It connects Claude to ${server.url}, and holds no secret: you ${Object.keys(server.userConfig).length > 0 ? "give your own token when you install it" : "sign in at the server"}. The server decides on each call what your roles allow.`
      : "Its server runs on your machine, with Node 22.19 or newer, and is one file, `server/main.mjs`, with everything that it needs; nothing is downloaded when it starts.",
    "",
    "## Tools",
    "",
    "| tool | what it does | kind | who may call it |",
    "| --- | --- | --- | --- |",
    ...tools.map(row),
    "",
    `${tools.every(isRead) ? "" : "Writes happen once: a repeat of a call gets the first one's result. "}A refusal names its class and what to do next.`,
    "",
    ...settings(server),
    "## Installation",
    "",
    ...installation,
    "",
    "## Privacy, support, licence",
    "",
    `- Privacy policy: ${details.privacyPolicyUrl}`,
    ...(details.supportUrl === undefined ? [] : [`- Support: ${details.supportUrl}`]),
    ...(details.documentationUrl === undefined ? [] : [`- Documentation: ${details.documentationUrl}`]),
    `- Made by ${text(details.author.name)}${details.author.email === undefined ? "" : `, ${text(details.author.email)}`}`,
    `- Licence: ${text(details.license)}, see LICENSE`,
    ""
  ].join("\n")

const row = (tool: SubjectTool): string => {
  const { annotations, declared, name, title } = tool
  const kind = isRead(tool) ? "reads" : annotations["destructiveHint"] === true ? "changes" : "adds"
  const who = declared === undefined ? "what the server allows" : Policy.describe(declared.allow)
  return `| \`${name}\` | ${text(title ?? name)} | ${kind} | ${text(who)} |`
}

const settings = (server: PluginServer): ReadonlyArray<string> => {
  if (Object.keys(server.userConfig).length === 0) return []
  return [
    "## Settings",
    "",
    "You are asked for these when you install it:",
    "",
    ...Object.entries(server.userConfig).map(
      ([key, { sensitive, title }]) =>
        `- \`${key}\`: ${text(title)}${sensitive === true ? " (kept in the keychain)" : ""}`
    ),
    ""
  ]
}

const repositoryOf = (repository: string | undefined): string =>
  /^https:\/\/github\.com\/(?<name>[\w.-]+\/[\w.-]+)$/.exec(repository ?? "")?.groups?.["name"] ?? "<owner>/<repo>"
