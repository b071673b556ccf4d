/** Checks of the skills of a plugin. */
import type { Document, PluginFolder } from "../../plugin/PluginFolder.ts"
import type { SkillFrontMatter } from "../../plugin/formats.ts"
import { type FileFault, make } from "./PluginCheck.ts"

export const typed = make(
  {
    id: "B07",
    title: "Each SKILL.md has front matter of the right types, and allows no tool at large",
    why: "A description that is a list is dropped without a word, and the skill is never used. allowed-tools takes the question away that would have come before each call.",
    fix: "Write the description as one text, and name in allowed-tools only what the skill can't do without.",
    severity: "warn"
  },
  (plugin) => plugin.skills.flatMap(faultsOf),
  ({ skills }: PluginFolder) => `${skills.length} skills`
)

const faultsOf = (skill: Document<SkillFrontMatter>): ReadonlyArray<FileFault> => {
  const { faults, path, raw } = skill
  const fault = (at: string, message: string, fix?: string): FileFault => ({ path, at, message, ...(fix && { fix }) })
  const found = faults.map(({ at, what }) => fault(at, `${at || "the file"} ${what}`))
  const folder = path.split("/").at(-2)
  const { compatibility, description, name, when_to_use: when } = raw
  if (typeof name === "string" && name !== folder) found.push(fault("name", "the name is not that of its folder"))
  if (description === undefined)
    found.push(fault("description", "there is no description, so that nobody knows when to use it"))
  if (String(description ?? "").length + String(when ?? "").length > 1536) {
    found.push(fault("description", "description and when_to_use have more than 1,536 characters, and the rest is cut"))
  }
  if (typeof compatibility === "string" && compatibility.length > 500) {
    found.push(fault("compatibility", "compatibility has more than 500 characters"))
  }
  const broad = allowedBy(raw["allowed-tools"]).filter(isBroad)
  if (broad.length > 0) found.push(fault("allowed-tools", `allowed-tools allows ${broad.join(", ")} at large`))
  return found
}

/** A text separates tools by commas or spaces, of which there may be some within parentheses. */
const allowedBy = (value: unknown): ReadonlyArray<string> =>
  (Array.isArray(value) ? value : typeof value === "string" ? (value.match(/[^\s,(]+(\([^)]*\))?/g) ?? []) : []).filter(
    (tool) => typeof tool === "string"
  )

const isBroad = (tool: string): boolean => {
  const { inside, name } = /^(?<name>[^(]*)(\((?<inside>[^)]*)\))?$/.exec(tool.trim())?.groups ?? {}
  if (name === undefined || name.includes("*")) return true
  const isPowerful = ["Bash", "PowerShell", "Write", "Edit", "NotebookEdit", "WebFetch", "Agent", "Task"].includes(name)
  return isPowerful && (inside === undefined || /^[\s:*]*$/.test(inside))
}
