/** The audit of servers that are not Ferrule's, and of one that is, by what they show from outside. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { createRequire } from "node:module"
import { parseTarget } from "../src/internal/target.ts"
import * as WireTarget from "../src/internal/WireTarget.ts"
import { Report } from "../src/Report.ts"
import { sizeAndAdvice } from "../src/wire/answers.ts"
import { ferrule } from "./ferrule.ts"

const everything = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/dist/index.js")
const ownServer = join(import.meta.dirname, "../templates/connector/main.ts")
const fickle = join(import.meta.dirname, "fixtures/fickleServer.ts")
const fastMcp = join(import.meta.dirname, "fixtures/fastMcpServer.ts")

/** Where the server keeps its notes and its record of writes. */
const folder = mkdtempSync(join(tmpdir(), "ferrule-wire-"))
afterAll(() => rmSync(folder, { recursive: true }))

const audit = Effect.fnUntraced(function* (target: string) {
  const { code, stderr, stdout } = yield* ferrule(["audit", target, "--probe", "--json", "-"], {
    env: { DATA: folder }
  })
  assert.notStrictEqual(code, 2, stderr)
  const report = yield* Schema.decodeEffect(Schema.fromJsonString(Report))(stdout)
  const statuses = Map.groupBy(report.checks, ({ status }) => status)
  // oxlint-disable-next-line no-console -- The counts are what this test is run for.
  console.log(
    `${report.connector.name}: ${report.tools.length} tools; ${[...statuses].map(([status, checks]) => `${checks.length} ${status}`).join(", ")}; ${report.questions.map(({ answer, id }) => `${id} ${answer}`).join(", ")}`
  )
  return report
})

const statusOf = ({ checks }: Report, id: string) => checks.find((check) => check.id === id)?.status

const answersOf = ({ questions }: Report) => questions.map(({ answer, id }) => `${id}: ${answer}`)

/** Each check that is not seen or does not apply says why. */
const saysWhy = ({ checks }: Report) =>
  checks
    .filter(({ note, status }) => (status === "not seen" || status === "not applicable") && (note ?? "") === "")
    .map(({ id }) => id)

const freePort = Effect.promise(async () => {
  const probe = createServer()
  await new Promise<void>((listening) => probe.listen(0, "127.0.0.1", listening))
  const { port } = probe.address() as AddressInfo
  await new Promise((closed) => probe.close(closed))
  return port
})

/** The address of a fastmcp server, once it listens. */
const serveFastMcp = Effect.gen(function* () {
  const port = yield* freePort
  yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof spawn>>((resume) => {
      const child = spawn(process.execPath, [fastMcp, String(port)], { stdio: ["ignore", "pipe", "pipe"] })
      const heard = (chunk: Buffer) => {
        if (chunk.includes(String(port))) resume(Effect.succeed(child))
      }
      child.stdout.on("data", heard)
      child.stderr.on("data", heard)
    }),
    (child) => Effect.sync(() => child.kill())
  )
  return `http://127.0.0.1:${port}/mcp`
})

describe("an audit of a server by what it shows from outside", () => {
  it.live(
    "the official server with everything: it hands out its environment, its schemas are open, its errors have no class",
    () =>
      Effect.gen(function* () {
        const report = yield* audit(`"${process.execPath}" "${everything}" stdio`)
        assert.strictEqual(report.tools.length, 13)
        assert.deepStrictEqual(answersOf(report), ["credentials: no", "schemas: no", "errors: no", "writes: open"])
        assert.strictEqual(statusOf(report, "A09"), "failed")
        assert.strictEqual(statusOf(report, "E05"), "failed")
        assert.strictEqual(statusOf(report, "H08"), "passed")
        assert.strictEqual(statusOf(report, "H09"), "failed")
        assert.strictEqual(statusOf(report, "F01"), "not seen")
        assert.deepStrictEqual(saysWhy(report), [])
      }),
    120_000
  )

  it.live(
    "a fastmcp server over HTTP: anybody is let in",
    () =>
      Effect.gen(function* () {
        const report = yield* audit(yield* serveFastMcp)
        assert.deepStrictEqual(answersOf(report), ["credentials: no", "schemas: no", "errors: no", "writes: open"])
        assert.strictEqual(statusOf(report, "C01"), "failed")
        assert.strictEqual(statusOf(report, "H01"), "failed")
        assert.strictEqual(statusOf(report, "C05"), "not seen")
        assert.deepStrictEqual(saysWhy(report), [])
      }),
    120_000
  )

  it.live(
    "a server made with Ferrule: nothing is found, no answer is better than open, and no tool that may write is called",
    () =>
      Effect.gen(function* () {
        const report = yield* audit(`"${process.execPath}" "${ownServer}"`)
        for (const answer of answersOf(report)) assert.match(answer, /: open$/)
        for (const id of ["E01", "E02", "E05", "H08", "H09", "H10"])
          assert.strictEqual(statusOf(report, id), "passed", id)
        const { note, transcript } = report.checks.find(({ id }) => id === "E01")!
        assert.strictEqual(note, "3 cases over 1 tools; 1 that may write were left alone (--write)")
        assert.isTrue(transcript.every(({ sent }) => sent.startsWith("read_notes")))
        assert.match(
          report.checks.find(({ id }) => id === "E05")?.note ?? "",
          /^4 errors over 1 tools, each twice, the longest of \d+ tokens; those of upstreams and defects can't be provoked/
        )
        assert.deepStrictEqual(saysWhy(report), [])
      }),
    120_000
  )

  it.live("errors that are too long, advise what does not fit, or are of another class each time", () =>
    Effect.gen(function* () {
      const target = yield* parseTarget(`"${process.execPath}" "${fickle}"`)
      assert.strictEqual(target._tag, "Command")
      if (target._tag !== "Command") return
      const { wire } = yield* WireTarget.make(target, { token: undefined, write: false })
      const outcome = yield* sizeAndAdvice.run(wire)
      assert.deepStrictEqual(
        "faults" in outcome && outcome.faults.map(({ message, subject }) => `${subject} ${message}`),
        [
          "wordy takes 1834 tokens to say what is wrong (in 4 cases)",
          "eager advises retry for ValidationError (in 4 cases)",
          "fickle answers one call with ValidationError, and again with TransientError (in 4 cases)"
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("a command that is given word by word, and one that was forgotten to be marked as one", () =>
    Effect.gen(function* () {
      const words = [process.execPath, fickle, "a word", "--flag"]
      const { code, stdout } = yield* ferrule(["audit", "--json", "-", "--command", "--", ...words])
      assert.strictEqual(code, 1)
      const report = yield* Schema.decodeEffect(Schema.fromJsonString(Report))(stdout)
      assert.strictEqual(report.target, `${process.execPath} ${fickle} "a word" --flag`)
      assert.deepStrictEqual(
        report.tools.map(({ name }) => name),
        ["good", "wordy", "eager", "fickle"]
      )
      const unmarked = yield* ferrule(["audit", "node", "server.js"])
      assert.strictEqual(
        unmarked.stderr,
        "More than one target is given. A command goes in quotes, or after the other flags as it is: --command -- node server.js\n"
      )
      assert.strictEqual(unmarked.code, 2)
    })
  )

  it.live("--locked is refused, since a server shows no policies", () =>
    Effect.map(ferrule(["audit", "node server.js", "--locked"]), ({ code, stderr }) => {
      assert.strictEqual(
        stderr,
        "A lock file and a plugin are a module's, and a server does not show its policies. Leave --locked and --plugin out.\n"
      )
      assert.strictEqual(code, 2)
    })
  )
})
