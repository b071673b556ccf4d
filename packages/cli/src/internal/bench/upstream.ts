/**
 * Stands between handlers and the network: keeps what they send by Effect's HttpClient over fetch, or by the global fetch, and
 * lets a probe answer.
 */
import type * as Connector from "@ferrule/core/Connector"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import * as GlobalFetch from "./globalFetch.ts"
import type { StartOptions, UpstreamRequest } from "../Bench.ts"

export interface Upstream {
  readonly requests: ReadonlyArray<UpstreamRequest>
  /** What was sent in headers that hold credentials. */
  readonly credentials: ReadonlySet<string>
  /** Makes layers build over this, also where one of them brings a fetch of its own. */
  readonly memoMap: Layer.MemoMap
  /** Makes a program send through here, also where its layer brought a fetch of its own. */
  readonly through: (program: Connector.Program) => Connector.Program
}

export const make = (answer: StartOptions["upstream"]): Upstream => {
  const requests: Array<UpstreamRequest> = []
  const credentials = new Set<string>()
  // Node lets go of a request that nobody holds, and its signal then hears of no abort.
  const pending = new Set<Request>()
  const known = new WeakMap<typeof globalThis.fetch, typeof globalThis.fetch>()

  const over = (fetch: typeof globalThis.fetch): typeof globalThis.fetch => {
    const before = known.get(fetch)
    if (before !== undefined) return before
    const recording: typeof globalThis.fetch = async (input, init) => {
      const request = new Request(input, init)
      requests.push({ method: request.method, url: request.url, headers: shown(request.headers) })
      for (const credential of credentialsIn(request.headers)) credentials.add(credential)
      const ask = GlobalFetch.original(fetch)
      if (answer === undefined) return GlobalFetch.outside(() => ask(request))
      const original = request.clone()
      const ended = aborted(init?.signal ?? request.signal)
      pending.add(request)
      const answered = GlobalFetch.outside(() => answer(request, () => ask(original)))
      return Promise.race([answered, ended]).finally(() => pending.delete(request))
    }
    known.set(fetch, recording)
    known.set(recording, recording)
    return recording
  }

  const within = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) =>
      Effect.provideService(effect, FetchHttpClient.Fetch, over(fiber.getRef(FetchHttpClient.Fetch)))
    )

  return {
    requests,
    credentials,
    memoMap: aroundEach(within),
    through: ({ execute, find, services }) => {
      const handled = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.provideService(within(effect), GlobalFetch.InHandler, over(globalThis.fetch))
      return {
        services,
        execute: (input) => handled(Effect.suspend(() => execute(input))),
        find: find && ((input, earlier) => handled(Effect.suspend(() => find(input, earlier))))
      }
    }
  }
}

/** What headers hold of credentials: of "Bearer abc" it is the second word that is the secret. */
export const credentialsIn = (headers: Headers): ReadonlyArray<string> =>
  Array.from(headers).flatMap(([name, value]) => (isCredential(name) ? [value.slice(value.lastIndexOf(" ") + 1)] : []))

type Around = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Puts this around each layer that is built. Some take their fetch once and for all, such as those of UpstreamClient. */
const aroundEach = (within: Around): Layer.MemoMap => {
  const plain = Layer.makeMemoMapUnsafe()
  const memoize: Layer.MemoMap["getOrElseMemoize"] = plain.getOrElseMemoize
  const around: Layer.MemoMap = Object.create(plain, {
    getOrElseMemoize: {
      value: ((layer, scope, build) =>
        // What it builds goes on by the map that it is called on.
        Reflect.apply(memoize, around, [
          layer,
          scope,
          (memoMap: Layer.MemoMap, scope: Scope.Scope) => within(build(memoMap, scope))
        ])) satisfies Layer.MemoMap["getOrElseMemoize"]
    }
  })
  return around
}

const isCredential = (name: string) =>
  name !== "idempotency-key" && /auth|cookie|token|secret|key|signature/i.test(name)

/** A credential is shown as the beginning of its hash, which is enough to tell two apart. */
export const shown = (headers: Headers): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Array.from(headers, ([name, value]) => [name, isCredential(name) ? `sha256:${hashOf(value)}` : value])
  )

const hashOf = (value: string) => createHash("sha256").update(value).digest("hex").slice(0, 16)

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort, { once: true })
  })
