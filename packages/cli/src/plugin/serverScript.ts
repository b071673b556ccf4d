/**
 * Makes one JavaScript file of a server's entry module and everything that it imports, so that a plugin downloads nothing when
 * it starts. It stays readable: reviewers look at what a plugin runs, and directories hold minified code back.
 */
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import { Unusable } from "../internal/Unusable.ts"

/** Bundles the entry with Rolldown, which the project has to have. */
export const bundle = Effect.fnUntraced(function* (entry: string) {
  if (!existsSync(entry)) {
    return yield* new Unusable({
      message: `There is no file ${entry}. Give the module that starts the server over stdio.`
    })
  }
  const { rolldown } = yield* Effect.tryPromise({
    try: () => import("rolldown"),
    catch: (cause) =>
      new Unusable({
        message:
          "A stdio plugin holds its server as one file, which Rolldown makes. Install rolldown as a development dependency.",
        cause
      })
  })
  const unusable = (cause: unknown) =>
    new Unusable({ message: `${entry} can't be made into one file: ${firstLine(cause)}`, cause })
  const output = yield* Effect.tryPromise({
    try: async () => {
      await using built = await rolldown({ input: entry, platform: "node", logLevel: "silent" })
      const { output } = await built.generate({ format: "esm", codeSplitting: false, minify: false })
      return output
    },
    catch: unusable
  })
  const [script, ...others] = output
  if (others.length > 0) return yield* unusable(`it needs other files beside it, such as ${others[0].fileName}`)
  const foreign = script.imports.filter((name) => !name.startsWith("node:") && !isBuiltin(name))
  if (foreign.length > 0) return yield* unusable(`${foreign.join(", ")} can't be bundled`)
  return script.code
})

const isBuiltin = (name: string): boolean => process.getBuiltinModule(name) !== undefined

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n").find((line) => line.trim() !== "") ?? "no reason"
