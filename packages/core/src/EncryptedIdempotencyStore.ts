/**
 * Encrypts what another store keeps, so that who reads its file, its backup or its server learns no result and no guards.
 *
 * You need it when results hold what the store's other readers must not see. `layer` goes around any store; `layerConfig`
 * takes the keys from configuration. Results and guards are encrypted by AES-256-GCM, each with a fresh random nonce, and
 * bound to their record and their field, so that a text that was changed, swapped or copied elsewhere is not accepted.
 *
 * What stays in the clear: a record's key, state, owner, epoch and times, the id of the encryption key, and how long a text
 * is. The record's key is a SHA-256 without a secret: who reads the store and can guess a caller and the identity fields
 * of a write can confirm the guess. (A secret in it could never be changed, since with another one every record would be
 * forgotten and every write possible once more.) Nor does encryption stop one who may write to the store from deleting
 * records.
 *
 * To rotate, give every instance the new key at the end of the list; then move it to the front; and drop the old one when
 * the longest retention is over. A key serves some four billion texts, as random nonces allow (NIST SP 800-38D, 8.3).
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Aes256Gcm from "./internal/aes256Gcm.ts"
import { type Claim, IdempotencyStore, StoreError, type Unreadable } from "./IdempotencyStore.ts"
import * as Scrubber from "./Scrubber.ts"

/**
 * A key of 32 random bytes, and the id that is stored with what it encrypts: 1 to 32 of `A-Z a-z 0-9 _ . -`.
 *
 * @category options
 * @since 0.1.0
 */
export interface Key {
  readonly id: string
  readonly key: Redacted.Redacted<Uint8Array>
}

/**
 * - `keys`: each of them decrypts.
 * - `current`: the id of the key that encrypts, the first one's unless given.
 * - `plain`: what a text that is not encrypted means. `"refuse"` (default): its record can't be read. `"accept"`: it was
 *   written before encryption was switched on; for the time of the longest retention after that, and no longer, since
 *   meanwhile who may write to the store can plant results.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly keys: ReadonlyArray<Key>
  readonly current?: string
  readonly plain?: "accept" | "refuse"
}

/**
 * The same, with the keys as one text: `id:base64`, separated by commas. `openssl rand -base64 32` makes a key.
 *
 * @category options
 * @since 0.1.0
 */
export interface TextOptions extends Omit<Options, "keys"> {
  readonly keys: Redacted.Redacted<string>
}

/**
 * Encrypts what the store beneath keeps, which it takes from its requirements:
 *
 * ```ts
 * Layer.provide(EncryptedIdempotencyStore.layer({ keys }), SqliteIdempotencyStore.layer({ filename: "desk.db" }))
 * ```
 *
 * Fails when there is no key, a key is not 32 bytes long, two have one id or two ids have one key, an id has other
 * characters than it may, or `current` names none of them. The error counts the keys; it shows no part of them. The scrubber
 * knows them as long as the layer is there.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<IdempotencyStore, StoreError, IdempotencyStore> =>
  Layer.effect(
    IdempotencyStore,
    Effect.andThen(
      Effect.forEach(options.keys, ({ key }) => Scrubber.watch(key), { discard: true }),
      Effect.flatMap(IdempotencyStore, (store) => make(store, options))
    )
  )

/**
 * Reads the keys from configuration: `layerConfig({ keys: Config.Redacted("STORE_KEYS") })`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<TextOptions>
): Layer.Layer<IdempotencyStore, StoreError | Config.ConfigError, IdempotencyStore> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { keys, ...others } = yield* Config.unwrap(options)
      return layer({ ...others, keys: yield* parse(keys) })
    })
  )

/**
 * Makes the store that encrypts what another one keeps.
 *
 * What can't be decrypted makes its record `Unreadable`, with a reason that says what to do. A result counts as proof that
 * its write was done only when it decrypts, so a settled record whose result does not is no different. A step needs none of
 * a record's texts, so the one who holds a record may still end it when they can't be decrypted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  store: IdempotencyStore["Service"],
  options: Options
): Effect.Effect<IdempotencyStore["Service"], StoreError> =>
  Effect.map(cipher(options), ({ open, seal }) => {
    const reveal = <Found extends Claim | undefined>(
      key: string,
      found: Found
    ): Effect.Effect<Found | Unreadable, StoreError> => {
      if (found?._tag !== "Existing") return Effect.succeed(found)
      const guards = open("guards", key, found.guards)
      const result = found.state === "settled" ? open("result", key, found.result ?? "") : Effect.undefined
      return Effect.zipWith(guards, result, (guards, result) => ({ ...found, guards, result })).pipe(
        Effect.catchTag("Unreadable", Effect.succeed)
      )
    }

    // Each step is named here, so that one which is new to the interface can't pass by the encryption.
    return {
      scope: store.scope,
      ...(store.transaction === undefined ? {} : { transaction: store.transaction }),

      claim: (given) =>
        seal("guards", given.key, given.guards).pipe(
          Effect.flatMap((guards) => store.claim({ ...given, guards })),
          Effect.flatMap((found) => reveal(given.key, found))
        ),
      read: (key) => Effect.flatMap(store.read(key), (found) => reveal(key, found)),
      settle: (given) =>
        Effect.flatMap(seal("result", given.key, given.result), (result) => store.settle({ ...given, result })),
      release: store.release,
      markUnknown: store.markUnknown,
      takeOver: store.takeOver
    }
  })

type Field = "guards" | "result"

interface Cipher {
  readonly seal: (field: Field, record: string, text: string) => Effect.Effect<string, StoreError>
  readonly open: (field: Field, record: string, sealed: string) => Effect.Effect<string, StoreError | Unreadable>
}

const cipher = ({ current, keys, plain = "refuse" }: Options): Effect.Effect<Cipher, StoreError> =>
  Effect.gen(function* () {
    const problems = faults(keys, current)
    if (problems.length > 0) return yield* unusable(problems)
    const ciphers = new Map<string, Aes256Gcm.Aes256Gcm>()
    for (const { id, key } of keys) {
      ciphers.set(id, yield* Effect.mapError(Aes256Gcm.make(key), failed("use a key of the encrypted store")))
    }
    const id = current ?? keys[0].id
    const { encrypt } = ciphers.get(id)!
    return {
      seal: (field, record, text) =>
        Effect.mapBoth(encrypt(text, associated(id, field, record)), {
          onSuccess: (encrypted) => header(id) + encrypted,
          onFailure: failed("encrypt a text of a record")
        }),

      open: (field, record, sealed) => {
        const refuse = (problem: string) => unreadable(field, record, problem)
        if (!anyVersion.test(sealed)) return plain === "accept" ? Effect.succeed(sealed) : refuse(notEncrypted)
        const [, id, encrypted] = thisVersion.exec(sealed) ?? []
        if (id === undefined) return refuse(damaged)
        const cipher = ciphers.get(id)
        if (cipher === undefined) return refuse(missing(id))
        return cipher.decrypt(encrypted, associated(id, field, record)).pipe(
          Effect.mapError(failed("decrypt a text of a record")),
          Effect.flatMap((text) => (text === undefined ? refuse(damaged) : Effect.succeed(text)))
        )
      }
    }
  })

// A text is a header with the key's id, then the nonce, what is encrypted, and the tag. No guards of a plain record begin
// like a header: after a field's name comes a tag of letters and digits without a second colon.
const header = (id: string): string => `ferrule:v1:${id}:`
const anyVersion = /^ferrule:v[0-9]+:/
const thisVersion = /^ferrule:v1:([A-Za-z0-9_.-]{1,32}):([A-Za-z0-9_-]*)$/
const { keyLength } = Aes256Gcm
const validId = /^[A-Za-z0-9_.-]{1,32}$/

const associated = (id: string, field: Field, record: string): string => `${header(id)}${field}:${record}`

const unreadable = (field: Field, record: string, problem: string): Effect.Effect<never, Unreadable> =>
  Effect.fail({
    _tag: "Unreadable",
    reason: `The ${field} of the record with the key ${record} can't be decrypted: ${problem} Nothing was executed.`
  })

const missing = (id: string): string =>
  `the key with the id "${id}" is not among the keys given. Give it again, until the retention of what it encrypted is over.`

const damaged =
  "the text was changed, comes from another record or field, was encrypted with another key of the same id, or by a newer " +
  "version. Restore the record, or delete it once you know that repeating the write does no harm."

const notEncrypted =
  "it is not encrypted. If it was written before encryption was switched on, accept such records until their retention is " +
  'over, with plain: "accept". If not, somebody else writes to the store, or an instance without its keys.'

const failed =
  (what: string) =>
  (cause: unknown): StoreError =>
    new StoreError({ reason: `The runtime could not ${what}.`, cause })

const unusable = (problems: ReadonlyArray<string>): Effect.Effect<never, StoreError> =>
  Effect.fail(new StoreError({ reason: `The keys of the encrypted store can't be used: ${problems.join("; ")}.` }))

/** Keys go by their place, since what stands where an id belongs may be a key. */
const faults = (keys: Options["keys"], current: string | undefined): ReadonlyArray<string> => {
  const found = keys.length === 0 ? ["there are none"] : []
  keys.forEach(({ id, key }, index) => {
    const name = `key ${index + 1}`
    const bytes = Redacted.value(key)
    if (!validId.test(id)) found.push(`the id of ${name} is not 1 to 32 letters, digits or _ . -`)
    if (bytes.length !== keyLength) found.push(`${name} has ${bytes.length} bytes instead of ${keyLength}`)
    keys.slice(0, index).forEach((earlier, place) => {
      if (earlier.id === id) found.push(`${name} has the id of key ${place + 1}`)
      if (sameBytes(Redacted.value(earlier.key), bytes)) found.push(`${name} is the same as key ${place + 1}`)
    })
  })
  const names = keys.length > 0 && current !== undefined && keys.every(({ id }) => id !== current)
  return names ? [...found, "the current id is none of theirs"] : found
}

const sameBytes = (one: Uint8Array, two: Uint8Array): boolean =>
  one.length === two.length && one.every((byte, index) => byte === two[index])

const parse = (text: Redacted.Redacted<string>): Effect.Effect<ReadonlyArray<Key>, StoreError> => {
  const keys: Array<Key> = []
  const problems: Array<string> = []
  const entries = Redacted.value(text).trim()
  for (const [index, entry] of entries === "" ? [] : entries.split(",").entries()) {
    const [id, base64, ...rest] = entry.trim().split(":")
    const bytes = Base64Url.decode((base64 ?? "").replaceAll("+", "-").replaceAll("/", "_"))
    if (base64 === undefined || rest.length > 0) problems.push(`key ${index + 1} is not written as id:base64`)
    else if (Result.isFailure(bytes)) problems.push(`key ${index + 1} is not base64`)
    else keys.push({ id, key: Redacted.make(bytes.success, { label: "encryption key" }) })
  }
  return problems.length > 0 ? unusable(problems) : Effect.succeed(keys)
}
