/**
 * The way out to a server that gets a secret: by `fetch`, to the declared address and to no other.
 *
 * A redirect is never followed, since what it leads to would get the request too. A secret header is added below the
 * request that spans, errors and responses hold, so none of them has it. Nor has a span what a query holds, since that is
 * what a caller asks for.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

/** A header's name and its secret value. */
export type SecretHeader = readonly [name: string, value: Redacted.Redacted<string>]

export type Send = (
  request: HttpClientRequest,
  secret: SecretHeader | undefined
) => Effect.Effect<HttpClientResponse, HttpClientError>

/**
 * The transport over the `Fetch` and the `RequestInit` of the layer. Those of a later caller have no part in it: they would
 * get to see the secret.
 */
export const make: Effect.Effect<Send> = Effect.gen(function* () {
  const fetch = yield* FetchHttpClient.Fetch
  const init = Option.getOrElse(yield* Effect.serviceOption(FetchHttpClient.RequestInit), () => ({}))
  const client = yield* Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer)
  return (request, secret) =>
    client.execute(request).pipe(
      Effect.provideService(FetchHttpClient.RequestInit, init),
      Effect.provideService(UrlParams.CurrentRedactedNames, everyName),
      Effect.provideService(FetchHttpClient.Fetch, (url, init) => {
        const headers = new Headers(init?.headers)
        if (secret !== undefined) headers.set(secret[0], Redacted.value(secret[1]))
        return fetch(url, { ...init, headers, redirect: "manual" })
      })
    )
})

const everyName = [/^/]

/** What is wrong with an address that a secret is to be sent to. */
export const addressFault = (address: string): string | undefined => {
  if (!URL.canParse(address)) return "it is no URL"
  const { protocol, hostname, username, password, search, hash } = new URL(address)
  if (username !== "" || password !== "") return "it holds a user name or a password, which ends up in logs"
  if (search !== "" || hash !== "") return "it has a query or a fragment"
  if (protocol === "https:" || (protocol === "http:" && isLoopback(hostname))) return undefined
  return "it must begin with https:, except on this machine, or everyone on the way can read the secret"
}

/** The names that never leave the machine (RFC 6761, section 6.3; RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3). */
const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname)
