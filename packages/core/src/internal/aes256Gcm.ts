/**
 * AES-256-GCM over texts. What it makes is the nonce, the encrypted bytes and the tag, as base64url.
 *
 * Where the runtime has `node:crypto` at hand, a text costs some ten microseconds; WebCrypto, which every runtime has,
 * hands each one to another thread and costs ten times that. Either reads what the other has made.
 */
import * as Aead from "effect/crypto/Aead"
import type { CryptoError } from "effect/crypto/CryptoError"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as NodeCrypto from "node:crypto"

export interface Aes256Gcm {
  /** Encrypts with a fresh random nonce. */
  readonly encrypt: (text: string, associated: string) => Effect.Effect<string, CryptoError>
  /** Nothing for what was not made with this key and this associated text. */
  readonly decrypt: (encrypted: string, associated: string) => Effect.Effect<string | undefined, CryptoError>
}

export const keyLength = Aead.aes256Gcm.keyLength
const nonceLength = Aead.aes256Gcm.nonceLength
const tagLength = 16

/** Imports a key, once for all texts. */
export const make = (key: Redacted.Redacted<Uint8Array>): Effect.Effect<Aes256Gcm, CryptoError> =>
  node === undefined ? withWebCrypto(key) : Effect.sync(() => withNode(node, Redacted.value(key)))

interface Node {
  readonly process?: { readonly getBuiltinModule?: (id: string) => typeof NodeCrypto | undefined }
}

const node = (globalThis as Node).process?.getBuiltinModule?.("node:crypto")

const withNode = (crypto: typeof NodeCrypto, bytes: Uint8Array): Aes256Gcm => {
  const key = crypto.createSecretKey(bytes)
  const options = { authTagLength: tagLength }
  return {
    encrypt: (text, associated) =>
      Effect.sync(() => {
        const nonce = crypto.randomBytes(nonceLength)
        const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce, options)
        cipher.setAAD(Buffer.from(associated))
        const encrypted = cipher.update(text, "utf8")
        return Buffer.concat([nonce, encrypted, cipher.final(), cipher.getAuthTag()]).toString("base64url")
      }),
    decrypt: (encrypted, associated) =>
      Effect.sync(() => {
        const bytes = Buffer.from(encrypted, "base64url")
        if (bytes.length < nonceLength + tagLength) return undefined
        const decipher = crypto.createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceLength), options)
        decipher.setAAD(Buffer.from(associated))
        decipher.setAuthTag(bytes.subarray(-tagLength))
        const text = decipher.update(bytes.subarray(nonceLength, -tagLength), undefined, "utf8")
        try {
          return text + decipher.final("utf8")
        } catch {
          return undefined
        }
      })
  }
}

/** For a runtime without `node:crypto`. */
export const withWebCrypto = (bytes: Redacted.Redacted<Uint8Array>): Effect.Effect<Aes256Gcm, CryptoError> =>
  Effect.gen(function* () {
    const aead = yield* Aead.Aead
    const { randomBytes } = yield* SecureRandom.SecureRandom
    const key = yield* Aead.key(Aead.aes256Gcm, Redacted.value(bytes))
    const encrypt: Aes256Gcm["encrypt"] = (text, associated) =>
      Effect.flatMap(randomBytes(nonceLength), (nonce) =>
        Effect.map(aead.encrypt(key, encoder.encode(text), { nonce, aad: encoder.encode(associated) }), (encrypted) => {
          const bytes = new Uint8Array(nonceLength + encrypted.length)
          bytes.set(nonce)
          bytes.set(encrypted, nonceLength)
          return Base64Url.encode(bytes)
        })
      )
    // The first use of a key imports it: now, when a runtime without AES can still say so.
    yield* encrypt("", "")
    const decrypt: Aes256Gcm["decrypt"] = (encrypted, associated) =>
      Effect.suspend(() => {
        const bytes = Base64Url.decode(encrypted)
        if (Result.isFailure(bytes) || bytes.success.length < nonceLength + tagLength) return Effect.undefined
        const nonce = bytes.success.subarray(0, nonceLength)
        const aad = encoder.encode(associated)
        return aead.decrypt(key, bytes.success.subarray(nonceLength), { nonce, aad }).pipe(
          Effect.map((text): string | undefined => decoder.decode(text)),
          Effect.catchIf(
            ({ reason }) => reason._tag === "DecryptionFailed",
            () => Effect.undefined
          )
        )
      })
    return { decrypt, encrypt }
  }).pipe(Effect.provide(Layer.provideMerge(Aead.layerWebCrypto, SecureRandom.layerWebCrypto)))

const encoder = new TextEncoder()
// A byte order mark at the start is part of the text.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
