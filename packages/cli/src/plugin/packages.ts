/**
 * What npm packages are installed for a connector, as far as package and lock files say without a network.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { dirname, join } from "node:path"
import { parse as parseYaml } from "yaml"

/** A package that a lock file pins, or a package.json with scripts of its own. */
export interface Package {
  /** The file that says so. */
  readonly path: string
  readonly name: string
  readonly version: string
  readonly hasIntegrity: boolean
  readonly hasInstallScript: boolean
}

/** Reads the lock files of the plugin's folder, and the nearest ones of the module. */
export const readPackages = Effect.fnUntraced(function* (folder: string, module: string) {
  const packages: Array<Package> = [...(yield* readFolder(folder))]
  for (let at = dirname(module); ; at = dirname(at)) {
    const found = yield* readFolder(at)
    packages.push(...found)
    if (found.length > 0 || dirname(at) === at) return packages
  }
})

const readFolder = Effect.fnUntraced(function* (folder: string) {
  const files = yield* FileSystem.FileSystem
  const readLock = (name: string, read: (path: string, text: string) => ReadonlyArray<Package>) => {
    const path = join(folder, name)
    return files.readFileString(path).pipe(
      Effect.flatMap((text) => Effect.try({ try: () => read(path, text), catch: () => "not of its form" })),
      Effect.orElseSucceed((): ReadonlyArray<Package> => [])
    )
  }
  return [
    ...(yield* readLock("package-lock.json", ofNpm)),
    ...(yield* readLock("npm-shrinkwrap.json", ofNpm)),
    ...(yield* readLock("pnpm-lock.yaml", ofPnpm))
  ]
})

interface NpmLock {
  readonly packages?: Readonly<
    Record<
      string,
      {
        readonly version?: string
        readonly integrity?: string
        readonly link?: boolean
        readonly hasInstallScript?: boolean
        readonly inBundle?: boolean
      }
    >
  >
}

/** The key is the folder that it is installed in; the project itself has an empty one. */
const ofNpm = (path: string, text: string): ReadonlyArray<Package> =>
  Object.entries((JSON.parse(text) as NpmLock).packages ?? {}).flatMap(
    ([at, { hasInstallScript, inBundle, integrity, link, version }]) => {
      const name = at.split("node_modules/").at(-1)!
      if (!at.includes("node_modules/") || link === true || version === undefined) return []
      return [
        {
          path,
          name,
          version,
          hasIntegrity: integrity !== undefined || inBundle === true,
          hasInstallScript: hasInstallScript === true
        }
      ]
    }
  )

interface PnpmLock {
  readonly packages?: Readonly<Record<string, { readonly resolution?: { readonly integrity?: string } }>>
}

/** The key is `name@version`; which packages run scripts is not in it. */
const ofPnpm = (path: string, text: string): ReadonlyArray<Package> =>
  Object.entries((parseYaml(text) as PnpmLock).packages ?? {}).flatMap(([key, { resolution }]) =>
    Option.match(Option.fromNullOr(/^(?<name>@?[^@]+)@(?<version>\d[^(]*)/.exec(key)), {
      onNone: () => [],
      onSome: ({ groups }) => [
        {
          path,
          name: groups!["name"]!,
          version: groups!["version"]!,
          hasIntegrity: resolution?.integrity !== undefined,
          hasInstallScript: false
        }
      ]
    })
  )
