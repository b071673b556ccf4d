import { IdempotencyStore, StoreError } from "@ferrule/core"
import { IdempotencyStoreContract } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { open } from "lmdb"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { followsTheRules } from "../../packages/core/test/fixtures/storeModel.ts"
import * as LmdbIdempotencyStore from "./LmdbIdempotencyStore.ts"

const lease = Duration.seconds(30)
const retention = Duration.hours(1)

const newFile = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-lmdb-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
).pipe(Effect.map((folder) => join(folder, "store.mdb")))

class File extends Context.Service<File, string>()("examples/custom-store/test/File") {}

const inFileOf = Layer.unwrap(Effect.map(File, (filename) => LmdbIdempotencyStore.layer({ filename })))

/** Opens the file, runs a program on its store, and closes it. */
const using = <A, E>(
  filename: string,
  program: (store: IdempotencyStore["Service"]) => Effect.Effect<A, E>
): Effect.Effect<A, unknown> =>
  Effect.provide(Effect.flatMap(IdempotencyStore, program), LmdbIdempotencyStore.layer({ filename }))

const claim = (store: IdempotencyStore["Service"], key: string) =>
  store.claim({ key, owner: "a", guards: "guards", lease, retention })

/** What another program that has the file finds in it. */
const inFile = <A>(filename: string, look: (root: ReturnType<typeof open>) => A) =>
  Effect.promise(async () => {
    const root = open({ path: filename, noSubdir: true, overlappingSync: false })
    const found = look(root)
    await root.close()
    return found
  })

const recordsIn = (root: ReturnType<typeof open>) =>
  root.openDB<string, string>({ name: "ferrule-records", encoding: "string" })

const countIn = (filename: string) =>
  inFile(filename, (root) => ({
    records: recordsIn(root).getKeysCount(),
    expiries: root.openDB({ name: "ferrule-expiries" }).getKeysCount()
  }))

describe("the LMDB store keeps the contract:", () => {
  const layer = Layer.provideMerge(inFileOf, Layer.effect(File, newFile))
  const cases = IdempotencyStoreContract.cases({
    advance: TestClock.adjust,
    // Layer.fresh, or it would be the same instance again.
    second: Effect.map(Layer.build(Layer.fresh(inFileOf)), (context) => Context.get(context, IdempotencyStore)),
    damage: (key) =>
      Effect.flatMap(File, (filename) => {
        const change = (to: (text: string) => string) =>
          inFile(filename, (root) => {
            const records = recordsIn(root)
            records.putSync(key, to(records.get(key)!))
          })
        return Effect.as(
          change((text) => `?${text}`),
          change((text) => text.slice(1))
        )
      })
  })
  for (const { name, run } of cases) it.effect(name, () => Effect.provide(run, layer))

  it("any sequence of steps gives what the rules say", () => followsTheRules(layer, 50))
})

describe("the LMDB store", () => {
  it.effect("keeps its records when it is closed and opened again", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* using(filename, (store) =>
        Effect.andThen(claim(store, "k"), store.settle({ key: "k", owner: "a", result: "done", retention }))
      )
      const found = yield* using(filename, (store) => claim(store, "k"))
      assert.deepInclude(found, { _tag: "Existing", state: "settled", owner: "a", result: "done" })
    })
  )

  it.effect("makes a file that only its owner may read", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* using(filename, (store) => claim(store, "k"))
      assert.strictEqual(statSync(filename).mode & 0o777, 0o600)
    })
  )

  it.effect("forgets what is past its retention as claims come, eight at a time, and its index with it", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      yield* using(filename, (store) =>
        Effect.gen(function* () {
          yield* Effect.forEach(Array.from({ length: 20 }).keys(), (index) => claim(store, `old ${index}`))
          yield* store.release({ key: "old 0", owner: "a" })
          yield* store.settle({ key: "old 1", owner: "a", result: "done", retention: Duration.hours(9) })
          yield* TestClock.adjust(retention)
          yield* claim(store, "new 1")
          yield* claim(store, "new 2")
        })
      )
      // 20 were claimed and one released; 16 of the 18 that are over are gone, and two are new.
      assert.deepStrictEqual(yield* countIn(filename), { records: 5, expiries: 5 })
    })
  )

  it.effect("keeps a record that is claimed anew, however many old ones are still to be forgotten", () =>
    Effect.gen(function* () {
      const found = yield* using(yield* newFile, (store) =>
        Effect.gen(function* () {
          yield* Effect.forEach(Array.from({ length: 40 }).keys(), (index) => claim(store, `${index}`.padStart(2, "0")))
          yield* TestClock.adjust(retention)
          yield* claim(store, "39")
          yield* Effect.forEach(Array.from({ length: 10 }).keys(), (index) => claim(store, `new ${index}`))
          return yield* store.read("39")
        })
      )
      assert.deepInclude(found, { _tag: "Existing", state: "claimed", createdAt: 3_600_000 })
    })
  )

  for (const [what, text] of [
    ["is damaged", '{"format":1,"state":"settled","owner":"a","epoch":1,"guards":"hunter2","createdAt":0}'],
    ["is no JSON", "hunter2"],
    ["was written by a newer version", '{"format":2,"state":"claimed","guards":"hunter2","expiresAt":9000000000000}']
  ]) {
    it.effect(`says that a record ${what}, shows nothing of it, and changes it in no step`, () =>
      Effect.gen(function* () {
        const filename = yield* newFile
        yield* using(filename, (store) => claim(store, "k"))
        const put = (root: ReturnType<typeof open>) => {
          const records = recordsIn(root)
          if (records.get("k") !== text) records.putSync("k", text)
        }
        yield* inFile(filename, put)
        const answers = yield* using(filename, (store) =>
          Effect.all([
            claim(store, "k"),
            store.read("k"),
            store.settle({ key: "k", owner: "a", result: "done", retention }),
            store.release({ key: "k", owner: "a" }),
            store.markUnknown({ key: "k", owner: "a", lapsed: false, retention }),
            Effect.map(
              store.takeOver({ key: "k", previousOwner: "a", owner: "b", lease, retention }),
              ({ _tag }) => _tag
            ),
            claim(store, "k")
          ])
        )
        const unreadable = {
          _tag: "Unreadable",
          reason:
            `${filename}: the record with the key k is damaged, or was written by a newer version. Nothing was ` +
            "executed. Delete it once you know that repeating its write does no harm."
        }
        assert.deepStrictEqual(answers, [unreadable, unreadable, false, false, false, "None", unreadable] as never)
      })
    )
  }

  it.effect("says at start when its file is none of LMDB's", () =>
    Effect.gen(function* () {
      const filename = yield* newFile
      writeFileSync(filename, "Dear diary, ".repeat(2000))
      const error = yield* Effect.flip(using(filename, (store) => claim(store, "k")))
      assert.instanceOf(error, StoreError)
      assert.strictEqual(error.message, `${filename} can't be opened.`)
      assert.strictEqual(String(error.cause), "Error: It is not a file of LMDB")
    })
  )
})
