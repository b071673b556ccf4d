/**
 * Writes what a command makes, whole or not at all: beside its place first, then by a rename.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { dirname, join } from "node:path"
import { Unusable } from "./Unusable.ts"

/** Writes one file, or to a pipe or a device that is there already. */
export const writeFile = Effect.fnUntraced(function* (path: string, text: string) {
  const files = yield* FileSystem.FileSystem
  const isOther = yield* files.stat(path).pipe(
    Effect.map(({ type }) => type !== "File"),
    Effect.orElseSucceed(() => false)
  )
  if (isOther) return yield* files.writeFileString(path, text)
  const beside = yield* files.makeTempDirectoryScoped({ directory: dirname(path), prefix: ".ferrule-" })
  yield* files.writeFileString(`${beside}/file`, text)
  yield* files.rename(`${beside}/file`, path)
}, Effect.scoped)

/** Writes one file, which the command can't go on without. */
export const writeWhole = (path: string, text: string) =>
  Effect.mapError(
    writeFile(path, text),
    (cause) => new Unusable({ message: `${path} can't be written: ${reasonOf(cause)}.`, cause })
  )

/**
 * Writes a folder. One that is there already is replaced only where that is meant, and stays as it is until the new one is
 * whole.
 */
export const writeFolder = Effect.fnUntraced(
  function* (
    folder: string,
    contents: ReadonlyArray<{ readonly path: string; readonly content: string | Uint8Array }>,
    replace: boolean
  ) {
    const files = yield* FileSystem.FileSystem
    const isThere = yield* files.exists(folder)
    if (isThere && !replace) {
      return yield* new Unusable({
        message: `${folder} is there already. Give another --out, or --force to replace it.`
      })
    }
    yield* files.makeDirectory(dirname(folder), { recursive: true })
    const beside = yield* files.makeTempDirectoryScoped({ directory: dirname(folder), prefix: ".ferrule-" })
    yield* Effect.forEach(contents, ({ content, path }) => {
      const target = join(beside, "new", path)
      const write =
        typeof content === "string" ? files.writeFileString(target, content) : files.writeFile(target, content)
      return Effect.andThen(files.makeDirectory(dirname(target), { recursive: true }), write)
    })
    // Between the two renames nothing is at the path; whatever fails then, the old one comes back.
    if (isThere) yield* files.rename(folder, join(beside, "old"))
    yield* files
      .rename(join(beside, "new"), folder)
      .pipe(Effect.tapError(() => (isThere ? files.rename(join(beside, "old"), folder) : Effect.void)))
  },
  Effect.scoped,
  (effect, folder) =>
    Effect.mapError(effect, (cause) =>
      cause instanceof Unusable
        ? cause
        : new Unusable({ message: `${folder} can't be written: ${reasonOf(cause)}.`, cause })
    )
)

/** Says in words why a file could not be written, and what to do. */
export const reasonOf = ({ reason }: PlatformError): string => {
  const code = (reason.cause as NodeJS.ErrnoException | undefined)?.code
  return reasons[code ?? ""] ?? `the system says ${code ?? reason._tag}`
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EISDIR: "it is a folder, so name a file in it",
  ENOENT: "its folder does not exist, so create that first",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of its path is a file",
  EPERM: "this user may not write there",
  EPIPE: "whoever read it has gone",
  EROFS: "the disk is read-only"
}
