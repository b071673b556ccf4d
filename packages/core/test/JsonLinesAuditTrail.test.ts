import { AuditTrail } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Schedule, Scope } from "effect"
import { TestClock } from "effect/testing"
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import {
  appendFileSync,
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import * as JsonLinesAuditTrail from "../src/JsonLinesAuditTrail.ts"
import { openShelf, record } from "./fixtures/audit.ts"

const newFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-audit-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const open = (options: JsonLinesAuditTrail.Options) =>
  Effect.map(Layer.build(JsonLinesAuditTrail.layer(options)), (context) => Context.get(context, AuditTrail.AuditTrail))

const filesOf = (folder: string) => readdirSync(folder).sort()
const linesOf = (folder: string, names = filesOf(folder)) =>
  names.flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  )
const idsOf = (folder: string) => linesOf(folder).map(({ correlationId }) => correlationId)
const ids = (count: number) => Array.from({ length: count }, (_, index) => `call-${index}`)

const keep = (trail: AuditTrail.Trail, count: number, from = 0) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => from + index),
    (index) => trail.record(record(index)),
    { concurrency: 16 }
  )

describe("audit records in files", () => {
  it.effect("are one JSON object a line, for the owner's eyes only", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      yield* TestClock.setTime(1_795_000_000_000)
      const { call } = yield* openShelf(JsonLinesAuditTrail.layer({ folder }))
      yield* call("keep", "vase")
      const [name, ...others] = filesOf(folder)
      assert.deepStrictEqual(others, [])
      assert.match(name, /^audit-20261118T110640000Z-[0-9a-f]{8}-000001\.jsonl$/)
      assert.strictEqual(statSync(join(folder, name)).mode & 0o777, 0o600)
      const [begun, ended] = linesOf(folder)
      assert.deepStrictEqual(ended, {
        time: "2026-11-18T11:06:40.000Z",
        connector: "shelf",
        correlationId: begun.correlationId,
        principal: "keeper-1",
        tenant: "acme",
        tool: "keep",
        kind: "write",
        decision: "allowed",
        explanation: "has the role keeper",
        reference: begun.reference,
        attempts: 1,
        outcome: "Completed",
        replayed: false,
        found: false,
        duration: 0
      })
      assert.strictEqual(begun.outcome, "Begun")
    })
  )

  for (const durability of ["power-loss", "process"] as const) {
    it.effect(`are as many as there were calls, in their order, across files of a size (${durability})`, () =>
      Effect.gen(function* () {
        const folder = yield* newFolder
        const trail = yield* open({ folder, maxSize: 2000, durability })
        yield* Effect.forEach(ids(100), (_, index) => trail.record(record(index)))
        assert.deepStrictEqual(idsOf(folder), ids(100))
        assert.isAbove(filesOf(folder).length, 10)
        assert.isTrue(filesOf(folder).every((name) => statSync(join(folder, name)).size <= 2000))
      })
    )
  }

  it.effect("are kept once each when 100 calls end at the same time", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const { call } = yield* openShelf(JsonLinesAuditTrail.layer({ folder, maxSize: 5000 }))
      yield* Effect.forEach(ids(100), (name) => call("keep", name), { concurrency: "unbounded" })
      const lines = linesOf(folder)
      assert.strictEqual(lines.filter(({ outcome }) => outcome === "Begun").length, 100)
      assert.strictEqual(new Set(lines.map(({ correlationId, outcome }) => `${correlationId} ${outcome}`)).size, 200)
    })
  )

  it.effect("get another file when theirs is old", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const trail = yield* open({ folder, maxAge: "1 hour" })
      yield* keep(trail, 1)
      yield* TestClock.adjust("3599999 millis")
      yield* keep(trail, 1, 1)
      assert.strictEqual(filesOf(folder).length, 1)
      yield* TestClock.adjust("1 millis")
      yield* keep(trail, 1, 2)
      assert.strictEqual(filesOf(folder).length, 2)
      assert.deepStrictEqual(idsOf(folder), ids(3))
    })
  )

  it.effect("that are more than may be kept are deleted, oldest first, and the log names them", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logged.push(message))])
      const folder = yield* newFolder
      appendFileSync(join(folder, "audit-notes.txt"), "somebody else's")
      const trail = yield* Effect.provide(open({ folder, maxSize: 1, maxFiles: 3 }), logger)
      yield* Effect.forEach(ids(10), (_, index) => trail.record(record(index)))
      const files = filesOf(folder).filter((name) => name.endsWith(".jsonl"))
      assert.deepStrictEqual(
        linesOf(folder, files).map(({ correlationId }) => correlationId),
        ["call-7", "call-8", "call-9"]
      )
      assert.isTrue(filesOf(folder).includes("audit-notes.txt"))
      assert.strictEqual(JSON.stringify(logged).match(/000001\.jsonl/g)?.length, 1)
      assert.strictEqual(JSON.stringify(logged).match(/\d{6}\.jsonl/g)?.length, 7)
    })
  )

  it.effect("are written anew when their file is deleted beneath them", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const trail = yield* open({ folder })
      yield* keep(trail, 3)
      unlinkSync(join(folder, filesOf(folder)[0]))
      yield* keep(trail, 1, 3)
      yield* keep(trail, 1, 4)
      assert.deepStrictEqual(idsOf(folder), ["call-3", "call-4"])
    })
  )

  it.effect("of a process that was killed in the middle of a line stay as they are", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const torn = join(folder, "audit-19690101T000000000Z-00000000-000001.jsonl")
      appendFileSync(torn, '{"time":"1969')
      const trail = yield* open({ folder })
      yield* keep(trail, 2)
      assert.strictEqual(readFileSync(torn, "utf8"), '{"time":"1969')
      assert.deepStrictEqual(idsOf(folder), ids(2))
    })
  )

  it.effect("of two trails in one folder are in files of their own", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const [one, two] = [yield* open({ folder, maxSize: 3000 }), yield* open({ folder, maxSize: 3000 })]
      yield* Effect.all([keep(one, 50), keep(two, 50, 50)], { concurrency: 2 })
      assert.deepStrictEqual(idsOf(folder).sort(), ids(100).sort())
    })
  )

  it.effect("leave no empty file when there were none", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const scope = yield* Scope.make()
      yield* Scope.provide(open({ folder }), scope)
      assert.strictEqual(filesOf(folder).length, 1)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(filesOf(folder), [])
    })
  )
})

describe("at start", () => {
  const refused = (options: JsonLinesAuditTrail.Options) =>
    Effect.map(Effect.flip(open(options)), ({ reason }) => reason)

  it.effect("what is wrong is said, with what to do", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      assert.strictEqual(
        yield* refused({ folder: join(folder, "none") }),
        `${join(folder, "none")} is not there. Make the folder, or give another one.`
      )
      appendFileSync(join(folder, "file"), "")
      assert.strictEqual(
        yield* refused({ folder: join(folder, "file") }),
        `${join(folder, "file")} is not a folder. Give another one.`
      )
      assert.strictEqual(
        yield* refused({ folder, prefix: "../audit" }),
        "The prefix of audit files is of letters, digits, dots, _ and -"
      )
      assert.strictEqual(
        yield* refused({ folder, maxFiles: 0 }),
        "maxFiles and maxSize of audit files are numbers from 1"
      )
    })
  )
})

/** Starts `auditProcess.ts`, as another user or under a limit where `command` says so. */
const start = (
  folder: string,
  options: object,
  [file, ...before]: readonly [string, ...Array<string>] = [process.execPath]
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const script = join(import.meta.dirname, "fixtures", "auditProcess.ts")
      const args = [...before, script, folder, JSON.stringify(options)]
      const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] })
      const lines: AsyncIterator<string> = createInterface(child.stdout)[Symbol.asyncIterator]()
      const said = Effect.promise(async () => JSON.parse((await lines.next()).value))
      const ask = (what: string) =>
        Effect.andThen(
          Effect.sync(() => child.stdin.write(`${what}\n`)),
          said
        )
      return { child, said, ask }
    }),
    ({ child }) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )

describe("a process", () => {
  // Its files may not grow past the limit, which it meets as it meets a disk that is full.
  const limited = (kilobytes: number): [string, ...Array<string>] => [
    "/bin/sh",
    "-c",
    `ulimit -S -f ${kilobytes * 2}; exec "$0" "$@"`,
    process.execPath
  ]

  it.live("whose disk is full lets no write begin, keeps whole lines only, and goes on when there is room", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const { ask, child, said } = yield* start(folder, {}, limited(8))
      assert.strictEqual(yield* said, "ready")
      const kept: number = yield* ask("record 200")
      assert.isTrue(kept > 20 && kept < 60)
      assert.strictEqual(yield* ask("begin 5"), 0)
      assert.strictEqual(linesOf(folder).length, kept)
      assert.isTrue(filesOf(folder).every((name) => readFileSync(join(folder, name), "utf8").endsWith("\n")))
      execFileSync("prlimit", ["--pid", `${child.pid}`, "--fsize=unlimited"])
      const begun = yield* Effect.repeat(ask("begin 1"), {
        until: (kept) => kept === 1,
        schedule: Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))
      })
      assert.isAbove(Number(begun), 0)
      assert.strictEqual(yield* ask("record 100"), 100)
      assert.strictEqual(linesOf(folder).length, kept + 101)
    })
  )

  it.live("that is killed has kept every record that it was told was kept", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      const { ask, child, said } = yield* start(folder, { maxSize: 4000 })
      assert.strictEqual(yield* said, "ready")
      assert.strictEqual(yield* ask("record 100"), 100)
      child.stdin.write("record 100000\n")
      yield* Effect.repeat(
        Effect.sync(() => filesOf(folder).length),
        { until: (count) => count > 12, schedule: Schedule.spaced("5 millis") }
      )
      child.kill("SIGKILL")
      yield* Effect.promise(() => once(child, "exit"))
      assert.deepStrictEqual(idsOf(folder).slice(0, 100), ids(100))
    })
  )

  // Root may write everything, so the process runs as nobody.
  const nobody: [string, ...Array<string>] =
    process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--clear-groups", process.execPath] : [process.execPath]

  it.live("that may not write the folder is told so at start", () =>
    Effect.gen(function* () {
      const folder = yield* newFolder
      chmodSync(folder, 0o555)
      const { said } = yield* start(folder, {}, nobody)
      assert.deepStrictEqual(yield* said, {
        reason: `${folder} cannot be written. Give the process the right to write it, or give another folder.`
      })
    })
  )
})
