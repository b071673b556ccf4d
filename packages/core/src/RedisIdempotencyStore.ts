/**
 * Keeps the records of writes in Redis (6.2 or newer, or Valkey), through Effect's `Redis` service.
 *
 * Any number of instances share one server, whose clock decides. Each step is one script on one key, in one round trip, so
 * it works on a cluster too. Give the server `maxmemory-policy noeviction` and `appendonly yes`: a record that is lost is a
 * write that a call makes again. Redis can't rule that out. It tells its replicas and, unless `appendfsync` is `always`, its
 * disk of a write after it has answered, so that a failover or power loss forgets the last ones. Where the system that is
 * written to takes no key of its own, use PostgreSQL.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redis from "effect/persistence/Redis"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Claim, IdempotencyStore, StoreError } from "./IdempotencyStore.ts"
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

    const load = <A>(lua: string, answer: Schema.Decoder<A>): Effect.Effect<Step<A>, StoreError> => {
      const decode = Schema.decodeUnknownResult(answer)
      return Effect.map(Effect.mapError(redis.send<string>("SCRIPT", "LOAD", lua), RedisFault.describe), (digest) => {
        return (key, args, then) => {
          const parameters = ["1", prefix + key, ...args.map(String)]
          const onSuccess = (reply: unknown) => {
            const decoded = decode(reply)
            return Result.isSuccess(decoded) ? then(decoded.success) : Effect.fail(noAnswer)
          }
          const onFailure = (fault: Redis.RedisError) => Effect.fail(RedisFault.describe(fault))
          return Effect.matchEffect(redis.send("EVALSHA", digest, ...parameters), {
            onSuccess,
            onFailure: (fault) =>
              // The server was restarted, or is another node of a cluster. It keeps the script from then on.
              RedisFault.isUnknownScript(fault)
                ? Effect.matchEffect(redis.send("EVAL", lua, ...parameters), { onSuccess, onFailure })
                : onFailure(fault)
          })
        }
      })
    }

    yield* inTime(
      RedisServer.check(redis.send("INFO"), { eviction: eviction === "accepted", volatility: durability === "memory" })
    )
    const { claim, markUnknown, read, release, settle, takeOver } = yield* inTime(
      Effect.all(
        {
          claim: load(RedisScripts.claim, Timed(["granted", "late"], Fields)),
          read: load(RedisScripts.read, Timed(["none"], Fields)),
          settle: load(RedisScripts.settle, Schema.BooleanFromBit),
          release: load(RedisScripts.release, Schema.BooleanFromBit),
          markUnknown: load(RedisScripts.markUnknown, Schema.BooleanFromBit),
          takeOver: load(RedisScripts.takeOver, Timed(["none", "late"], Schema.Int))
        },
        { concurrency: "unbounded" }
      )
    )

    // How far the server's clock is ahead of this process's, by its last answer.
    let ahead = 0
    // A step that takes hold of a record must not be done once its caller has gone, since nobody would let go of it.
    const acquire = <A, B>(
      step: Step<readonly [now: number, answer: A | "late"]>,
      key: string,
      args: Arguments,
      then: (answer: A, now: number) => B
    ): Effect.Effect<B, StoreError> =>
      Effect.suspend(() => {
        const until = clock.currentTimeMillisUnsafe() + patience
        const attempt = (): Effect.Effect<B, StoreError> =>
          step(key, [...args, until + ahead], ([now, answer]) => {
            const time = clock.currentTimeMillisUnsafe()
            ahead = now - time
            if (answer !== "late") return Effect.succeed(then(answer, now))
            // With the caller still there, one of the clocks was set.
            return time < until ? attempt() : Effect.fail(late)
          })
        return attempt()
      })

    return IdempotencyStore.of({
      scope: "shared",

      claim: ({ guards, key, lease, owner, retention }) =>
        acquire(claim, key, [owner, guards, millis(lease), millis(retention)], (found, now) =>
          found === "granted" ? claimed : RedisRecord.decode(prefix + key, now, found)
        ),

      read: (key) =>
        read(key, [], ([now, found]) =>
          Effect.succeed(found === "none" ? undefined : RedisRecord.decode(prefix + key, now, found))
        ),

      settle: ({ key, owner, result, retention }) => settle(key, [owner, result, millis(retention)], Effect.succeed),

      release: ({ key, owner }) => release(key, [owner], Effect.succeed),

      markUnknown: ({ key, lapsed, owner, retention }) =>
        markUnknown(key, [owner, lapsed ? 1 : 0, millis(retention)], Effect.succeed),

      takeOver: ({ key, lease, owner, previousOwner, retention }) =>
        acquire(takeOver, key, [previousOwner, owner, millis(lease), millis(retention)], (epoch) =>
          epoch === "none" ? Option.none() : Option.some(epoch)
        )
    })
  })

type Arguments = ReadonlyArray<string | number>

/** Runs a script on one key, in one round trip, and goes on with its answer. */
type Step<A> = <B>(
  key: string,
  args: Arguments,
  then: (answer: A) => Effect.Effect<B, StoreError>
) => Effect.Effect<B, StoreError>

/** How long a caller waits for a step. */
const patience = Duration.toMillis(storeTimeout)

const millis = (duration: Duration.Duration): number =>
  Math.min(Math.ceil(Duration.toMillis(duration)), Number.MAX_SAFE_INTEGER)

const late = new StoreError({
  reason: "Redis got to a step when nobody waited for it any more, and did not do it. Check the server and the network."
})

const noAnswer = new StoreError({
  reason: "Redis answered a step in another way than its script does. Give the client the address of a Redis server."
})

const Fields = Schema.Array(Schema.Unknown)
const Timed = <const Words extends ReadonlyArray<string>, A>(words: Words, value: Schema.Decoder<A>) =>
  Schema.Tuple([Schema.Int, Schema.Union([Schema.Literals(words), value])])

const claimed: Claim = { _tag: "Claimed" }
