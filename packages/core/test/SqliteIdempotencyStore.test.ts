import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Duration, Effect, Exit, Fiber, Layer, Option, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { DatabaseSync } from "node:sqlite"
import { IdempotencyStore, type StoreError } from "../src/IdempotencyStore.ts"
import * as SqliteIdempotencyStore from "../src/SqliteIdempotencyStore.ts"
import * as IdempotencyStoreContract from "../src/testing/IdempotencyStoreContract.ts"
import { followsTheRules } from "./fixtures/storeModel.ts"

// A process takes a second or two to come up on a machine that is busy, and a long trace that to be kept.
const timeout = 30_000

const lease = Duration.seconds(30)
const retention = Duration.hours(1)

/** A folder of the test's own, deleted after it. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-store-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)
const newFile = Effect.map(folder, (path) => join(path, "store.db"))

const inNewFile = (options?: Partial<SqliteIdempotencyStore.Options>) =>
  Layer.unwrap(Effect.map(newFile, (filename) => SqliteIdempotencyStore.layer({ filename, ...options })))

const open = (filename: string, options?: Partial<SqliteIdempotencyStore.Options>) =>
  SqliteIdempotencyStore.make({ filename, ...options })

const claim = (store: IdempotencyStore["Service"], key: string, owner = "a") =>
  store.claim({ key, owner, guards: "guards", lease, retention })

/** Another connection to the file, as another program has it. */
const connect = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(filename)),
    (db) => Effect.sync(() => db.close())
  )

const count = (filename: string): number => {
  const db = new DatabaseSync(filename, { readOnly: true })
  const { length } = db.prepare("SELECT key FROM ferrule_idempotency").all()
  db.close()
  return length
}

/** The commits in the file's log: its frames that say how large the file is (https://www.sqlite.org/fileformat.html#walformat). */
const commits = (filename: string): number => {
  const log = readFileSync(`${filename}-wal`)
  const frame = 24 + log.readUInt32BE(8)
  let found = 0
  for (let at = 32; at + frame <= log.length; at += frame) if (log.readUInt32BE(at + 4) > 0) found++
  return found
}

/** Runs a process of its own on the file; see `fixtures/storeProcess.ts`. */
const start = (filename: string, what: string, command: ReadonlyArray<string> = [process.execPath], uid?: number) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const script = join(import.meta.dirname, "fixtures", "storeProcess.ts")
      const [name, ...args] = [...command, script, filename, what]
      const child = spawn(name, args, { stdio: ["pipe", "pipe", "inherit"], ...(uid === undefined ? {} : { uid }) })
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
    }),
    ({ child }) => end(child)
  )

const end = (child: ChildProcess) =>
  Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill("SIGKILL")
    await once(child, "exit")
  })

const reported = ({ lines }: { readonly lines: AsyncIterator<string> }): Effect.Effect<unknown> =>
  Effect.promise(async () => JSON.parse((await lines.next()).value))

describe("the SQLite store keeps the contract:", () => {
  // Without the cleanup, which has its own test, records past their retention are still in the table.
  const cleanupInterval = "1000 days"

  class File extends Context.Service<File, string>()("@ferrule/core/test/File") {}

  const opened = Effect.flatMap(File, (filename) => open(filename, { cleanupInterval }))
  const layer = Layer.effect(IdempotencyStore, opened).pipe(Layer.provideMerge(Layer.effect(File, newFile)))
  const change = (filename: string, state: string, key: string) =>
    Effect.sync(() => {
      const db = new DatabaseSync(filename)
      db.prepare(`UPDATE ferrule_idempotency SET state = ${state} WHERE key = ?`).run(key)
      db.close()
    })
  const cases = IdempotencyStoreContract.cases({
    advance: TestClock.adjust,
    second: opened,
    damage: (key) =>
      Effect.flatMap(File, (filename) =>
        Effect.as(change(filename, "'?' || state", key), change(filename, "substr(state, 2)", key))
      )
  })
  for (const { name, run } of cases) it.effect(name, () => Effect.provide(run, layer))

  const quick = inNewFile({ cleanupInterval, durability: "process" })
  it("any sequence of steps gives what the rules say", () => followsTheRules(quick, 50), timeout)
})

describe("the SQLite store", () => {
  it.effect("finds every record again after it was closed and opened", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* Effect.scoped(
        Effect.gen(function* () {
          const store = yield* open(filename)
          yield* claim(store, "claimed")
          yield* claim(store, "settled")
          yield* store.settle({ key: "settled", owner: "a", result: '{"id":"T-1"}', retention })
          yield* claim(store, "unknown")
          yield* store.markUnknown({ key: "unknown", owner: "a", lapsed: false, retention })
        })
      )
      const store = yield* open(filename)
      const record = { _tag: "Existing", owner: "a", epoch: 1, guards: "guards", lapsed: false, createdAt: 0 } as const
      const none = { result: undefined, settledAt: undefined }
      assert.deepStrictEqual(yield* claim(store, "claimed", "b"), { ...record, state: "claimed", ...none })
      assert.deepStrictEqual(yield* claim(store, "unknown", "b"), { ...record, state: "unknown", ...none })
      const settled = { state: "settled", result: '{"id":"T-1"}', settledAt: 0 } as const
      assert.deepStrictEqual(yield* claim(store, "settled", "b"), { ...record, ...settled })
      assert.strictEqual(store.scope, "shared")
    })
  )

  it.effect(
    "shares a file between processes: each of 300 keys goes to one of three",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        const processes = yield* Effect.all([1, 2, 3].map(() => start(filename, "race")))
        for (const process of processes) assert.strictEqual(yield* reported(process), "ready")
        for (const { child } of processes) child.stdin.write("go\n")
        const won = yield* Effect.all(processes.map(reported), { concurrency: "unbounded" })
        const keys = (won as ReadonlyArray<ReadonlyArray<string>>).flat()
        assert.strictEqual(keys.length, 300)
        assert.strictEqual(new Set(keys).size, 300)
        yield* Effect.all(processes.map(({ child }) => end(child)))
        assert.strictEqual(count(filename), 300)
      }),
    timeout
  )

  it.effect(
    "keeps the claim of a process that was killed before it settled",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        const holder = yield* start(filename, "hold")
        assert.strictEqual(yield* reported(holder), "claimed")
        yield* end(holder.child)
        const store = yield* open(filename)
        const found = yield* claim(store, "held", "b")
        assert.strictEqual(found._tag, "Existing")
        if (found._tag === "Existing") assert.strictEqual(found.state, "claimed")
        if (found._tag === "Existing") assert.strictEqual(found.owner, `process ${holder.child.pid}`)
      }),
    timeout
  )

  // Elsewhere the system has no name for a machine's start.
  const onLinux = it.effect.runIf(process.platform === "linux")

  /** A clock whose time of day has been set ahead. */
  const setAhead = (clock: Clock.Clock, by: Duration.Duration): Clock.Clock =>
    Object.create(clock, {
      currentTimeMillisUnsafe: { value: () => clock.currentTimeMillisUnsafe() + Duration.toMillis(by) }
    })

  onLinux("keeps a lease when the time of day is set ahead, until it is over by the time that has passed", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* claim(yield* open(filename), "k")
      const clock = setAhead(yield* Clock.Clock, Duration.minutes(10))
      const later = yield* Effect.provideService(open(filename), Clock.Clock, clock)
      const mark = later.markUnknown({ key: "k", owner: "a", lapsed: true, retention })
      const take = (previousOwner: string, owner: string) =>
        later.takeOver({ key: "k", previousOwner, owner, lease, retention })
      const lapsed = Effect.map(later.read("k"), (found) => found?._tag === "Existing" && found.lapsed)
      assert.isFalse(yield* lapsed)
      assert.isFalse(yield* mark)
      assert.deepStrictEqual(yield* take("a", "b"), Option.none())
      yield* TestClock.adjust("29 seconds")
      assert.isFalse(yield* lapsed)
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* lapsed)
      assert.deepStrictEqual(yield* take("a", "b"), Option.some(2))
      assert.isFalse(yield* lapsed)
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(yield* lapsed)
      assert.deepStrictEqual(yield* take("b", "c"), Option.some(3))
    })
  )

  onLinux("ends a lease by the time that has passed when the time of day is set back", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* claim(yield* open(filename), "k")
      const clock = setAhead(yield* Clock.Clock, Duration.minutes(-10))
      const later = yield* Effect.provideService(open(filename), Clock.Clock, clock)
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(
        yield* later.takeOver({ key: "k", previousOwner: "a", owner: "b", lease, retention }),
        Option.none()
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        yield* later.takeOver({ key: "k", previousOwner: "a", owner: "b", lease, retention }),
        Option.some(2)
      )
    })
  )

  onLinux("ends a lease by the time of day once the machine has been started anew", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* claim(yield* open(filename), "k")
      const other = yield* connect(filename)
      other.exec("UPDATE ferrule_idempotency SET lease_boot = '00000000-0000-0000-0000-000000000000'")
      const clock = setAhead(yield* Clock.Clock, Duration.minutes(10))
      const later = yield* Effect.provideService(open(filename), Clock.Clock, clock)
      const take = later.takeOver({ key: "k", previousOwner: "a", owner: "b", lease, retention })
      assert.deepStrictEqual(yield* take, Option.some(2))
    })
  )

  it.live.runIf(process.platform === "linux")(
    "keeps the lease of another process when the time of day is set ahead",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        const holder = yield* start(filename, "hold")
        assert.strictEqual(yield* reported(holder), "claimed")
        const clock = setAhead(Clock.Clock.defaultValue(), Duration.minutes(10))
        const store = yield* Effect.provideService(open(filename), Clock.Clock, clock)
        const found = yield* store.read("held")
        assert.isFalse(found?._tag === "Existing" && found.lapsed)
        const owner = `process ${holder.child.pid}`
        const take = store.takeOver({ key: "held", previousOwner: owner, owner: "b", lease, retention })
        assert.deepStrictEqual(yield* take, Option.none())
      }),
    timeout
  )

  it.effect("waits for another process's lock, and answers replays meanwhile", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const store = yield* open(filename)
      yield* claim(store, "old")
      const other = yield* connect(filename)
      other.exec("BEGIN IMMEDIATE")
      const waiting = yield* Effect.forkChild(claim(store, "new"))
      assert.strictEqual((yield* claim(store, "old", "b"))._tag, "Existing")
      other.exec("ROLLBACK")
      assert.deepStrictEqual(yield* Fiber.join(waiting), { _tag: "Claimed" })
    })
  )

  it.effect("fails when the lock is not released in time, and nothing is lost", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const store = yield* open(filename, { lockTimeout: "30 millis" })
      const other = yield* connect(filename)
      other.exec("BEGIN IMMEDIATE")
      const error = yield* Effect.flip(claim(store, "k"))
      assert.strictEqual(
        error.reason,
        `${filename} has been locked by another process for 30ms. End that process, or what it does with the file (a shell, a backup).`
      )
      other.exec("ROLLBACK")
      assert.deepStrictEqual(yield* claim(store, "k"), { _tag: "Claimed" })
    })
  )

  it.effect("leaves no record of a claim whose caller left before the commit", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const store = yield* open(filename)
      const fiber = yield* Effect.forkChild(claim(store, "k", "left"), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* claim(store, "k"), { _tag: "Claimed" })
    })
  )

  it.effect(
    "makes the steps that come in one turn in one commit, and those that their callers go on with in the next",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        const store = yield* open(filename)
        yield* claim(store, "first")
        const before = commits(filename)
        const write = (key: string) =>
          Effect.andThen(claim(store, key), store.settle({ key, owner: "a", result: "done", retention }))
        const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`)
        assert.deepStrictEqual(
          yield* Effect.forEach(keys, write, { concurrency: "unbounded" }),
          keys.map(() => true)
        )
        assert.strictEqual(commits(filename) - before, 2)
      })
  )

  it.effect("answers the steps that are waiting when it closes, and those that come later", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const scope = yield* Scope.make()
      const store = yield* Scope.provide(open(filename), scope)
      const other = yield* connect(filename)
      other.exec("BEGIN IMMEDIATE")
      const waiting = yield* Effect.forkChild(Effect.flip(claim(store, "k")), { startImmediately: true })
      yield* Effect.yieldNow
      const waitingBehind = yield* Effect.forkChild(Effect.flip(claim(store, "l")), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      const closed = `${filename} has been closed.`
      assert.strictEqual((yield* Fiber.join(waiting)).reason, closed)
      assert.strictEqual((yield* Fiber.join(waitingBehind)).reason, closed)
      assert.strictEqual((yield* Effect.flip(store.release({ key: "k", owner: "a" }))).reason, closed)
      assert.strictEqual((yield* Effect.flip(claim(store, "k")))._tag, "StoreError")
    })
  )

  it.effect("deletes records past their retention, and no live claim", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const store = yield* open(filename, { cleanupInterval: "10 minutes" })
      const keys = Array.from({ length: 450 }, (_, index) => `key ${index}`)
      yield* Effect.all(
        keys.map((key) => claim(store, key)),
        { concurrency: "unbounded" }
      )
      const long = { lease: Duration.hours(3), retention: Duration.minutes(1) }
      yield* store.claim({ key: "long", owner: "a", guards: "", ...long })
      yield* TestClock.adjust("50 minutes")
      assert.strictEqual(count(filename), 451)
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(count(filename), 1)
      assert.strictEqual((yield* claim(store, "long"))._tag, "Existing")
    })
  )

  it.effect("says that a record cannot be read, instead of taking it for absent, and changes it in no step", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      const store = yield* open(filename)
      const claimed = "state = 'claimed', lease_until = 0"
      const nothing = "result = NULL, settled_at = NULL"
      const damages = [
        "state = 'done'",
        "settled_at = NULL",
        "result = NULL",
        claimed,
        `${claimed}, result = NULL`,
        `${claimed}, ${nothing}, lease_until = NULL`,
        "state = 'unknown'"
      ]
      for (const damage of damages) {
        yield* claim(store, damage)
        yield* store.settle({ key: damage, owner: "a", result: "a secret", retention })
        const other = yield* connect(filename)
        other.prepare(`UPDATE ferrule_idempotency SET ${damage} WHERE key = ?`).run(damage)
      }
      for (const damage of damages) {
        assert.deepStrictEqual(yield* claim(store, damage, "b"), {
          _tag: "Unreadable",
          reason: `${filename}: the record with the key ${damage} is damaged, and what became of its write cannot be read. Nothing was executed. Repair the row, or delete it once you know that repeating the write does no harm.`
        })
      }
      const rows = () => {
        const db = new DatabaseSync(filename, { readOnly: true })
        const rows = db.prepare("SELECT * FROM ferrule_idempotency").all()
        db.close()
        return rows
      }
      const before = rows()
      assert.strictEqual(before.length, 7)
      for (const key of damages) {
        assert.isFalse(yield* store.settle({ key, owner: "a", result: "done", retention }))
        assert.isFalse(yield* store.release({ key, owner: "a" }))
        assert.isFalse(yield* store.markUnknown({ key, owner: "a", lapsed: false, retention }))
        const taken = yield* store.takeOver({ key, previousOwner: "a", owner: "b", lease, retention })
        assert.deepStrictEqual(taken, Option.none())
      }
      assert.deepStrictEqual(rows(), before)
    })
  )

  it.effect("makes a file that only its owner may read", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* claim(yield* open(filename), "k")
      for (const name of [filename, `${filename}-wal`]) assert.strictEqual(statSync(name).mode & 0o777, 0o600)
    })
  )
})

describe("at start the SQLite store refuses, and leaves as it was,", () => {
  const hashes = (path: string) =>
    readdirSync(path).map((name) => {
      const file = join(path, name)
      return `${name} ${statSync(file).isFile() ? createHash("sha256").update(readFileSync(file)).digest("hex") : ""}`
    })

  const refuses = (what: string, prepare: (filename: string) => Effect.Effect<unknown, StoreError>, reason: string) =>
    it.effect(what, () =>
      Effect.gen(function* () {
        const path = yield* folder
        const filename = join(path, "store.db")
        yield* prepare(filename)
        const before = hashes(path)
        const error = yield* Effect.flip(Effect.scoped(open(filename)))
        assert.strictEqual(error.reason, `${filename} ${reason}`)
        assert.deepStrictEqual(hashes(path), before)
      })
    )

  const written = (filename: string, keys = 200) =>
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* open(filename, { durability: "process" })
        for (let index = 0; index < keys; index++) yield* claim(store, `key ${index}`)
      })
    )

  const changed = (sql: string) => (filename: string) =>
    Effect.andThen(
      written(filename),
      Effect.sync(() => run(filename, sql))
    )

  const run = (filename: string, sql: string) => {
    const db = new DatabaseSync(filename)
    db.exec(sql)
    db.close()
  }

  const overwritten = (change: (bytes: Buffer) => Buffer) => (filename: string) =>
    Effect.andThen(
      written(filename),
      Effect.sync(() => writeFileSync(filename, change(readFileSync(filename))))
    )

  const restore =
    "Restore it from a backup, or move it away together with its -wal and -shm files; with a new file the store remembers no earlier write."

  refuses(
    "a file that is not a database",
    (filename) => Effect.sync(() => writeFileSync(filename, "queue,subject\n".repeat(500))),
    "is not a SQLite database. Give another filename; this file was not changed."
  )

  refuses(
    "the database of another program",
    (filename) => Effect.sync(() => run(filename, "CREATE TABLE tickets (id INTEGER PRIMARY KEY)")),
    "is the database of another program. The store keeps a file of its own: give another filename; this file was not changed."
  )

  refuses(
    "an empty database that another program has marked as its own",
    (filename) => Effect.sync(() => run(filename, "PRAGMA application_id = 77")),
    "is the database of another program. The store keeps a file of its own: give another filename; this file was not changed."
  )

  refuses(
    "a file from a newer version",
    changed("PRAGMA user_version = 2"),
    "was written by a newer version (format 2, this one reads up to 1). Run the newer version, or give another filename; this file was not changed."
  )

  refuses(
    "a file of its own without its tables",
    changed("DROP TABLE ferrule_idempotency"),
    `is damaged (its tables are not the store's). ${restore}`
  )

  refuses(
    "a file with overwritten pages",
    overwritten((bytes) => Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(bytes.length - 4096, 0x5a)])),
    `is damaged. ${restore}`
  )

  refuses(
    "a file that was cut off",
    overwritten((bytes) => bytes.subarray(0, bytes.length - 4096 * 3)),
    `is damaged. ${restore}`
  )

  refuses("a folder", (filename) => Effect.sync(() => mkdirSync(filename)), "is not a file. Give another filename.")

  it.effect("a file in a folder that does not exist", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "missing", "store.db")
      const error = yield* Effect.flip(Effect.scoped(open(filename)))
      const action = "Make the folder, or give another filename."
      assert.strictEqual(error.reason, `${filename} is in a folder that does not exist. ${action}`)
    })
  )

  it.effect("the name of a database in memory", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(open(":memory:")))
      assert.strictEqual(error.reason, ":memory: names no file. Give a filename.")
    })
  )
})

describe("when the disk takes no writes the SQLite store says so:", () => {
  // Root may write everything, so the process runs as nobody.
  const nobody = process.getuid?.() === 0 ? 65_534 : undefined
  const rights =
    "Let the server's user write the file and its folder, on a disk that takes writes, or give another filename."

  it.effect(
    "at start, for a file that it may only read",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        yield* Effect.scoped(open(filename))
        chmodSync(join(filename, ".."), 0o777)
        chmodSync(filename, 0o444)
        const reader = yield* start(filename, "open", [process.execPath], nobody)
        assert.strictEqual(yield* reported(reader), `${filename} cannot be written. ${rights}`)
      }),
    timeout
  )

  it.effect(
    "at start, for a new file in a folder that it may not write",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        chmodSync(join(filename, ".."), 0o555)
        const reader = yield* start(filename, "open", [process.execPath], nobody)
        assert.strictEqual(yield* reported(reader), `${filename} cannot be written. ${rights}`)
      }),
    timeout
  )

  // A process whose files may not grow past the limit meets what SQLite meets on a disk that is full.
  const limited = (kilobytes: number) => [
    "/bin/sh",
    "-c",
    `ulimit -f ${kilobytes * 2}; exec "$0" "$@"`,
    process.execPath
  ]
  const failed = "is on a disk that failed to read or write. Check the disk and its quota."

  it.effect(
    "at start, for a file that cannot grow",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        yield* Effect.scoped(open(filename))
        const before = readFileSync(filename)
        assert.strictEqual(yield* reported(yield* start(filename, "open", limited(4))), `${filename} ${failed}`)
        assert.deepStrictEqual(readFileSync(filename), before)
      }),
    timeout
  )

  it.effect(
    "in the middle, and keeps every claim that it granted",
    () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        const filler = yield* start(filename, "fill", limited(400))
        const { again, granted, reason, replay } = decodeFilled(yield* reported(filler))
        yield* end(filler.child)
        assert.strictEqual(reason, `${filename} ${failed}`)
        assert.strictEqual(again, reason)
        assert.strictEqual(replay, "Existing")
        assert.isAbove(granted, 10)
        const store = yield* open(filename)
        assert.strictEqual(count(filename), granted)
        assert.deepStrictEqual(yield* claim(store, `key ${granted}`), { _tag: "Claimed" })
      }),
    timeout
  )
})

const decodeFilled = Schema.decodeUnknownSync(
  Schema.Struct({ granted: Schema.Int, reason: Schema.String, again: Schema.String, replay: Schema.String })
)
