/**
 * What every identity of an OAuth resource server is told, whatever the form of its tokens: whom it trusts, what tokens must
 * be for, how claims become a principal, and what clients are told to sign in with.
 */
import * as Duration from "effect/Duration"
import * as ClaimMapping from "../ClaimMapping.ts"
import type { ClaimRules } from "./claims.ts"
import { durationFault, emptyFault, urlFault } from "./identityFaults.ts"

export interface ResourceServerOptions {
  /** The authorization server, exactly as its tokens name it in `iss` and clients look it up. */
  readonly issuer: string
  /** What a token must be issued for, exactly as it says in `aud` (RFC 8707). */
  readonly audience: string
  /** The endpoint's URL as clients call it; the audience unless given. */
  readonly resource?: string | undefined
  /** Which claims make the principal; `ClaimMapping.standard` unless given. */
  readonly mapping?: ClaimMapping.ClaimMapping | undefined
  /** The one tenant that is let in; every one unless given. */
  readonly tenant?: string | undefined
  /** Claims that a token must have beside those that are always asked for. */
  readonly requiredClaims?: ReadonlyArray<string> | undefined
  /** How far this clock and the issuer's may be apart; 30 seconds unless given, at most 5 minutes. */
  readonly clockSkew?: Duration.Input | undefined
  /** The scopes that a first sign-in asks for; all that the connector's policies name unless given. */
  readonly signInScopes?: ReadonlyArray<string> | undefined
  /** What stands before a scope where it is asked for but not in a token, as Entra ID has it: `api://my-desk/`. */
  readonly scopePrefix?: string | undefined
}

/** How clients find out where to sign in, and for what (RFC 9728). */
export interface ProtectedResource {
  /** The endpoint's URL, exactly as clients call it. */
  readonly resource: string
  readonly authorizationServers: readonly [string, ...Array<string>]
  readonly signInScopes?: ReadonlyArray<string> | undefined
  readonly scopePrefix?: string | undefined
}

export const faultsOf = (options: ResourceServerOptions): ReadonlyArray<string> => [
  ...urlFault("issuer", options.issuer),
  ...emptyFault("audience", options.audience),
  ...(options.resource === undefined
    ? urlFault("audience", options.audience).map((fault) => `${fault}, or resource must give the endpoint's URL`)
    : urlFault("resource", options.resource)),
  ...(options.tenant !== undefined && mappingOf(options).tenant === undefined
    ? ["tenant is given, and the mapping does not say which claim the tenant is in"]
    : []),
  ...durationFault("clockSkew", skewOf(options), [0, "5 minutes"])
]

export const mappingOf = ({ mapping }: ResourceServerOptions) => mapping ?? ClaimMapping.standard

export const rulesOf = (options: ResourceServerOptions): ClaimRules => ({
  mapping: mappingOf(options),
  tenant: options.tenant,
  requiredClaims: options.requiredClaims
})

export const skewOf = ({ clockSkew = "30 seconds" }: ResourceServerOptions): Duration.Duration =>
  Duration.fromInputUnsafe(clockSkew)

export const protectedResourceOf = (options: ResourceServerOptions): ProtectedResource => ({
  resource: options.resource ?? options.audience,
  authorizationServers: [options.issuer],
  signInScopes: options.signInScopes,
  scopePrefix: options.scopePrefix
})
