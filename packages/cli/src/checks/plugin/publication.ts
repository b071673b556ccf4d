/** Checks of what a plugin says about itself, and of the weight of its files. */
import type { PluginFile, PluginFolder } from "../../plugin/PluginFolder.ts"
import { isHttps } from "../../plugin/Details.ts"
import { nameFault } from "../../plugin/names.ts"
import { type FileFault, make } from "./PluginCheck.ts"

const manifestPath = ".claude-plugin/plugin.json"

export const publishable = make(
  {
    id: "B05",
    title: "README, licence, privacy policy, version, name and icon are there, and no file is too large",
    why: "Whoever decides about a plugin has nothing else to go by. Directories refuse it, or hold it until somebody has looked.",
    fix: "Add what is missing; ferrule plugin makes all of it from the contract and flags.",
    severity: "warn"
  },
  (plugin) => [...statements(plugin), ...weights(plugin.files)],
  ({ files }) => `${files.length} files, ${Math.ceil(total(files) / 1024)} KiB`
)

const statements = ({ files, manifest, marketplace }: PluginFolder): ReadonlyArray<FileFault> => {
  const fault = (message: string, path = manifestPath): FileFault => ({ path, message })
  const raw = manifest?.raw ?? {}
  const has = (pattern: RegExp) => files.some(({ path }) => pattern.test(path))
  const readme = files.find(({ path }) => /^readme(\.md|\.txt)?$/i.test(path))
  const words = (readme?.text ?? "").split(/\s+/).filter((word) => /\w/.test(word)).length
  const faults: Array<FileFault> = []
  if (manifest === undefined) faults.push(fault("there is no plugin.json, so that nothing says what the plugin is"))
  if (readme === undefined) faults.push(fault("there is no README", "README.md"))
  else if (words < 40) faults.push(fault(`the README has ${words} words, and should have 40 at least`, readme.path))
  if (!has(/^licen[cs]e(\.md|\.txt)?$/i)) faults.push(fault("there is no LICENSE file", "LICENSE"))
  for (const key of ["version", "description", "license", "author"]) {
    if (manifest !== undefined && raw[key] === undefined) faults.push(fault(`plugin.json has no ${key}`))
  }
  if (manifest !== undefined && !(typeof raw["privacyPolicyUrl"] === "string" && isHttps(raw["privacyPolicyUrl"]))) {
    faults.push(fault("plugin.json has no privacyPolicyUrl that is an https address"))
  }
  if (raw["icon"] === undefined && !has(/^(\.claude-plugin|assets)\/icon\.(png|jpe?g)$/)) {
    faults.push(fault("there is no icon: a square PNG of 512 to 2048 pixels at .claude-plugin/icon.png"))
  }
  for (const document of [manifest, marketplace]) {
    const name = document?.raw["name"]
    const wrong = typeof name === "string" ? nameFault(name) : undefined
    if (wrong !== undefined) faults.push(fault(`its name ${wrong}`, document!.path))
  }
  return faults
}

const [kibi, mebi] = [1024, 1024 * 1024]

const total = (files: ReadonlyArray<PluginFile>) => files.reduce((sum, { size }) => sum + size, 0)

const weights = (files: ReadonlyArray<PluginFile>): ReadonlyArray<FileFault> => {
  const each = files.flatMap(({ isLink, path, size }) => {
    const fault = (message: string, fix: string) => [{ path, message: `${path} ${message}`, fix }]
    if (isLink) return fault("is a link, which a copy of the folder does not have", "Put the file itself there.")
    if (/(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX(\/|$))/.test(path)) {
      return fault("is left over from an operating system", "Remove it.")
    }
    if (/\.(mcpb|dxt)$/.test(path))
      return fault("is a bundle, which directories hold", "Put the server into the folder.")
    if (size > 5 * mebi) return fault("has more than 5 MiB, which directories refuse", "Make it smaller, or serve it.")
    if (size >= 256 * kibi && !/\.(png|jpe?g)$/.test(path)) {
      return fault(
        "has 256 KiB or more, so that a directory has somebody look at it",
        "Serve the connector over https."
      )
    }
    return []
  })
  const folder = { path: ".", fix: "Keep to what the plugin needs." }
  const size = total(files)
  return [
    ...each,
    ...(size > 50 * mebi ? [{ ...folder, message: "the folder has more than 50 MiB, which directories refuse" }] : []),
    ...(files.length > 512
      ? [{ ...folder, message: `the folder has ${files.length} files, and 512 are looked at by hand` }]
      : [])
  ]
}
