/**
 * Keeps the records of writes in Redis (6.2 or newer, or Valkey), through Effect's `Redis` service.
 *
 * Any number of instances share one server, whose clock decides. Each step is one script on one key, in one round trip, so
 * it works on a cluster too. Give the server `maxmemory-policy noeviction` and `appendonly yes`: a record that is lost is a
 * write that a call makes again. Redis can't rule that out. It tells its replicas and, unless `appendfsync` is `always`, its
 * disk of a write after it has answered, so that a failover or power loss forgets the last ones. Where the system that is
 * written to takes no key of its own, use PostgreSQL.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import { type Claim, type Existing, IdempotencyStore, StoreError, type Unreadable } from "./IdempotencyStore.ts"
import { inTime, storeTimeout } from "./internal/boundedStore.ts"
import * as RedisFault from "./internal/RedisFault.ts"
import * as RedisRecord from "./internal/RedisRecord.ts"
import * as RedisScripts from "./internal/RedisScripts.ts"
import * as RedisServer from "./internal/RedisServer.ts"

/**
 * - `prefix`: what the names of the store's keys begin with, `ferrule:idempotency:` unless given. No other program may
 *   write or expire keys with it.
 * - `eviction`: `"refused"` (default) fails at start unless the server says that it drops no keys when its memory is full.
 *   `"accepted"` takes any server, also one that does not say. If such a server drops a record, a call that comes again
 *   makes its write again, and no error tells. It is right only where the policy is known to be `noeviction`.
 * - `durability`: `"disk"` (default) warns at start when the server keeps no append-only file. `"memory"` says that losing
 *   the records in a restart is acceptable.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly prefix?: string
  readonly eviction?: "refused" | "accepted"
  readonly durability?: "disk" | "memory"
}

/**
 * Keeps records on the server that the `Redis` service is connected to. Records past their retention are expired by Redis.
 *
 * A client that loses its connection should fail steps at once instead of keeping them for later: with `NodeRedis`, give
 * `disableOfflineQueue: true`. A claim that reaches Redis when its caller has stopped waiting is not granted all the same.
 *
 * Fails when the server is older than 6.2, is a replica, may drop records, or does not answer. The error says what to do.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<IdempotencyStore, StoreError, Redis.Redis> =>
  Layer.effect(IdempotencyStore, make(options))

/**
 * @category constructors
 * @since 0.1.0
 */
export const make: (options?: Options) => Effect.Effect<IdempotencyStore["Service"], StoreError, Redis.Redis> =
  Effect.fnUntraced(function* (options = {}) {
    const { durability, eviction, prefix = "ferrule:idempotency:" } = options
    const clock = yield* Clock.Clock
    const redis = yield* Redis.Redis

    const load = (lua: string): Effect.Effect<Script, StoreError> =>
      Effect.mapBoth(redis.send<string>("SCRIPT", "LOAD", lua), {
        onSuccess: (digest) => ({ lua, digest }),
        onFailure: RedisFault.describe
      })

    /** Runs a script on one key, in one round trip. */
    const run = ({ digest, lua }: Script, ...args: readonly [key: string, ...ReadonlyArray<string>]) =>
      Effect.catchCause(redis.send("EVALSHA", digest, "1", ...args), (cause) => {
        const found = Cause.findError(cause)
        if (Result.isFailure(found)) return Effect.failCause(found.failure)
        // The server was restarted, or is another node of a cluster. It keeps the script from then on.
        return RedisFault.isUnknownScript(found.success)
          ? Effect.mapError(redis.send("EVAL", lua, "1", ...args), RedisFault.describe)
          : Effect.fail(RedisFault.describe(found.success))
      })

    yield* inTime(
      RedisServer.check(redis.send("INFO"), { eviction: eviction === "accepted", volatility: durability === "memory" })
    )
    const { claim, markUnknown, read, release, settle, takeOver } = yield* inTime(
      Effect.all(
        {
          claim: load(RedisScripts.claim),
          read: load(RedisScripts.read),
          settle: load(RedisScripts.settle),
          release: load(RedisScripts.release),
          markUnknown: load(RedisScripts.markUnknown),
          takeOver: load(RedisScripts.takeOver)
        },
        { concurrency: "unbounded" }
      )
    )

    // How far the server's clock is ahead of this process's, by its last answer.
    let ahead = 0
    // A step that takes hold of a record must not be done once its caller has gone, since nobody would let go of it.
    const acquire = <A>(
      attempt: (second: string) => Effect.Effect<unknown, StoreError>,
      then: (now: number, answer: ReadonlyArray<unknown>) => Effect.Effect<A, StoreError>
    ): Effect.Effect<A, StoreError> => {
      // By whole seconds, since a number that is another one in each call takes long to write.
      const within = (until: number): Effect.Effect<A, StoreError> =>
        Effect.flatMap(attempt(String(Math.floor((until + ahead) / 1000))), (answer) => {
          if (!isTimed(answer)) return noAnswer
          const now = answer[0]
          const time = clock.currentTimeMillisUnsafe()
          ahead = now - time
          if (answer.length !== 2 || answer[1] !== "late") return then(now, answer)
          // With the caller still there, one of the clocks was set.
          return time < until - 1000 ? within(until) : late
        })
      return Effect.suspend(() => within(clock.currentTimeMillisUnsafe() + patience))
    }

    return IdempotencyStore.of({
      scope: "shared",

      claim: ({ guards, key, lease, owner, retention }) => {
        const name = prefix + key
        const [leased, kept] = spans(lease, retention)
        return acquire(
          (second) => run(claim, name, ownerText(owner) + guards, leased, kept, second),
          (now, answer) => (answer.length === 1 ? claimed : existing(name, now, answer))
        )
      },

      read: (key) =>
        Effect.flatMap(run(read, prefix + key), (answer) => {
          if (!isTimed(answer)) return noAnswer
          return answer.length === 1 ? Effect.undefined : existing(prefix + key, answer[0], answer)
        }),

      settle: ({ key, owner, result, retention }) =>
        Effect.flatMap(run(settle, prefix + key, ownerText(owner), result, String(millis(retention))), done),

      release: ({ key, owner }) => Effect.flatMap(run(release, prefix + key, ownerText(owner)), done),

      markUnknown: ({ key, lapsed, owner, retention }) =>
        Effect.flatMap(
          run(markUnknown, prefix + key, ownerText(owner), lapsed ? "1" : "0", String(millis(retention))),
          done
        ),

      takeOver: ({ key, lease, owner, previousOwner, retention }) => {
        const [from, to] = [ownerText(previousOwner), ownerText(owner)]
        const [leased, kept] = spans(lease, retention)
        return acquire(
          (second) => run(takeOver, prefix + key, from, to, leased, kept, second),
          (_, answer) => {
            if (answer.length === 1) return Effect.succeedNone
            const [, epoch] = answer
            return answer.length === 2 && typeof epoch === "number" ? Effect.succeedSome(epoch) : noAnswer
          }
        )
      }
    })
  })

/** A script that the server has been given. */
interface Script {
  readonly lua: string
  readonly digest: string
}

const { ownerText } = RedisRecord

/** How long a caller waits for a step. */
const patience = Duration.toMillis(storeTimeout)

const millis = (duration: Duration.Duration): number => Math.min(Math.ceil(Duration.toMillis(duration)), longest)

/** Some three thousand years, so that no time in a record has more than 15 digits. */
const longest = 99_999_999_999_999

/** A lease, and a retention that is no shorter. */
const spans = (lease: Duration.Duration, retention: Duration.Duration): readonly [leased: string, kept: string] => {
  const leased = millis(lease)
  return [String(leased), String(Math.max(leased, millis(retention)))]
}

const late = Effect.fail(
  new StoreError({
    reason:
      "Redis got to a step when nobody waited for it any more, and did not do it. Check the server and the network."
  })
)

const noAnswer = Effect.fail(
  new StoreError({
    reason: "Redis answered a step in another way than its script does. Give the client the address of a Redis server."
  })
)

const claimed = Effect.succeed<Claim>({ _tag: "Claimed" })

// Answers are checked by hand, since a schema would take longer than all else that the store does for a call.
const isTimed = (answer: unknown): answer is readonly [now: number, ...ReadonlyArray<unknown>] =>
  Array.isArray(answer) && typeof answer[0] === "number"

const existing = (
  name: string,
  now: number,
  answer: ReadonlyArray<unknown>
): Effect.Effect<Existing | Unreadable, StoreError> =>
  answer.length === 3 ? Effect.succeed(RedisRecord.decode(name, now, answer[1], answer[2])) : noAnswer

const done = (answer: unknown): Effect.Effect<boolean, StoreError> =>
  answer === 1 ? yes : answer === 0 ? no : noAnswer

const yes = Effect.succeed(true)
const no = Effect.succeed(false)
