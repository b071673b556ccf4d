/** Checks of what administrators are suggested. */
import { isRead, type SubjectTool } from "../../internal/Subject.ts"
import { type Document, recordOf, textsOf } from "../../plugin/PluginFolder.ts"
import { type FileFault, make } from "./PluginCheck.ts"

export const suggested = make(
  {
    id: "B08",
    title: "Administrators are suggested a policy for each tool, which agrees with what the tool does",
    why: "Without it every organization makes up its own, and a write that runs without a question is found out when it has run.",
    fix: "Run ferrule plugin again: reads are allowed, writes ask, and each tool is named.",
    severity: "warn"
  },
  ({ managed }, { tools }) => {
    const servers = managed.flatMap((document) => serversOf(document))
    if (servers.length === 0) {
      return [{ path: "admin/managed-settings.json", message: "no file suggests managedMcpServers with a toolPolicy" }]
    }
    return servers.flatMap((server) => faultsOf(server, tools))
  },
  ({ managed }) => `${managed.length} files`
)

interface ManagedServer {
  readonly path: string
  readonly at: string
  readonly policy: Readonly<Record<string, string>>
}

const serversOf = ({ path, raw }: Document<unknown>): ReadonlyArray<ManagedServer> => {
  const servers = raw["managedMcpServers"]
  return (Array.isArray(servers) ? servers : []).map((server: unknown, index) => ({
    path,
    at: `managedMcpServers.${index}.toolPolicy`,
    policy: textsOf(recordOf(server)?.["toolPolicy"])
  }))
}

const faultsOf = ({ at, path, policy }: ManagedServer, tools: ReadonlyArray<SubjectTool>): ReadonlyArray<FileFault> => {
  const fault = (message: string): FileFault => ({ path, at, message })
  const names = new Set(tools.map(({ name }) => name))
  return [
    ...tools.flatMap((tool) => {
      const value = valueOf(policy, tool.name)
      if (value === undefined) return [fault(`nothing is suggested for ${tool.name}`)]
      if (value === "allow" && !isRead(tool)) return [fault(`${tool.name} writes, and is allowed without a question`)]
      return value === "ask-session" && tool.annotations["destructiveHint"] === true
        ? [fault(`${tool.name} changes or removes something, and asks only once in a session`)]
        : []
    }),
    ...Object.keys(policy)
      .filter((name) => !name.includes("*") && !names.has(name))
      .map((name) => fault(`${name} is no tool of the connector`))
  ]
}

const strictness = ["allow", "ask-session", "ask", "blocked"]

/** An exact name wins over a wildcard, unless the wildcard is stricter. */
const valueOf = (policy: ManagedServer["policy"], tool: string): string | undefined =>
  Object.entries(policy)
    .filter(([pattern]) => pattern === tool || (pattern.includes("*") && matches(pattern, tool)))
    .sort(([one, first], [other, second]) => {
      const stricter = strictness.indexOf(second) - strictness.indexOf(first)
      return stricter === 0 ? Number(other === tool) - Number(one === tool) : stricter
    })
    .map(([, value]) => value)[0]

const matches = (pattern: string, tool: string): boolean => {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
  return new RegExp(`^${parts.join(".*")}$`).test(tool)
}
