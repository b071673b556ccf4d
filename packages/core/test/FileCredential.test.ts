import { Credential, Upstream } from "@ferrule/core"
import * as FileCredential from "@ferrule/core/FileCredential"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, FileSystem, Redacted } from "effect"
import { TestClock } from "effect/testing"

const textOf = ({ value }: Credential.Token) => Redacted.value(value)

/** A folder as a mounted secret has it: what is swapped is a link to the folder with the file. */
const mounted = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped()
  const path = `${folder}/token`
  let version = 0
  return {
    path,
    remove: files.remove(path),
    /** Replaces the file by a rename. */
    put: (text: string) =>
      Effect.andThen(files.writeFileString(`${path}.new`, text), files.rename(`${path}.new`, path)),
    /** Points `..data` at another folder by a rename, as the kubelet does. */
    swap: Effect.fnUntraced(function* (text: string) {
      const next = `${folder}/..${++version}`
      yield* files.makeDirectory(next)
      yield* files.writeFileString(`${next}/token`, text)
      yield* files.symlink(next, `${folder}/..data_tmp`)
      yield* files.rename(`${folder}/..data_tmp`, `${folder}/..data`)
      if (version === 1) yield* files.symlink(`${folder}/..data/token`, path)
    })
  }
})

const faultsAt = (path: string) => Effect.map(Effect.flip(FileCredential.make({ path })), ({ faults }) => faults[0])

const faultOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(defect, Upstream.Fault)
    assert.strictEqual(defect.applied, "no")
    return defect.message
  })

layer(NodeFileSystem.layer)("FileCredential", (it) => {
  it.effect("does not start without a token, and says what is wrong with the file", () =>
    Effect.gen(function* () {
      const { path, put } = yield* mounted
      assert.strictEqual(yield* faultsAt(path), "there is no such file")
      yield* put(" \n")
      assert.strictEqual(yield* faultsAt(path), "the token is empty")
      yield* put("first line\nsecret-line")
      assert.strictEqual(
        yield* faultsAt(path),
        "the token has a space, or another character that a header may not have"
      )
      const folder = path.slice(0, path.lastIndexOf("/"))
      assert.match((yield* faultsAt(folder)) ?? "", /^it can't be read \([A-Za-z]+\)$/)
      const error = yield* Effect.flip(FileCredential.make({ path }))
      assert.include(error.message, path)
      assert.notInclude(error.message, "secret-line")
    })
  )

  it.effect("hands out what was put in its place, a second later at most", () =>
    Effect.gen(function* () {
      const { path, put } = yield* mounted
      yield* put("first-token\n")
      const { token } = yield* FileCredential.make({ path })
      assert.strictEqual(textOf(yield* token), "first-token")
      yield* put("second-token")
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(textOf(yield* token), "first-token")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(textOf(yield* token), "second-token")
    })
  )

  it.effect("follows the link that a mounted secret is swapped by", () =>
    Effect.gen(function* () {
      const { path, swap } = yield* mounted
      yield* swap("first-token")
      const { token } = yield* FileCredential.make({ path })
      for (const text of ["first-token", "second-token", "third-token"]) {
        yield* swap(text)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(textOf(yield* token), text)
      }
    })
  )

  it.effect("is read anew at once when the upstream refuses the token", () =>
    Effect.gen(function* () {
      const { path, put } = yield* mounted
      yield* put("first-token")
      const { token, refused } = yield* FileCredential.make({ path })
      const first = yield* token
      yield* refused(first)
      assert.strictEqual(textOf(yield* token), "first-token")
      yield* TestClock.adjust("1 minute")
      yield* token
      yield* put("second-token")
      yield* refused(first)
      assert.strictEqual(textOf(yield* token), "second-token")
    })
  )

  it.effect(
    "keeps the last token of a file that is gone or empty for as long as it says, closes, and opens again",
    () =>
      Effect.gen(function* () {
        const { path, put, remove } = yield* mounted
        yield* put("first-token")
        const { token } = yield* FileCredential.make({ path, keepFor: "1 minute" })
        assert.strictEqual(textOf(yield* token), "first-token")
        yield* remove
        for (let second = 0; second < 60; second++) {
          assert.strictEqual(textOf(yield* token), "first-token")
          if (second === 30) yield* put("")
          yield* TestClock.adjust("1 second")
        }
        assert.strictEqual(yield* faultOf(token), `The credential file ${path} can't be used: the token is empty`)
        yield* put("second-token")
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(textOf(yield* token), "second-token")
      })
  )

  it.effect("is not read while nobody asks, and gives no stale token to who asks then", () =>
    Effect.gen(function* () {
      const { path, put } = yield* mounted
      yield* put("first-token")
      const { token } = yield* FileCredential.make({ path })
      yield* token
      yield* TestClock.adjust("1 hour")
      yield* put("second-token")
      assert.strictEqual(textOf(yield* token), "second-token")
    })
  )

  it.effect("never hands out a revoked token, even while the file still has it, and takes the next one", () =>
    Effect.gen(function* () {
      const { path, put } = yield* mounted
      yield* put("first-token")
      const { token, revoke } = yield* FileCredential.make({ path })
      yield* token
      yield* revoke("10 seconds")
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual(textOf(yield* token), "first-token")
      yield* TestClock.adjust("1 second")
      assert.match(yield* faultOf(token), /is revoked or has expired/)
      yield* put("second-token")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(textOf(yield* token), "second-token")
      yield* put("first-token")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(textOf(yield* token), "second-token")
    })
  )

  it.effect("does not fall back on a token that was revoked while the file was being read", () =>
    Effect.gen(function* () {
      const { path, put, remove } = yield* mounted
      yield* put("first-token")
      const files = yield* FileSystem.FileSystem
      const reading = yield* Deferred.make<void>()
      let isSlow = false
      const slow = FileSystem.FileSystem.of({
        ...files,
        readFileString: (...args) =>
          Effect.andThen(isSlow ? Deferred.await(reading) : Effect.void, files.readFileString(...args))
      })
      const { token, revoke } = yield* Effect.provideService(FileCredential.make({ path }), FileSystem.FileSystem, slow)
      yield* token
      isSlow = true
      yield* remove
      yield* TestClock.adjust("1 second")
      const waiting = yield* Effect.forkChild(faultOf(token))
      yield* Effect.yieldNow
      yield* revoke()
      yield* Deferred.succeed(reading, undefined)
      assert.strictEqual(yield* Fiber.join(waiting), `The credential file ${path} can't be used: there is no such file`)
    })
  )
})
