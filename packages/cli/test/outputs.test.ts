import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Schema, Sink, Stdio } from "effect"
import { spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { checkOutputs, deliver, type Output } from "../src/internal/deliver.ts"
import { Report } from "../src/Report.ts"
import { richReport } from "./fixtures/richReport.ts"

interface Options {
  readonly environment?: Record<string, string>
  readonly terminals?: ReadonlyArray<"stdout" | "stderr">
}

/** Delivers the report over the real file system, and gives what was printed and what the command would end with. */
const delivered = Effect.fnUntraced(function* (outputs: ReadonlyArray<Output>, options: Options = {}) {
  const printed = { stdout: "", stderr: "" }
  const isTerminal = (stream: "stdout" | "stderr") => Effect.succeed(options.terminals?.includes(stream) === true)
  const sinkTo = (stream: "stdout" | "stderr") => () =>
    Sink.forEach((chunk: string | Uint8Array) =>
      Effect.sync(() => {
        printed[stream] += String(chunk)
      })
    )
  const stdio = Stdio.layerTest({
    stdout: sinkTo("stdout"),
    stderr: sinkTo("stderr"),
    stdoutIsTerminal: isTerminal("stdout"),
    stderrIsTerminal: isTerminal("stderr")
  })
  const fault = yield* deliver(richReport, outputs).pipe(
    Effect.as(undefined),
    Effect.catchTag("Unusable", ({ message }) => Effect.succeed(message)),
    Effect.provide(stdio),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: options.environment ?? {} }))
  )
  return { ...printed, fault }
})

const folder = Effect.flatMap(FileSystem.FileSystem, (files) =>
  files.makeTempDirectoryScoped({ prefix: "ferrule-test-" })
)
const read = (path: string) => Effect.flatMap(FileSystem.FileSystem, (files) => files.readFileString(path))
const reportOf = (text: string) => Schema.decodeUnknownSync(Report)(JSON.parse(text))

// eslint-disable-next-line no-control-regex
const color = /\u001B/
const answers = /^Order desk 2\.4\.1\n.*\n\n {2}yes {3}Can the model never see a raw credential\?\n/

describe("the outputs of an audit", () => {
  it.layer(NodeFileSystem.layer)((it) => {
    it.effect("are several files at once, and the summary on standard output", () =>
      Effect.gen(function* () {
        const at = yield* folder
        const { fault, stderr, stdout } = yield* delivered([
          { format: "json", path: join(at, "a.json") },
          { format: "sarif", path: join(at, "a.sarif") },
          { format: "junit", path: join(at, "a.xml") }
        ])
        assert.deepStrictEqual([fault, stderr], [undefined, ""])
        assert.match(stdout, answers)
        assert.deepStrictEqual(reportOf(yield* read(join(at, "a.json"))), richReport)
        assert.strictEqual(JSON.parse(yield* read(join(at, "a.sarif"))).version, "2.1.0")
        assert.match(yield* read(join(at, "a.xml")), /^<\?xml .*\n<testsuites /)
      })
    )

    it.effect("leave standard output to a report that goes there, and print the summary on standard error", () =>
      Effect.gen(function* () {
        const { stderr, stdout } = yield* delivered([{ format: "json", path: "-" }])
        assert.deepStrictEqual(reportOf(stdout), richReport)
        assert.match(stderr, answers)
      })
    )

    it.effect("have colours on a terminal alone, and none with NO_COLOR", () =>
      Effect.gen(function* () {
        assert.notMatch((yield* delivered([])).stdout, color)
        assert.match((yield* delivered([], { terminals: ["stdout"] })).stdout, color)
        const quiet = { terminals: ["stdout"], environment: { NO_COLOR: "1" } } as const
        assert.notMatch((yield* delivered([], quiet)).stdout, color)
        const json = [{ format: "json", path: "-" }] as const
        assert.notMatch((yield* delivered(json, { terminals: ["stdout"] })).stderr, color)
        assert.match((yield* delivered(json, { terminals: ["stderr"] })).stderr, color)
      })
    )

    it.effect("lose no finished work to a path that can't be written", () =>
      Effect.gen(function* () {
        const at = yield* folder
        const { fault, stdout } = yield* delivered([
          { format: "junit", path: join(at, "none", "a.xml") },
          { format: "json", path: at },
          { format: "sarif", path: join(at, "a.sarif") }
        ])
        assert.strictEqual(JSON.parse(yield* read(join(at, "a.sarif"))).version, "2.1.0")
        assert.match(stdout, answers)
        const sentences =
          /^The junit report can't be written to (.*): its folder does not exist, so create that first\. The json report can't be written to (.*): it is a folder, so name a file in it\. The whole report is kept as JSON in (.*)\.$/
        const [, first, second, kept] = sentences.exec(fault!)!
        assert.deepStrictEqual([first, second], [join(at, "none", "a.xml"), at])
        assert.deepStrictEqual(reportOf(yield* read(kept!)), richReport)
        const files = yield* FileSystem.FileSystem
        yield* files.remove(dirname(kept!), { recursive: true })
      })
    )

    it.effect("need a place each", () =>
      Effect.gen(function* () {
        const both = yield* Effect.flip(
          checkOutputs([
            { format: "json", path: "-" },
            { format: "sarif", path: "-" }
          ])
        )
        assert.strictEqual(
          both.message,
          "--json and --sarif both write to standard output. Give each report a place of its own."
        )
        const empty = yield* Effect.flip(checkOutputs([{ format: "json", path: "" }]))
        assert.strictEqual(empty.message, "Say where the json report goes: its path is empty.")
      })
    )
  })

  it("end the command with 2 when one can't be written, not even in the temporary folder", () => {
    const command = fileURLToPath(new URL("../src/main.ts", import.meta.url))
    const connector = fileURLToPath(new URL("../../../examples/quickstart/connector.ts", import.meta.url))
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      [command, "audit", connector, "--sarif", "/none/a.sarif", "--json", "-"],
      { encoding: "utf8", env: { ...process.env, TMPDIR: "/none" } }
    )
    assert.strictEqual(status, 2)
    assert.strictEqual(reportOf(stdout).connector.name, "notes")
    assert.include(stderr, "Can the model never see a raw credential?")
    assert.match(
      stderr,
      /\nThe sarif report can't be written to \/none\/a\.sarif: its folder does not exist, so create that first\. It could not be kept in the system's temporary folder either: its folder does not exist, so create that first\.\n$/
    )
  })
})
