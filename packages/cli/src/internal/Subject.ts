/**
 * What is audited, in one form whether it was declared in a module or listed by a server: static checks read this and
 * nothing else.
 */
import * as Connector from "@ferrule/core/Connector"
import type * as CoreTool from "@ferrule/core/Tool"
import { ofTool } from "@ferrule/mcp/ToolDefinition"
import type { Tool as Listed } from "@modelcontextprotocol/client"
import type { Drift } from "../lock/drift.ts"
import type { PluginFolder } from "../plugin/PluginFolder.ts"

/** A JSON Schema, or any object that may be one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** A tool as a client is shown it. `declared` is there where the connector itself could be read. */
export interface SubjectTool {
  readonly name: string
  readonly title: string | undefined
  readonly description: string
  readonly inputSchema: JsonSchema
  readonly outputSchema: JsonSchema | undefined
  readonly annotations: Readonly<Record<string, unknown>>
  readonly meta: Readonly<Record<string, unknown>>
  readonly declared: CoreTool.Any | undefined
}

export interface Subject {
  readonly name: string
  readonly version: string
  readonly title: string | undefined
  readonly instructions: string | undefined
  readonly tools: ReadonlyArray<SubjectTool>
  /** Undefined where only the wire can be seen. */
  readonly connector: Connector.Any | undefined
  /** Under which names a client has the plugin and its server; the connector's own unless given. */
  readonly installedAs?: { readonly plugin: string; readonly server: string } | undefined
  /** The valid arguments that the module gives, by tool. */
  readonly examples: Readonly<Record<string, unknown>>
  /** What the lock file says, where the audit was asked to compare with it. `drift` is undefined without such a file. */
  readonly lock?: {
    readonly path: string
    readonly tools: number
    readonly drift: ReadonlyArray<Drift> | undefined
  }
  /** The folder of the plugin that the connector is packed in, where the audit was given it. */
  readonly plugin?: PluginFolder
}

export const ofConnector = (connector: Connector.Any, examples: Readonly<Record<string, unknown>>): Subject => ({
  name: connector.name,
  version: connector.version,
  title: connector.title,
  instructions: connector.instructions,
  tools: Connector.toolsOf(connector).map((tool) => ofListed(ofTool(tool), tool)),
  connector,
  examples
})

/** Takes the wire's form of a tool, which may lack everything that the protocol makes optional. */
export const ofListed = (listed: Listed, declared?: CoreTool.Any): SubjectTool => ({
  name: listed.name,
  title: listed.title ?? listed.annotations?.title,
  description: listed.description ?? "",
  inputSchema: listed.inputSchema,
  outputSchema: listed.outputSchema,
  annotations: { ...listed.annotations },
  meta: { ...listed._meta },
  declared
})

/** Whether the tool says of itself that it changes nothing. */
export const isRead = ({ annotations }: SubjectTool): boolean => annotations["readOnlyHint"] === true
