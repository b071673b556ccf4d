/**
 * Writes what a command makes, whole or not at all: beside its place first, then by a rename.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import { dirname } from "node:path"
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
