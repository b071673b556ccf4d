/**
 * Which names a plugin may have, and what becomes of them: a model sees a tool by the plugin's name, the server's and its own.
 */

/** Says what is wrong with a plugin's name, or gives undefined. */
export const nameFault = (name: string): string | undefined => {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || name.length > 64) {
    return "must be 1 to 64 of a-z and 0-9, with single hyphens between"
  }
  if (reserved.test(name)) return "passes for one of Anthropic's own"
  return generic.has(name) ? "says nothing about what it is for" : undefined
}

const reserved = /^(claude|anthropic|anthropics|cc-plugin)(-|$)|(^|-)official(-|$)/

const generic = new Set(["official", "plugin", "mcp", "test"])

const longest = 64

/** Gives the name by which a model sees a tool of a plugin's server. */
export const composed = (plugin: string, server: string, tool: string): string =>
  `mcp__plugin_${plugin}_${server}__${tool}`

/** Finds the tool whose composed name is longest, where it is too long. */
export const tooLong = (plugin: string, server: string, tools: ReadonlyArray<string>): string | undefined =>
  tools
    .map((tool) => composed(plugin, server, tool))
    .filter((name) => name.length > longest)
    .sort((one, other) => other.length - one.length)[0]
