/**
 * Where the reports of an audit go: each to its file or to standard output, and the summary to the terminal.
 *
 * An audit takes a while, so nothing of it is lost to a path that can't be written: the other reports are written all the
 * same, and the whole report is kept in the system's temporary folder.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import { join } from "node:path"
import type { Report } from "../Report.ts"
import { html } from "../reports/html.ts"
import { json } from "../reports/json.ts"
import { junit } from "../reports/junit.ts"
import { sarif } from "../reports/sarif.ts"
import { terminal } from "../reports/terminal.ts"
import { reasonOf, writeFile } from "./output.ts"
import { Unusable } from "./Unusable.ts"

const formats = { html, json, sarif, junit } as const

export type Format = keyof typeof formats

/** A report that was asked for. The path `-` is standard output. */
export interface Output {
  readonly format: Format
  readonly path: string
}

/** Refuses outputs that would end up in one place, before the audit is made. */
export const checkOutputs = (outputs: ReadonlyArray<Output>): Effect.Effect<void, Unusable> => {
  for (const [path, same] of Map.groupBy(outputs, (output) => output.path)) {
    if (path === "")
      return new Unusable({ message: `Say where the ${same[0]!.format} report goes: its path is empty.` })
    if (same.length === 1) continue
    const flags = same.map(({ format }) => `--${format}`).join(" and ")
    return new Unusable({
      message: `${flags} both write to ${path === "-" ? "standard output" : path}. Give each report a place of its own.`
    })
  }
  return Effect.void
}

export const deliver = Effect.fnUntraced(function* (report: Report, outputs: ReadonlyArray<Output>) {
  const faults = yield* Effect.forEach(outputs, (output) => written(report, output))
  yield* summarize(report, outputs.some(({ path }) => path === "-") ? "stderr" : "stdout")
  const failed = faults.filter((fault) => fault !== undefined)
  if (failed.length === 0) return
  return yield* new Unusable({ message: [...failed, yield* kept(report)].join(" ") })
})

/** Writes one report, and says what went wrong if it can't. */
const written = (report: Report, { format, path }: Output) =>
  writeTo(path, formats[format](report)).pipe(
    Effect.as(undefined),
    Effect.catch((error) =>
      Effect.succeed(
        `The ${format} report can't be written to ${path === "-" ? "standard output" : path}: ${reasonOf(error)}.`
      )
    )
  )

const writeTo = Effect.fnUntraced(function* (path: string, text: string) {
  return path === "-" ? yield* printed("stdout", text) : yield* writeFile(path, text)
})

const printed = (stream: "stdout" | "stderr", text: string) =>
  Effect.flatMap(Stdio.Stdio, (stdio) => Stream.run(Stream.make(text), stdio[stream]({ endOnDone: false })))

const summarize = Effect.fnUntraced(function* (report: Report, stream: "stdout" | "stderr") {
  const stdio = yield* Stdio.Stdio
  const isTerminal = stream === "stdout" ? stdio.stdoutIsTerminal : stdio.stderrIsTerminal
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities.pipe(
    Effect.provide(TerminalCapabilities.layer),
    Effect.provideService(Stdio.Stdio, { ...stdio, stdoutIsTerminal: isTerminal })
  )
  // Whoever reads the summary may have gone; that is no reason to fail.
  yield* Effect.ignore(printed(stream, terminal(report, { colors: canColor })))
})

const kept = (report: Report) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = join(yield* files.makeTempDirectory({ prefix: "ferrule-" }), "report.json")
    yield* files.writeFileString(path, json(report))
    return `The whole report is kept as JSON in ${path}.`
  }).pipe(
    Effect.catch((error) =>
      Effect.succeed(`It could not be kept in the system's temporary folder either: ${reasonOf(error)}.`)
    )
  )
