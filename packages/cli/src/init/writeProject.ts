/**
 * Writes a project: the files of the template under other names.
 *
 * The template is a project that works as it is, under the name `my-connector`, which is type-checked and tested with this
 * package. Its lock is made anew, since the name is a part of what is locked.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { reasonOf } from "../internal/output.ts"
import { Unusable } from "../internal/Unusable.ts"
import * as LockFile from "../lock/LockFile.ts"

export interface Project {
  readonly name: string
  readonly title: string
}

export const template = fileURLToPath(new URL("../../templates/connector", import.meta.url))

/** Gives the number of files that were written. */
export const writeProject = Effect.fnUntraced(
  function* (folder: string, project: Project) {
    const files = yield* FileSystem.FileSystem
    const entries = yield* files.readDirectory(template, { recursive: true })
    const paths = entries.filter((path) => !path.split(/[\\/]/).includes("node_modules")).sort()
    let written = 0
    for (const path of paths) {
      const from = join(template, path)
      if ((yield* files.stat(from)).type !== "File") continue
      const to = join(folder, nameOf(path))
      yield* files.makeDirectory(dirname(to), { recursive: true })
      const text = yield* files.readFileString(from)
      yield* files.writeFileString(to, path === lockName ? yield* locked(text, project) : named(text, project))
      written += 1
    }
    return written
  },
  (write, folder) =>
    Effect.catchTag(
      write,
      "PlatformError",
      (cause) => new Unusable({ message: `${folder} can't be written: ${reasonOf(cause)}.`, cause })
    )
)

// Registries leave a file of the name .gitignore out of packages.
const nameOf = (path: string) => (path === "gitignore" ? ".gitignore" : path)

const lockName = "ferrule.lock.json"

const named = (text: string, { name, title }: Project) =>
  text.replaceAll("my-connector", name).replaceAll("My connector", title)

const locked = Effect.fnUntraced(function* (text: string, { name }: Project) {
  const { connector, tools } = yield* LockFile.decode(text, lockName)
  const definitions = Object.values(tools).map(({ definition }) => definition)
  return LockFile.textOf(LockFile.ofDefinitions({ ...connector, name }, definitions))
})
