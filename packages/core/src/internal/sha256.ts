/**
 * SHA-256 of a text, as 43 characters of base64url.
 *
 * Where the runtime has `node:crypto` at hand, hashing is synchronous and costs half a microsecond; WebCrypto, which
 * every runtime has, hands each digest to another thread.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"

interface NodeCrypto {
  readonly hash: (algorithm: string, data: string, encoding: "base64url") => string
}

const node = (
  globalThis as { readonly process?: { readonly getBuiltinModule?: (id: string) => NodeCrypto | undefined } }
).process?.getBuiltinModule?.("node:crypto")

const encoder = new TextEncoder()

export const sha256: (text: string) => Effect.Effect<string> =
  node === undefined
    ? (text) => Effect.map(digest(encoder.encode(text)), Base64Url.encode)
    : (text) => Effect.succeed(node.hash("sha256", text, "base64url"))

const digest = (bytes: Uint8Array) =>
  Effect.provide(
    Effect.flatMap(Digest.Digest, (service) => service.digest(Digest.sha256, bytes)),
    Digest.layerWebCrypto
  )
