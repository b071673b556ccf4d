/**
 * Checks of tools' names: what a client accepts, and what becomes of them once they are composed.
 */
import type { StaticCheck } from "../internal/Check.ts"
import { shown } from "../internal/excerpt.ts"

export const accepted: StaticCheck = {
  info: {
    id: "A01",
    title: "Each tool's name is one that every client accepts, and no two are alike",
    why: "A client drops or renames a tool whose name it does not take, and one bad tool can hide all the others. Of two names that differ in capital letters alone, the wrong one gets called.",
    fix: "Use 1 to 64 letters, digits, _ and -, in lower case, and a name that no other tool has.",
    severity: "block"
  },
  run: ({ tools }) => {
    const faults = tools.flatMap(({ name }, i) => {
      const fault = (message: string) => ({ subject: name, where: "/name", message, evidence: shown(name) })
      const same = tools.findIndex((other) => other.name.toLowerCase() === name.toLowerCase())
      return [
        ...(/^[a-zA-Z0-9_-]{1,64}$/.test(name)
          ? []
          : [fault("is not a name of 1 to 64 letters, digits, _ and -, as the Claude API demands")]),
        ...(same < i ? [fault(`is the same name as ${shown(tools[same]!.name)}, but for capital letters at most`)] : [])
      ]
    })
    return { faults, note: `${tools.length} names` }
  }
}

const longest = 64

export const composed: StaticCheck = {
  info: {
    id: "A02",
    title: "Each tool's name fits into 64 characters once the plugin and the server are put before it",
    why: "In a plugin the model sees mcp__plugin_<plugin>_<server>__<tool>. The API takes 64 characters; a tool beyond that can't be found or called.",
    fix: "Shorten the tool's name, or give the connector a shorter one: it counts twice, for the plugin and for its server.",
    severity: "block"
  },
  run: ({ connector, installedAs, name, tools }) => {
    const { plugin, server } = installedAs ?? { plugin: name, server: name }
    const names = tools.map((tool) => ({
      tool: tool.name,
      full: `mcp__plugin_${plugin}_${server}__${tool.name}`.replace(/[^a-zA-Z0-9_-]/g, "_")
    }))
    return {
      faults: names
        .filter(({ full }) => full.length > longest)
        .map(({ full, tool }) => ({
          subject: tool,
          where: "/name",
          message: `becomes a name of ${full.length} characters, ${full.length - longest} too many`,
          evidence: full,
          // What somebody else's server will be installed as is a guess.
          ...(connector === undefined && { severity: "warn" as const })
        })),
      note: `the longest has ${Math.max(0, ...names.map(({ full }) => full.length))} characters`
    }
  }
}
