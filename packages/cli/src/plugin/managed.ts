/**
 * What a company's administrators are suggested: how Claude Desktop hands the server out, and what is asked before each call.
 *
 * A read runs without a question. A write asks each time, so that a person sees what is sent; a destructive one does too,
 * unless the administrators want it blocked. Blocking is not suggested by default, since it takes the tool from everybody,
 * and the server decides on each call who may use it. Every tool is named: a wildcard would let a tool in that nobody has
 * looked at.
 */
import { isRead, type Subject, type SubjectTool } from "../internal/Subject.ts"
import type { Details } from "./Details.ts"
import type { ManagedSettings, ToolPolicy } from "./formats.ts"
import { environment, type PluginServer, scriptPath } from "./PluginServer.ts"

export type Destructive = "ask" | "blocked"

/** Where the suggestion is in the folder. */
export const managedPath = "admin/managed-settings.json"

/** Gives the settings. A server that runs on the machine is found where the administrators put the folder. */
export const managedSettings = (
  { server: name }: Details,
  { tools }: Subject,
  server: PluginServer,
  destructive: Destructive
): ManagedSettings => ({
  managedMcpServers: [
    {
      name,
      ...(server.type === "http"
        ? { transport: "http" as const, url: server.url }
        : {
            transport: "stdio" as const,
            command: "node",
            args: [`/opt/${name}/${scriptPath}`],
            env: Object.fromEntries(Object.entries(environment(server)).filter(([, value]) => !value.includes("${")))
          }),
      toolPolicy: toolPolicy(tools, destructive)
    }
  ]
})

const toolPolicy = (tools: ReadonlyArray<SubjectTool>, destructive: Destructive): ToolPolicy =>
  Object.fromEntries(tools.map((tool) => [tool.name, lenient(tool, destructive)]))

/** The most that is suggested for a tool. */
const lenient = (tool: SubjectTool, destructive: Destructive): ToolPolicy[string] =>
  isRead(tool) ? "allow" : tool.annotations["destructiveHint"] === true ? destructive : "ask"
