/** Checks of the packages that a connector is made of. */
import * as Option from "effect/Option"
import type { Package } from "../../plugin/packages.ts"
import { recordOf } from "../../plugin/PluginFolder.ts"
import { type FileFault, make } from "./PluginCheck.ts"

export const patched = make(
  {
    id: "B06",
    title: "No package has a known advisory, every one is pinned with its integrity, and none runs at installation",
    why: "A connector answers with the code that it is made of. What is not pinned by its hash can be another package tomorrow.",
    fix: "Update the package, and commit the lock file that npm or pnpm writes.",
    severity: "block"
  },
  ({ files, packages }) => {
    const scripts = files.flatMap(({ path, text }) =>
      /(^|\/)package\.json$/.test(path) ? ownScripts(path, text ?? "") : []
    )
    if (packages.length === 0 && scripts.length === 0) {
      return {
        notSeen:
          "there is no package-lock.json, npm-shrinkwrap.json or pnpm-lock.yaml in the plugin or near the module, so what is installed can't be told"
      }
    }
    return [...scripts, ...packages.flatMap(faultsOf), ...withoutIntegrity(packages)]
  },
  ({ packages }) => `${packages.length} locked packages, ${advisories.length} advisories known to this version`
)

interface Advisory {
  readonly name: string
  /** The first version that is not affected. */
  readonly patched: string
  readonly ids: string
}

const advisories: ReadonlyArray<Advisory> = [
  { name: "@modelcontextprotocol/sdk", patched: "1.26.0", ids: "CVE-2026-25536, CVE-2026-0621, CVE-2025-66414" },
  { name: "mcp-remote", patched: "0.1.16", ids: "CVE-2025-6514" },
  { name: "@modelcontextprotocol/inspector", patched: "0.14.1", ids: "CVE-2025-49596" }
]

const faultsOf = ({ hasInstallScript, name, path, version }: Package): ReadonlyArray<FileFault> => {
  const advisory = advisories.find((each) => each.name === name && isBelow(version, each.patched))
  return [
    ...(advisory === undefined
      ? []
      : [
          {
            path,
            at: name,
            message: `${name} ${version} has known advisories: ${advisory.ids}`,
            fix: `Update ${name} to ${advisory.patched} or newer.`
          }
        ]),
    ...(hasInstallScript
      ? [
          {
            path,
            at: name,
            severity: "warn" as const,
            message: `${name} ${version} runs a script when it is installed`,
            fix: "Install with scripts off, or allow it by name after a look at it."
          }
        ]
      : [])
  ]
}

const withoutIntegrity = (packages: ReadonlyArray<Package>): ReadonlyArray<FileFault> =>
  [...Map.groupBy(packages, ({ path }) => path)].flatMap(([path, all]) => {
    const bare = all.filter(({ hasIntegrity }) => !hasIntegrity).map(({ name }) => name)
    if (bare.length === 0) return []
    const more = bare.length > 3 ? ` and ${bare.length - 3} more` : ""
    return [{ path, message: `${bare.slice(0, 3).join(", ")}${more} is pinned without its integrity` }]
  })

/** A prerelease comes before its release. */
const isBelow = (version: string, other: string): boolean => {
  const numbers = (text: string) => text.split(/[.+-]/).slice(0, 3).map(Number)
  const [one, two] = [numbers(version), numbers(other)]
  const at = one.findIndex((number, index) => number !== two[index])
  return at < 0 ? version.includes("-") : one[at]! < two[at]!
}

const ownScripts = (path: string, text: string): ReadonlyArray<FileFault> => {
  // A package.json that does not parse has no scripts that could run.
  const manifest = Option.liftThrowable((json: string): unknown => JSON.parse(json))(text)
  const scripts = recordOf(recordOf(Option.getOrUndefined(manifest))?.["scripts"])
  return ["preinstall", "install", "postinstall", "prepare"]
    .filter((name) => scripts?.[name] !== undefined)
    .map((name) => ({
      path,
      at: `scripts.${name}`,
      message: `the plugin's own package runs ${name} when it is installed`,
      fix: "Remove the script, and pack what it makes."
    }))
}
