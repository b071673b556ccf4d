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
  const claimed = ["1", "claimed", "a", "1", "guards", "1799999999000", "1800000300000", "1800000000001", null, null]
  const changed = (index: number, value: string | null) => claimed.with(index, value)

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
    assert.deepStrictEqual<unknown>(RedisRecord.decode("key", now, claimed), record)
    assert.deepStrictEqual<unknown>(RedisRecord.decode("key", now + 1, claimed), { ...record, lapsed: true })
  })

  it("has a result only once it is settled", () => {
    const left = ["1", "settled", "a", "1", "guards", "1799999999000", "1800000300000", "1", "done", "1800000000000"]
    const settled = RedisRecord.decode("key", now, left)
    const unknown = RedisRecord.decode("key", now, left.with(1, "unknown"))
    assert(settled._tag === "Existing" && unknown._tag === "Existing")
    assert.deepStrictEqual([settled.result, settled.settledAt, settled.lapsed], ["done", 1_800_000_000_000, false])
    assert.deepStrictEqual([unknown.result, unknown.settledAt, unknown.lapsed], [undefined, undefined, false])
  })

  it("is not read when it is not whole", () => {
    const damages = [
      changed(1, "settled"),
      changed(1, "unknowable"),
      changed(2, null),
      changed(3, "1.5"),
      changed(3, "-1"),
      changed(5, "9007199254740993"),
      changed(7, null),
      changed(7, " 1"),
      changed(7, "1".repeat(16)),
      claimed.slice(0, 9),
      [...claimed, "more"],
      []
    ]
    for (const damage of damages) {
      assert.strictEqual(RedisRecord.decode("key", now, damage)._tag, "Unreadable", JSON.stringify(damage))
    }
  })
})
