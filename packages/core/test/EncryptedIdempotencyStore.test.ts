import * as EncryptedIdempotencyStore from "@ferrule/core/EncryptedIdempotencyStore"
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import { AuditTrail, IdempotencyStore, StoreError } from "@ferrule/core"
import { IdempotencyStoreContract, TestClient } from "@ferrule/core/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Duration, Effect, Layer, Logger, Redacted, References } from "effect"
import { TestClock } from "effect/testing"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import type { Existing } from "../src/IdempotencyStore.ts"
import * as Aes256Gcm from "../src/internal/aes256Gcm.ts"
import { Books, clerk, Ledger } from "./fixtures/ledger.ts"
import { followsTheRules } from "./fixtures/storeModel.ts"

const lease = Duration.seconds(30)
const retention = Duration.hours(1)

/** The bytes `from`, `from + 1` and so on. */
const key = (id: string, from: number, length = 32): EncryptedIdempotencyStore.Key => ({
  id,
  key: Redacted.make(Uint8Array.from({ length }, (_, index) => from + index))
})
const spring = key("spring", 1)
const autumn = key("autumn", 101)

const encrypted = (
  keys: EncryptedIdempotencyStore.Options["keys"] = [spring],
  options?: Omit<EncryptedIdempotencyStore.Options, "keys">
) => EncryptedIdempotencyStore.layer({ keys, ...options })

const inMemory = Layer.provide(encrypted(), IdempotencyStore.layerMemory)

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "ferrule-encrypted-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const inNewFile = Layer.provide(
  encrypted(),
  Layer.unwrap(Effect.map(folder, (path) => SqliteIdempotencyStore.layer({ filename: join(path, "store.db") })))
)

const claim = (store: IdempotencyStore["Service"], record: string, guards = "amount:Zm9vYmFyMTI;") =>
  store.claim({ key: record, owner: "a", guards, lease, retention })

const settle = (store: IdempotencyStore["Service"], record: string, result: string) =>
  store.settle({ key: record, owner: "a", result, retention })

/** A store in memory, and those that encrypt over it, each by its own keys. */
const layered = (...keys: ReadonlyArray<EncryptedIdempotencyStore.Options>) =>
  Effect.gen(function* () {
    const beneath = yield* IdempotencyStore
    return { beneath, over: yield* Effect.forEach(keys, (options) => EncryptedIdempotencyStore.make(beneath, options)) }
  }).pipe(Effect.provide(IdempotencyStore.layerMemory))

/** What the store beneath holds of a record. */
const kept = (beneath: IdempotencyStore["Service"], record: string) =>
  Effect.map(beneath.read(record), (found) => {
    if (found?._tag !== "Existing") throw new Error(`no record ${record}`)
    return found
  })

/** What a store with these keys reads when the one beneath it holds this record. */
const readThrough = (
  beneath: IdempotencyStore["Service"],
  record: Existing,
  options: EncryptedIdempotencyStore.Options
) =>
  Effect.flatMap(
    EncryptedIdempotencyStore.make({ ...beneath, read: () => Effect.succeed(record) }, options),
    (reader) => reader.read("r")
  )

describe("an encrypted store", () => {
  it("exports these names", () => {
    assert.deepStrictEqual(Object.keys(EncryptedIdempotencyStore).sort(), ["layer", "layerConfig", "make"])
  })

  for (const [name, layer] of [
    ["memory", inMemory],
    ["SQLite", inNewFile]
  ] as const) {
    describe(`over ${name} keeps the contract:`, () => {
      for (const { name, run } of IdempotencyStoreContract.cases({ advance: TestClock.adjust })) {
        it.effect(name, () => run.pipe(Effect.provide(layer)))
      }
    })
  }

  it("gives for any sequence of steps what the rules say", () => followsTheRules(inMemory, 50))

  it.effect("is seen by whom the store beneath is seen, and runs its transactions", () =>
    Effect.gen(function* () {
      const { beneath, over } = yield* layered({ keys: [spring] })
      assert.strictEqual(over[0].scope, "process")
      assert.isFalse("transaction" in over[0])
      const transaction = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoreError, R> => effect
      const shared = yield* EncryptedIdempotencyStore.make(
        { ...beneath, scope: "shared", transaction },
        { keys: [spring] }
      )
      assert.strictEqual(shared.scope, "shared")
      assert.strictEqual(shared.transaction, transaction)
    })
  )

  it.effect("returns a text that begins with a byte order mark as it was", () =>
    Effect.gen(function* () {
      const { over } = yield* layered({ keys: [spring] })
      yield* claim(over[0], "r", "\ufeffguards")
      yield* settle(over[0], "r", "\ufeffresult")
      const found = yield* over[0].read("r")
      assert.deepInclude(found, { guards: "\ufeffguards", result: "\ufeffresult" })
    })
  )

  it.effect("never makes the same text of two", () =>
    Effect.gen(function* () {
      const { beneath, over } = yield* layered({ keys: [spring] })
      const texts = new Set<string>()
      for (let index = 0; index < 500; index++) {
        yield* claim(over[0], `${index}`, "")
        texts.add((yield* kept(beneath, `${index}`)).guards.slice(0, "ferrule:v1:spring:".length + 16))
      }
      assert.strictEqual(texts.size, 500)
    })
  )
})

describe("encryption with node:crypto and with WebCrypto", () => {
  const both = Effect.all({ node: Aes256Gcm.make(spring.key), web: Aes256Gcm.withWebCrypto(spring.key) })

  it.effect("read what the other has made", () =>
    Effect.gen(function* () {
      const { node, web } = yield* both
      for (const text of ["", "\ufeffmark", "漢字 😀", "漢x".repeat(16 * 1024)]) {
        assert.strictEqual(yield* web.decrypt(yield* node.encrypt(text, "a"), "a"), text)
        assert.strictEqual(yield* node.decrypt(yield* web.encrypt(text, "a"), "a"), text)
      }
    })
  )

  it.effect("refuse what was changed, cut off, or belongs elsewhere", () =>
    Effect.gen(function* () {
      const { node, web } = yield* both
      const encrypted = yield* node.encrypt("text", "a")
      for (const aes of [node, web]) {
        assert.strictEqual(yield* aes.decrypt(encrypted, "a"), "text")
        assert.isUndefined(yield* aes.decrypt(encrypted, "b"))
        assert.isUndefined(yield* aes.decrypt(encrypted + "AAAA", "a"))
        assert.isUndefined(yield* aes.decrypt(encrypted.slice(0, -4), "a"))
        assert.isUndefined(yield* aes.decrypt(encrypted.slice(0, 36), "a"))
        assert.isUndefined(yield* aes.decrypt("", "a"))
      }
    })
  )

  it.effect("never use a nonce again", () =>
    Effect.gen(function* () {
      const { node, web } = yield* both
      const nonces = new Set<string>()
      for (let index = 0; index < 250; index++) {
        for (const aes of [node, web]) nonces.add((yield* aes.encrypt("", "")).slice(0, 16))
      }
      assert.strictEqual(nonces.size, 500)
    })
  )
})

describe("at rest", () => {
  const canaries = ["CANARY-GUARDS", "CANARY-RESULT", "CANARY-UNSETTLED"]

  /** The canaries that the files of a store hold in the clear, while it is open and after it was closed. */
  const inTheClear = (around: Layer.Layer<IdempotencyStore, StoreError, IdempotencyStore>) =>
    Effect.gen(function* () {
      const path = yield* folder
      const found = () => {
        const bytes = readdirSync(path).map((file) => readFileSync(join(path, file), "latin1"))
        return canaries.filter((canary) => bytes.some((text) => text.includes(canary)))
      }
      const files = yield* Effect.gen(function* () {
        const store = yield* IdempotencyStore
        yield* claim(store, "r", "CANARY-GUARDS")
        yield* settle(store, "r", JSON.stringify({ secret: "CANARY-RESULT" }))
        yield* claim(store, "s", "CANARY-UNSETTLED")
        return { files: readdirSync(path), open: found() }
      }).pipe(Effect.provide(Layer.provide(around, SqliteIdempotencyStore.layer({ filename: join(path, "store.db") }))))
      return { ...files, closed: found() }
    }).pipe(Effect.scoped)

  it.effect("neither the SQLite file nor its log holds guards or results in the clear", () =>
    Effect.gen(function* () {
      const { closed, files, open } = yield* inTheClear(encrypted())
      assert.includeMembers(files, ["store.db", "store.db-wal"])
      assert.deepStrictEqual([open, closed], [[], []])
    })
  )

  it.effect("without encryption both do, so the search finds what is there", () =>
    Effect.gen(function* () {
      const { closed, open } = yield* inTheClear(Layer.effect(IdempotencyStore, IdempotencyStore))
      assert.deepStrictEqual([open, closed], [canaries, canaries])
    })
  )
})

describe("rotation", () => {
  it.effect("the first key encrypts, or the one that is named, and all of them decrypt", () =>
    Effect.gen(function* () {
      const { beneath, over } = yield* layered(
        { keys: [spring] },
        { keys: [spring, autumn] },
        { keys: [autumn, spring] },
        { keys: [spring, autumn], current: "autumn" }
      )
      for (const [writer, id] of [
        [0, "spring"],
        [1, "spring"],
        [2, "autumn"],
        [3, "autumn"]
      ] as const) {
        const record = `written by ${writer}`
        yield* claim(over[writer], record)
        yield* settle(over[writer], record, "done")
        const { guards, result } = yield* kept(beneath, record)
        assert.match(guards, new RegExp(`^ferrule:v1:${id}:[A-Za-z0-9_-]+$`))
        assert.match(result!, new RegExp(`^ferrule:v1:${id}:[A-Za-z0-9_-]+$`))
        for (const reader of over.slice(1)) {
          const found = yield* claim(reader, record)
          assert.deepInclude(found, { _tag: "Existing", guards: "amount:Zm9vYmFyMTI;", result: "done" })
        }
      }
    })
  )

  it.effect("a record whose key was taken away can't be read, and says which key it misses", () =>
    Effect.gen(function* () {
      const { over } = yield* layered({ keys: [spring] }, { keys: [autumn] })
      yield* claim(over[0], "r")
      const expected = {
        _tag: "Unreadable",
        reason:
          'The guards of the record with the key r can\'t be decrypted: the key with the id "spring" is not among the ' +
          "keys given. Give it again, until the retention of what it encrypted is over. Nothing was executed."
      } as const
      assert.deepStrictEqual(yield* claim(over[1], "r"), expected)
      assert.deepStrictEqual(yield* over[1].read("r"), expected)
    })
  )

  it.effect("a result counts only when it decrypts, whatever its guards say", () =>
    Effect.gen(function* () {
      const { over } = yield* layered({ keys: [spring, autumn] }, { keys: [autumn, spring] }, { keys: [spring] })
      yield* claim(over[0], "r")
      yield* settle(over[1], "r", "done")
      assert.deepStrictEqual(yield* claim(over[2], "r"), {
        _tag: "Unreadable",
        reason:
          'The result of the record with the key r can\'t be decrypted: the key with the id "autumn" is not among the ' +
          "keys given. Give it again, until the retention of what it encrypted is over. Nothing was executed."
      })
    })
  )
})

describe("a record that was tampered with", () => {
  /** The record of r as a reader finds it once its texts are these. */
  const forged = (texts: { readonly guards?: string; readonly result?: string }) =>
    Effect.gen(function* () {
      const { beneath, over } = yield* layered({ keys: [spring, autumn] })
      for (const record of ["r", "s"]) {
        yield* claim(over[0], record, `guards of ${record}`)
        yield* settle(over[0], record, `result of ${record}`)
      }
      const r = yield* kept(beneath, "r")
      const s = yield* kept(beneath, "s")
      const sealed: Record<string, string> = {
        "<guards of r>": r.guards,
        "<result of r>": r.result!,
        "<guards of s>": s.guards,
        "<result of s>": s.result!
      }
      const fill = (text: string) => text.replace(/<.*>/, (name) => sealed[name])
      const { guards = "<guards of r>", result = "<result of r>" } = texts
      const forgery = { ...r, guards: fill(guards), result: fill(result) }
      return yield* readThrough(beneath, forgery, { keys: [spring, autumn] })
    })

  it.effect("is read when nothing was changed, so the forgeries below are the cause", () =>
    Effect.gen(function* () {
      const found = yield* forged({})
      assert.deepInclude(found, { _tag: "Existing", guards: "guards of r", result: "result of r" })
    })
  )

  for (const [what, texts] of Object.entries({
    "the guards of another record": { guards: "<guards of s>" },
    "the result of another record": { result: "<result of s>" },
    "its result for its guards": { guards: "<result of r>" },
    "its guards for its result": { result: "<guards of r>" },
    "guards without a text": { guards: "ferrule:v1:spring:" },
    "guards of a newer version": { guards: "ferrule:v2:spring:AAAA" },
    "guards with something after them": { guards: "<guards of r>AAAA" },
    "guards on two lines": { guards: "<guards of r>\n" },
    "a key id that is none": { guards: "ferrule:v1:a b:AAAA" }
  })) {
    it.effect(`with ${what} can't be read, and its reason shows nothing of it`, () =>
      Effect.gen(function* () {
        const field = "result" in texts ? "result" : "guards"
        assert.deepStrictEqual(yield* forged(texts), {
          _tag: "Unreadable",
          reason:
            `The ${field} of the record with the key r can't be decrypted: the text was changed, comes from another record ` +
            "or field, was encrypted with another key of the same id, or by a newer version. Restore the record, or delete " +
            "it once you know that repeating the write does no harm. Nothing was executed."
        })
      })
    )
  }

  it.effect("with the id of another key, or another key of the same id, can't be read", () =>
    Effect.gen(function* () {
      const { beneath, over } = yield* layered({ keys: [spring, autumn] }, { keys: [key("spring", 50)] })
      yield* claim(over[0], "r")
      assert.strictEqual((yield* claim(over[1], "r"))._tag, "Unreadable")
      const { guards } = yield* kept(beneath, "r")
      yield* claim(beneath, "relabelled", guards.replace("spring", "autumn"))
      assert.strictEqual((yield* claim(over[0], "relabelled"))._tag, "Unreadable")
    })
  )

  it.effect("with any one character changed can't be read", () =>
    Effect.gen(function* () {
      const { beneath, over } = yield* layered({ keys: [spring] })
      // 12 bytes of nonce, 14 of text and 16 of tag are 56 characters without a bit to spare.
      yield* claim(over[0], "r", "amount:ABCDEF;")
      const record = yield* kept(beneath, "r")
      const { guards } = record
      assert.lengthOf(guards, "ferrule:v1:spring:".length + 56)
      for (let index = 0; index < guards.length; index++) {
        const changed = guards.slice(0, index) + (guards[index] === "A" ? "B" : "A") + guards.slice(index + 1)
        const found = yield* readThrough(beneath, { ...record, guards: changed }, { keys: [spring] })
        assert.strictEqual(found?._tag, "Unreadable", `character ${index}`)
      }
    })
  )
})

describe("records from before encryption was switched on", () => {
  const before = Effect.gen(function* () {
    const { beneath, over } = yield* layered({ keys: [spring] }, { keys: [spring], plain: "accept" })
    yield* claim(beneath, "done", "amount:Zm9vYmFyMTI;")
    yield* settle(beneath, "done", '{"format":1}')
    yield* claim(beneath, "empty", "")
    return { beneath, refusing: over[0], accepting: over[1] }
  })

  it.effect("are refused unless they are expected, with a reason that says how", () =>
    Effect.gen(function* () {
      const { refusing } = yield* before
      assert.deepStrictEqual(yield* claim(refusing, "done"), {
        _tag: "Unreadable",
        reason:
          "The guards of the record with the key done can't be decrypted: it is not encrypted. If it was written before " +
          'encryption was switched on, accept such records until their retention is over, with plain: "accept". If not, ' +
          "somebody else writes to the store, or an instance without its keys. Nothing was executed."
      })
      assert.strictEqual((yield* claim(refusing, "empty"))._tag, "Unreadable")
    })
  )

  it.effect("are read where they are expected, and what is written then is encrypted", () =>
    Effect.gen(function* () {
      const { accepting, beneath, refusing } = yield* before
      const done = yield* claim(accepting, "done")
      assert.deepInclude(done, { _tag: "Existing", guards: "amount:Zm9vYmFyMTI;", result: '{"format":1}' })
      assert.deepInclude(yield* claim(accepting, "empty"), { _tag: "Existing", guards: "" })
      assert.isTrue(yield* settle(accepting, "empty", "now"))
      assert.match((yield* kept(beneath, "empty")).result!, /^ferrule:v1:spring:/)
      yield* claim(accepting, "new")
      assert.strictEqual((yield* claim(refusing, "new"))._tag, "Existing")
    })
  )

  it.effect("stay apart from encrypted ones that can't be read, which are refused all the same", () =>
    Effect.gen(function* () {
      const { accepting, beneath } = yield* before
      yield* claim(beneath, "forged", "ferrule:v1:spring:AAAA")
      yield* claim(beneath, "newer", "ferrule:v2:spring:AAAA")
      assert.strictEqual((yield* claim(accepting, "forged"))._tag, "Unreadable")
      assert.strictEqual((yield* claim(accepting, "newer"))._tag, "Unreadable")
      // A field of that name does not make plain guards look encrypted.
      yield* claim(beneath, "plain", "ferrule:v1AAAAAAAAA;")
      assert.deepInclude(yield* claim(accepting, "plain"), { guards: "ferrule:v1AAAAAAAAA;" })
    })
  )
})

describe("keys are refused", () => {
  const base64 = Buffer.from(Redacted.value(spring.key)).toString("base64")

  /** What an operator sees of the refusal, in every form. */
  const refusal = (layer: Layer.Layer<IdempotencyStore, unknown, IdempotencyStore>) =>
    Effect.map(Effect.flip(Effect.sandbox(Effect.scoped(Layer.build(layer)))), (cause) => {
      const error = Cause.squash(cause)
      const shown = [Cause.pretty(cause), String(error), JSON.stringify(error), inspect(error, { depth: 9 })].join("\n")
      for (const secret of [
        base64,
        base64.slice(0, 12),
        Buffer.from(base64, "base64").toString("hex"),
        "1,2,3,4",
        "1, 2"
      ]) {
        assert.notInclude(shown, secret)
      }
      assert.instanceOf(error, StoreError)
      return error.message
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))

  for (const [what, options, reason] of [
    ["that are none", { keys: [] }, "there are none"],
    ["that are too short", { keys: [key("a", 1, 16)] }, "key 1 has 16 bytes instead of 32"],
    ["that are too long", { keys: [spring, key("a", 9, 33)] }, "key 2 has 33 bytes instead of 32"],
    ["whose ids are the same", { keys: [spring, key("spring", 9)] }, "key 2 has the id of key 1"],
    ["that are the same under two ids", { keys: [spring, autumn, key("c", 1)] }, "key 3 is the same as key 1"],
    ["without an id", { keys: [key("", 1)] }, "the id of key 1 is not 1 to 32 letters, digits or _ . -"],
    ["with a colon in the id", { keys: [key("a:b", 1)] }, "the id of key 1 is not 1 to 32 letters, digits or _ . -"],
    ["whose id is the key", { keys: [key(base64, 1)] }, "the id of key 1 is not 1 to 32 letters, digits or _ . -"],
    ["of which none is current", { keys: [spring], current: "winter" }, "the current id is none of theirs"],
    [
      "with every fault named",
      { keys: [key("a b", 1, 5), key("c", 3, 4)] },
      "the id of key 1 is not 1 to 32 letters, digits or _ . -; key 1 has 5 bytes instead of 32; " +
        "key 2 has 4 bytes instead of 32"
    ]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const message = yield* refusal(EncryptedIdempotencyStore.layer(options))
        assert.strictEqual(message, `The keys of the encrypted store can't be used: ${reason}.`)
      })
    )
  }

  const fromText = (keys: string) =>
    EncryptedIdempotencyStore.layerConfig({ keys: Config.Redacted("STORE_KEYS") }).pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { STORE_KEYS: keys } })))
    )

  for (const [what, keys, reason] of [
    ["from a text without an id", base64, "key 1 is not written as id:base64"],
    ["from a text with a part too many", `a:${base64}:b`, "key 1 is not written as id:base64"],
    ["from a text that is not base64", `a:${base64},b:!!!!`, "key 2 is not base64"],
    [
      "from a text with id and key the wrong way round",
      `${base64}:AAAA`,
      "the id of key 1 is not 1 to 32 letters, digits or _ . -; key 1 has 3 bytes instead of 32"
    ],
    ["from a text that is blank", " ", "there are none"],
    ["from a text that ends with a comma", `a:${base64},`, "key 2 is not written as id:base64"],
    ["from a text in hex", `a:${"01".repeat(32)}`, "key 1 has 48 bytes instead of 32"]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const message = yield* refusal(fromText(keys))
        assert.strictEqual(message, `The keys of the encrypted store can't be used: ${reason}.`)
      })
    )
  }
})

describe("keys from configuration", () => {
  const build = (env: Record<string, string>, options: Parameters<typeof EncryptedIdempotencyStore.layerConfig>[0]) =>
    Effect.gen(function* () {
      const beneath = yield* IdempotencyStore
      const layer = EncryptedIdempotencyStore.layerConfig(options).pipe(
        Layer.provide(Layer.succeed(IdempotencyStore, beneath)),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
      )
      const over = yield* Effect.provide(IdempotencyStore, layer)
      yield* claim(over, "r")
      return { guards: (yield* kept(beneath, "r")).guards, found: yield* claim(over, "r") }
    }).pipe(Effect.provide(IdempotencyStore.layerMemory))

  // Two keys whose base64 has the characters in which the two alphabets differ.
  const two = "new:+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=,\n old:-_z8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pz8_Pw\n"

  it.effect("come as base64 of either alphabet, and the first one encrypts", () =>
    Effect.gen(function* () {
      const { found, guards } = yield* build({ STORE_KEYS: two }, { keys: Config.Redacted("STORE_KEYS") })
      assert.match(guards, /^ferrule:v1:new:/)
      assert.deepInclude(found, { _tag: "Existing", guards: "amount:Zm9vYmFyMTI;" })
    })
  )

  it.effect("come with the other options", () =>
    Effect.gen(function* () {
      const { guards } = yield* build(
        { STORE_KEYS: two, STORE_KEY: "old" },
        { keys: Config.Redacted("STORE_KEYS"), current: Config.String("STORE_KEY"), plain: Config.succeed("accept") }
      )
      assert.match(guards, /^ferrule:v1:old:/)
    })
  )

  it.effect("that are absent are a fault of the configuration", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(build({}, { keys: Config.Redacted("STORE_KEYS") }))
      assert.strictEqual(error._tag, "ConfigError")
    })
  )
})

describe("a connector over an encrypted store", () => {
  /** The ledger's own process on a file: what it answers, and what its operator reads. */
  const process = (filename: string, keys: EncryptedIdempotencyStore.Options["keys"], books: Books) => {
    const log: Array<string> = []
    const collect = Logger.make(({ message }) => {
      log.push([message].flat().map(String).join(" "))
    })
    const layer = Layer.mergeAll(
      books.layer,
      Layer.provide(encrypted(keys), SqliteIdempotencyStore.layer({ filename })),
      AuditTrail.layerNone,
      Logger.layer([collect]),
      Layer.succeed(References.MinimumLogLevel, "All")
    )
    return Effect.gen(function* () {
      const client = yield* TestClient.make(Ledger)
      const called = yield* Effect.result(client.as(clerk).call("book_once", { account: "rent", amount: 100 }))
      return { called, log }
    }).pipe(Effect.scoped, Effect.provide(layer))
  }

  it.effect("replays what another process has written", () =>
    Effect.gen(function* () {
      const filename = join(yield* folder, "store.db")
      const books = new Books()
      const first = yield* process(filename, [spring], books)
      const second = yield* process(filename, [autumn, spring], books)
      assert.deepInclude(first.called, { _tag: "Success" })
      assert.deepInclude(second.called, { _tag: "Success" })
      assert.strictEqual(books.entries.length, 1)
    })
  )

  it.effect(
    "never executes again what it can't read, tells the operator which key is missing, and the model nothing",
    () =>
      Effect.gen(function* () {
        const filename = join(yield* folder, "store.db")
        const books = new Books()
        yield* process(filename, [spring], books)
        const { called, log } = yield* process(filename, [autumn], books)
        assert.strictEqual(books.entries.length, 1)
        assert.strictEqual(called._tag, "Failure")
        if (called._tag === "Failure") {
          assert.deepInclude(called.failure, { _tag: "OutcomeUnknown", checkWith: "balance" })
          assert.notInclude(called.failure.message, "spring")
        }
        assert.lengthOf(log, 1)
        assert.match(
          log[0],
          /^The record of a write can't be read The guards of the record .* the key with the id "spring" /
        )
      })
  )
})
