/**
 * SHA-256 of texts, each as 43 characters of base64url.
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

export const sha256All = (texts: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
  node === undefined
    ? Effect.provide(Effect.forEach(texts, digest, { concurrency: "unbounded" }), Digest.layerWebCrypto)
    : Effect.succeed(texts.map((text) => node.hash("sha256", text, "base64url")))

export const sha256 = (text: string): Effect.Effect<string> =>
  node === undefined
    ? Effect.provide(digest(text), Digest.layerWebCrypto)
    : Effect.succeed(node.hash("sha256", text, "base64url"))

const encoder = new TextEncoder()

const digest = (text: string) =>
  Effect.flatMap(Digest.Digest, (service) =>
    Effect.map(service.digest(Digest.sha256, encoder.encode(text)), Base64Url.encode)
  )
