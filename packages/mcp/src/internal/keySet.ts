/**
 * The public keys of an issuer (RFC 7517), fetched at the start and again at an interval.
 *
 * Keys that are known stay good while the issuer can't be reached, until they are older than a stated maximum; from then on
 * nobody is let in. A token by a key that is not known makes the set be fetched at once, since keys rotate, but such a fetch
 * happens once in a cool-down, whatever anybody sends.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose"
import { IdentityUnavailable } from "../IdentityError.ts"
import { ask } from "./authorizationServer.ts"

export interface KeySetOptions {
  readonly url: string
  readonly algorithms: ReadonlyArray<string>
  readonly refreshEvery: Duration.Duration
  readonly maxAge: Duration.Duration
  readonly coolDown: Duration.Duration
  /** Runs when the keys have changed: what the old ones have verified may not hold any more. */
  readonly onChange: Effect.Effect<void>
}

export interface Keys {
  readonly find: JWTVerifyGetKey
  readonly text: string
}

export interface KeySet {
  /** Gives the keys, unless they are too old. */
  readonly current: Effect.Effect<Keys, IdentityUnavailable>
  /**
   * Gives the keys after these, in which a key was not found: the same ones within the cool-down. Fails while the issuer
   * can't be asked, since the key may be a new one.
   */
  readonly after: (keys: Keys) => Effect.Effect<Keys, IdentityUnavailable>
}

/** Fails with what to mend when the keys can't be fetched, or when none of them is of use. */
export const make = Effect.fnUntraced(function* (
  options: KeySetOptions
): Effect.fn.Return<KeySet, string, HttpClient.HttpClient | Scope.Scope> {
  const client = yield* HttpClient.HttpClient
  const scope = yield* Scope.Scope
  const maxAge = Duration.toMillis(options.maxAge)
  const coolDown = Duration.toMillis(options.coolDown)

  const fetched = ask(client, HttpClientRequest.get(options.url), JsonWebKeySet, "JSON Web Key Set").pipe(
    Effect.flatMap((set) => usable(set, options.algorithms))
  )

  let keys = yield* fetched
  let fetchedAt = yield* Clock.currentTimeMillis
  let isReachable = true
  const fetchAgain = Effect.gen(function* () {
    const next = yield* fetched
    fetchedAt = yield* Clock.currentTimeMillis
    if (next.text === keys.text) return
    keys = next
    yield* options.onChange
  })

  const warn = (problem: string) =>
    Effect.logWarning(
      `The key set could not be fetched again: ${problem}. Keys are good for ${Duration.format(options.maxAge)}.`
    )
  const renewal = Effect.matchEffect(fetchAgain, {
    onSuccess: () => Effect.sync(() => ((isReachable = true), options.refreshEvery)),
    onFailure: (problem) => Effect.sync(() => ((isReachable = false), options.coolDown)).pipe(Effect.tap(warn(problem)))
  })
  yield* Effect.forkScoped(
    Effect.sleep(options.refreshEvery).pipe(Effect.andThen(Effect.forever(Effect.flatMap(renewal, Effect.sleep))))
  )

  let searchedAt = -Infinity
  let search: Fiber.Fiber<unknown> | undefined
  const searched = Effect.suspend((): Effect.Effect<unknown> => {
    if (search !== undefined) return Fiber.join(search)
    // It goes on without the caller that began it, for those who wait with it.
    const run = Effect.ensuring(
      renewal,
      Effect.sync(() => (search = undefined))
    )
    return Effect.flatMap(Effect.forkIn(run, scope), (fiber) => Fiber.join((search = fiber)))
  })

  const unavailable = Effect.fail(new IdentityUnavailable({ retryAfter: options.coolDown }))
  const found = (seen: Keys) =>
    Effect.suspend(() => (keys === seen && !isReachable ? unavailable : Effect.succeed(keys)))

  return {
    current: Clock.clockWith((clock) =>
      clock.currentTimeMillisUnsafe() - fetchedAt > maxAge ? unavailable : Effect.succeed(keys)
    ),
    after: (seen) =>
      Clock.clockWith((clock) => {
        const now = clock.currentTimeMillisUnsafe()
        if (keys !== seen || (search === undefined && now - searchedAt < coolDown)) return found(seen)
        if (search === undefined) searchedAt = now
        return Effect.andThen(searched, found(seen))
      })
  }
})

const JsonWebKeySet = Schema.Struct({ keys: Schema.Array(Schema.Record(Schema.String, Schema.Unknown)) })

const usable = (set: typeof JsonWebKeySet.Type, algorithms: ReadonlyArray<string>): Effect.Effect<Keys, string> =>
  Effect.gen(function* () {
    const find = yield* Effect.try({
      // `never`: what the schema leaves open of a key, the library checks itself.
      try: () => createLocalJWKSet({ keys: set.keys as never }),
      catch: () => "the answer is no JSON Web Key Set"
    })
    const found = yield* Effect.forEach(algorithms, (alg) => Effect.promise(() => find({ alg }).then(yes, isAmbiguous)))
    if (found.includes(true)) return { find, text: JSON.stringify(set) }
    return yield* Effect.fail(`it has no public key that verifies ${algorithms.join(", ")}`)
  })

const yes = () => true

/** Several keys fit an algorithm alone; a token says which one it means. */
const isAmbiguous = (error: unknown) => error instanceof errors.JWKSMultipleMatchingKeys
