import { assert, describe, it } from "@effect/vitest"
import * as RedisFault from "../src/internal/RedisFault.ts"
import * as RedisRecord from "../src/internal/RedisRecord.ts"

class ClientOfflineError extends Error {}
class TimeoutError extends Error {}
const coded = (code: string, message: string) => Object.assign(new Error(message), { code })

describe("what the operator reads when Redis fails", () => {
  const says = (cause: unknown, reason: string) =>
    it(`${cause instanceof Error ? `${cause.constructor.name} ${cause.message}` : "what is no error"}`, () => {
      const error = RedisFault.describe({ cause })
      assert.strictEqual(error.reason, reason)
      assert.isUndefined(error.cause)
    })

  const full = "Redis is full and takes no new record. Raise its maxmemory, or give the records a server of their own."
  says(new Error("OOM command not allowed when used memory > 'maxmemory'. script: 1a2b, on @user_script:21."), full)
  says(
    new Error(
      "ERR Error running script (call to f_1a2b): @user_script:21: @user_script: 21: -OOM command not allowed when used memory > 'maxmemory'."
    ),
    full
  )
  says(
    new Error("LOADING Redis is loading the dataset in memory"),
    "Redis is loading its data from disk. It takes steps when that is done."
  )
  says(
    new Error("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."),
    "Redis is held up by a script that has run for too long. End that script (SCRIPT KILL)."
  )
  says(
    new Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
    "Redis is a replica without its primary. Connect to the primary."
  )
  says(
    new Error("NOAUTH Authentication required."),
    "Redis refused the credentials of the client. Give it the user and the password."
  )
  says(
    new Error("MOVED 3999 10.0.0.7:6381"),
    "Redis is a cluster that did not take the step on this node. Connect with a client that follows the cluster."
  )
  says(
    coded("ECONNREFUSED", "connect ECONNREFUSED 10.0.0.7:6379"),
    "Nothing accepts connections where Redis should be. Start it, or give the client its address."
  )
  says(
    coded("ENOTFOUND", "getaddrinfo ENOTFOUND redis.internal"),
    "The host name of Redis is not known. Give the client its address."
  )
  says(
    coded("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    "The TLS connection to Redis failed. Check the certificates of the server and the client."
  )
  says(
    coded("ECONNRESET", "read ECONNRESET"),
    "The connection to Redis broke during a step, which may have been done. Check the server and the network."
  )
  says(
    new ClientOfflineError("The client is offline"),
    "The client has no connection to Redis. Check the server and the network."
  )
  says(new TimeoutError(), "Redis did not answer in time. Check the server and the network.")

  const other = "Redis failed a step for a reason of its own. See the log of the server."
  says(new Error("ERR unknown command 'EVALSHA', with args beginning with: '1a2b' '1' 'key' 'a secret'"), other)
  says(new TypeError("Protocol mismatch for redis://user:a-secret@redis.internal"), other)
  says("a secret", other)
})

describe("a record in Redis", () => {
  const now = 1_800_000_000_000
  const lapsing = "2 claimed 1 1799999999000 1799999999000 1001 300000 1 a guards"
  const decode = (state: unknown, result: unknown = null, at = now) => RedisRecord.decode("key", at, state, result)

  it("is claimed until the end of its lease, and lapsed from then on", () => {
    const record = {
      _tag: "Existing",
      state: "claimed",
      owner: "a",
      epoch: 1,
      guards: "guards",
      lapsed: false,
      createdAt: 1_799_999_999_000,
      result: undefined,
      settledAt: undefined
    }
    assert.deepStrictEqual<unknown>(decode(lapsing), record)
    assert.deepStrictEqual<unknown>(decode(lapsing, null, now + 1), { ...record, lapsed: true })
  })

  it("has a result only once it is settled", () => {
    const since = "3 1799999999000 1800000000000 0 300000 1 a guards"
    const settled = decode(`2 settled ${since}`, "done")
    const unknown = decode(`2 unknown ${since}`, "done")
    assert(settled._tag === "Existing" && unknown._tag === "Existing")
    assert.deepStrictEqual([settled.result, settled.settledAt, settled.lapsed], ["done", 1_800_000_000_000, false])
    assert.deepStrictEqual([unknown.result, unknown.settledAt, unknown.lapsed], [undefined, undefined, false])
    assert.deepStrictEqual([settled.epoch, settled.createdAt], [3, 1_799_999_999_000])
  })

  it("has the owner and the guards that it was claimed with, whatever characters they have", () => {
    const texts = ["", " ", "  1 b", "a 1 2", "a\u0000b", "a\n2 settled 1 1 1 1 1 1 b c", "\u{1f600}\u2028\u00e9"]
    for (const owner of texts) {
      for (const guards of texts) {
        const found = decode(`2 claimed 1 1 1 1 1 ${RedisRecord.ownerText(owner)}${guards}`)
        assert(found._tag === "Existing")
        assert.deepStrictEqual([found.owner, found.guards], [owner, guards])
      }
    }
  })

  it("is not read when it is not whole", () => {
    const damages = [
      [lapsing.replace("claimed", "settled")],
      [lapsing.replace("claimed", "unknowable")],
      [lapsing.replace("claimed", "Claimed")],
      [lapsing.replace("claimed 1", "claimed 1.5")],
      [lapsing.replace("claimed 1", "claimed -1")],
      [lapsing.replace("claimed 1", "claimed  1")],
      [lapsing.replace("claimed 1", "claimed \u0661")],
      [lapsing.replace("1001", "9007199254740993")],
      [lapsing.replace("1001", "1e3")],
      [lapsing.replace(" 300000", "")],
      [lapsing.replace(" a", "")],
      [lapsing.replace("1 a", "2 a")],
      [lapsing.replace("1 a", "0 a")],
      [lapsing.replace("1 a", "100 a")],
      [lapsing.replace("1 a", "999999999999999 a")],
      [lapsing.replace(" guards", "")],
      [` ${lapsing}`],
      [`x\n${lapsing}`],
      [""],
      [null],
      [2],
      [[lapsing]],
      [lapsing.replace("claimed", "settled"), 1]
    ] as const
    for (const [state, result] of damages) {
      assert.strictEqual(decode(state, result)._tag, "Unreadable", JSON.stringify([state, result]))
    }
  })

  it("is said to be of an older or a newer version, damaged, or no record", () => {
    const said = /was written by an? \w+ version|holds a damaged|no record/
    const says = (state: unknown) => {
      const found = decode(state)
      return found._tag === "Unreadable" ? said.exec(found.reason)?.[0] : found._tag
    }
    const older = ["claimed", "settled", "unknown"]
    assert.deepStrictEqual(older.map(says), Array(3).fill("was written by an older version"))
    const newer = ["3 claimed 1", "10 claimed 1", lapsing.replace("2", "3")]
    assert.deepStrictEqual(newer.map(says), Array(3).fill("was written by a newer version"))
    const damaged = ["0 claimed", "1 claimed", "2 claimed", "02 claimed", "3", "a secret"]
    assert.deepStrictEqual(damaged.map(says), Array(6).fill("holds a damaged"))
    assert.deepStrictEqual([null, 3].map(says), ["no record", "no record"])
  })
})
