/**
 * Imports a module that others wrote, and says in a sentence what is wrong with one that does not load.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Flag, GlobalFlag } from "effect/cli"
import { Worker } from "node:worker_threads"
import { statSync } from "node:fs"
import { extname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Ending from "./ending.ts"
import { Unusable } from "./Unusable.ts"
import type { Watch } from "./watchdog.ts"

export type Module = Readonly<Record<string, unknown>>

/** How long a module may take to load. */
export const LoadTimeout = GlobalFlag.Setting("load-timeout")({
  flag: Flag.String("load-timeout").pipe(
    Flag.withMetavar("duration"),
    Flag.withDescription("How long a module may take to load"),
    Flag.withSchema(Schema.DurationFromString),
    Flag.withDefault(Duration.seconds(20))
  )
})

const declares = "A module that is given to ferrule declares a connector and starts nothing"

/** Imports the file; the process ends when that takes longer than `--load-timeout`, since an endless loop can't be left. */
export const importModule = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Module, Unusable> {
  const path = resolve(file)
  const fault = faultOf(file, path)
  if (fault !== undefined) return yield* new Unusable({ message: fault })
  Ending.guard(
    `${file} ended the process (process.exit, or a server of its own that stopped). ${declares}: leave that to the file that serves it.`
  )
  const timeout = Option.getOrElse(yield* Effect.serviceOption(LoadTimeout), () => Duration.seconds(20))
  const printed: Array<string> = []
  return yield* Effect.tryPromise({
    try: (): Promise<Module> => import(pathToFileURL(path).href),
    catch: (cause) => new Unusable({ message: sentenceOf(file, cause), cause })
  }).pipe(
    (load) => watched(file, timeout, load),
    (load) => withoutOutput(printed, load),
    Effect.filterOrFail(
      () => printed.length === 0,
      () =>
        new Unusable({
          message: `${file} prints on standard output while it is loaded, where over stdio the protocol goes. Print on standard error (console.error), or log with Effect.log in a layer.`,
          cause: printed.join("")
        })
    )
  )
})

const faultOf = (file: string, path: string): string | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return `There is no file ${file}. Give the module that exports the connector.`
  if (!stats.isFile()) return `${file} is no file. Give the module that exports the connector.`
  if (/^\.[cm]?ts$/.test(extname(path)) && !process.features.typescript) {
    return `${file} is TypeScript, which Node ${process.versions.node} does not run as it is started. Use Node 22.18 or newer, or give the JavaScript that it compiles to.`
  }
  return /^\.[cm]?[jt]s$/.test(extname(path))
    ? undefined
    : `${file} is no module of JavaScript or TypeScript. Give the .ts or .js file that exports the connector.`
}

/** The extension is this file's own: .ts in the repository, .js in the package. */
const watchdog = new URL(`./watchdog${extname(import.meta.url)}`, import.meta.url)

const watched = <A, E>(file: string, timeout: Duration.Duration, load: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const watch: Watch = {
        loaded: new Int32Array(new SharedArrayBuffer(4)),
        millis: Duration.toMillis(timeout),
        sentence: `${file} was still loading after ${Duration.format(timeout)}. ${declares}: move what it waits for into a layer, or give it longer with --load-timeout.`
      }
      new Worker(watchdog, { workerData: watch }).unref()
      return watch
    }),
    () => load,
    ({ loaded }) =>
      Effect.sync(() => {
        Atomics.store(loaded, 0, 1)
        Atomics.notify(loaded, 0)
      })
  )

const withoutOutput = <A, E>(printed: Array<string>, load: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const write = process.stdout.write
      process.stdout.write = (chunk: string | Uint8Array) => {
        printed.push(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString())
        return true
      }
      return write
    }),
    () => load,
    (write) => Effect.sync(() => void (process.stdout.write = write))
  )

const sentenceOf = (file: string, cause: unknown): string => {
  if (isDefinitionError(cause)) {
    const { faults, subject } = cause
    return `${file} declares what can't be built. ${subject}:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`
  }
  const said = firstLine(cause)
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined
  switch (code) {
    case "ERR_MODULE_NOT_FOUND":
    case "ERR_PACKAGE_PATH_NOT_EXPORTED":
      return `${file} imports what is not there: ${said} Install it (npm install), or correct the import.`
    case "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX":
      return `${file} can't be run without compiling it: ${said.slice(0, -1)}${placeOf(cause)}. Turn on erasableSyntaxOnly in tsconfig.json, which finds every such place, or give the JavaScript that it compiles to.`
    case "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING":
      return `${file} imports TypeScript from node_modules, which Node does not run. Import the package's JavaScript.`
  }
  if (cause instanceof SyntaxError) {
    if (said.includes("does not provide an export")) {
      return `${file} imports what is not there: ${said.slice(0, -1)}${placeOf(cause)}. Correct the import, or install the version that has it.`
    }
    const place = placeOf(cause)
    return `${file} does not parse: ${said.slice(0, -1)}${place}. ${place === "" ? `node --check shows the place` : "Correct it and try again"}.`
  }
  return `${file} threw while it was loaded: ${said} ${declares}: move what fails into a layer.`
}

// By its shape, since the module may have a copy of @ferrule/core of its own.
const isDefinitionError = (
  cause: unknown
): cause is { readonly subject: string; readonly faults: ReadonlyArray<string> } =>
  typeof cause === "object" &&
  cause !== null &&
  "_tag" in cause &&
  cause._tag === "DefinitionError" &&
  "subject" in cause &&
  "faults" in cause &&
  Array.isArray(cause.faults)

/** The first line of what was thrown, as a sentence; whatever was thrown. */
export const firstLine = (thrown: unknown): string => {
  if (typeof thrown !== "string" && !(thrown instanceof Error)) return `what it threw is no Error (${typeof thrown}).`
  const text = typeof thrown === "string" ? thrown : thrown.message || thrown.name
  // An address in a message may hold a password.
  const line = text
    .split("\n")[0]!
    .trim()
    .replace(/:\/\/[^\s/@]+@/g, "://…@")
  return /[.!?]$/.test(line) ? line : `${line}.`
}

/** Node puts the file and the line of what it could not parse before the stack. */
const placeOf = (cause: unknown): string => {
  const place = cause instanceof Error ? /^(?:file:\/\/)?(\/?\S+:\d+)\n/.exec(cause.stack ?? "")?.[1] : undefined
  return place === undefined ? "" : ` (${place})`
}
