/** Checks of the documents that Claude reads a plugin from. */
import { type FileFault, make } from "./PluginCheck.ts"
import { type PluginFolder, recordOf } from "../../plugin/PluginFolder.ts"

export const readable = make(
  {
    id: "B01",
    title: "plugin.json, .mcp.json and marketplace.json have the form that Claude reads",
    why: "A key with a typing error is ignored without a word: the setting that it was to make is not made.",
    fix: "Correct or remove it; claude-code's manifest reference lists every key.",
    severity: "block"
  },
  (plugin) => [...forms(plugin), ...references(plugin), ...undeclared(plugin)],
  ({ mcp, skills }) => `${mcp.length} server files, ${skills.length} skills`
)

const forms = ({ manifest, marketplace, managed, mcp }: PluginFolder): ReadonlyArray<FileFault> =>
  [manifest, marketplace, ...mcp, ...managed].flatMap((document) =>
    document === undefined
      ? []
      : document.faults.map(({ at, what }) => ({ path: document.path, at, message: `${at || "the file"} ${what}` }))
  )

/** Paths of a manifest start with `./` and lead to something within the folder. */
const references = ({ files, manifest }: PluginFolder): ReadonlyArray<FileFault> =>
  ["icon", "skills", "commands", "agents", "workflows", "outputStyles", "hooks", "mcpServers", "lspServers"].flatMap(
    (key) => {
      const value = manifest?.raw[key]
      const paths = (Array.isArray(value) ? value : [value]).filter((path) => typeof path === "string")
      return paths.flatMap((path: string) => {
        const inside = path.replace(/^\.\//, "").replace(/\/$/, "")
        const isThere = files.some((file) => file.path === inside || file.path.startsWith(`${inside}/`))
        if (path.startsWith("./") && !path.split("/").includes("..") && (isThere || inside === "")) return []
        return [
          {
            path: manifest!.path,
            at: key,
            message: `${key} names no path within the folder`,
            fix: "Let it start with ./ and lead to a file or folder of the plugin."
          }
        ]
      })
    }
  )

const undeclared = ({ manifest, servers }: PluginFolder): ReadonlyArray<FileFault> => {
  const declared = new Set(Object.keys(recordOf(manifest?.raw["userConfig"]) ?? {}))
  return servers.flatMap(({ name, path, raw }) =>
    [...new Set([...JSON.stringify(raw).matchAll(/\$\{user_config\.([^}]+)\}/g)].map(([, key]) => key!))]
      .filter((key) => !declared.has(key))
      .map((key) => ({
        path,
        at: name,
        message: `the server ${name} uses \${user_config.${key}}, which plugin.json does not declare`,
        fix: "Declare it under userConfig, with a type, a title and a description."
      }))
  )
}
