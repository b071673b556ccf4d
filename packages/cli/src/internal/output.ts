/**
 * Writes what a command makes, whole or not at all: beside its place first, then by a rename.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { dirname } from "node:path"
import { Unusable } from "./Unusable.ts"

/** Writes one file. */
export const writeWhole = Effect.fnUntraced(
  function* (path: string, text: string) {
    const files = yield* FileSystem.FileSystem
    const beside = yield* files.makeTempDirectoryScoped({ directory: dirname(path), prefix: ".ferrule-" })
    yield* files.writeFileString(`${beside}/file`, text)
    yield* files.rename(`${beside}/file`, path)
  },
  Effect.scoped,
  (effect, path) =>
    Effect.mapError(effect, (cause) => new Unusable({ message: `${path} can't be written: ${cause.message}`, cause }))
)
