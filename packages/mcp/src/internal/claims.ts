/**
 * Reads a principal from claims by a declared mapping. Each claim is decoded by a schema, and one of the wrong shape refuses
 * the token: it gives neither less nor more than was meant.
 */
import { PrincipalData } from "@ferrule/core/Principal"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ClaimMapping, ClaimPath } from "../ClaimMapping.ts"

/** What is asked of the claims beside their shapes. */
export interface ClaimRules {
  readonly mapping: ClaimMapping
  /** The one tenant that is let in; without it, every tenant is, each with principals of its own. */
  readonly tenant?: string | undefined
  readonly requiredClaims?: ReadonlyArray<string> | undefined
}

export type Claims = Readonly<Record<string, unknown>>

/** Gives the principal, or which claim refuses the token. The name is the mapping's; no value is repeated. */
export const reader = ({ mapping, tenant, requiredClaims = [] }: ClaimRules) => {
  const id = claimAt(mapping.id, Schema.String)
  const tenantOf = mapping.tenant === undefined ? undefined : claimAt(mapping.tenant, Schema.String)
  const roles = mapping.roles.map((path) => claimAt(path, Schema.Array(Schema.String)))
  const scopes = mapping.scopes.map(scopesAt)
  const kept = (mapping.claims ?? []).map((name) => [name, claimAt(name, Schema.Json)] as const)
  const { claims: others = [], tenant: tenantPath = mapping.id } = mapping
  const top = [mapping.id, tenantPath, ...mapping.roles, ...mapping.scopes, ...others].map((path) => pathOf(path)[0])

  return (claims: Claims): Result.Result<PrincipalData, string> =>
    Result.gen(function* () {
      const absent = requiredClaims.find((name) => !Object.hasOwn(claims, name))
      if (absent !== undefined) return yield* Result.fail(`${absent} is absent`)
      const elsewhere = top.find((name) => isElsewhere(claims, name))
      if (elsewhere !== undefined) return yield* Result.fail(`${elsewhere} is left out of the token for its size`)
      const found = tenantOf && (yield* tenantOf(claims))
      if (tenant !== undefined && found !== tenant) return yield* Result.fail("the tenant is another")
      const copied: Record<string, Schema.Json> = {}
      for (const [name, read] of kept) {
        const value = yield* read(claims)
        if (value !== undefined) copied[name] = value
      }
      const principal = {
        id: yield* id(claims),
        ...(found !== undefined && { tenant: found }),
        roles: yield* together(roles, claims),
        scopes: yield* together(scopes, claims),
        claims: copied
      }
      return yield* Result.mapError(decodePrincipal(principal), () => "a name is absent, empty, too long or no Unicode")
    })
}

const decodePrincipal = Schema.decodeUnknownResult(PrincipalData)

/** RFC 6749, section 3.3, has one string with spaces; Okta and others have an array. */
const Scopes = Schema.Union([
  Schema.String.check(Schema.isPattern(/^[\x20\x21\x23-\x5B\x5D-\x7E]*$/)),
  Schema.Array(Schema.String.check(Schema.isPattern(/^[\x21\x23-\x5B\x5D-\x7E]+$/)))
])

const scopesAt = (path: ClaimPath): Read<ReadonlyArray<string>> => {
  const read = claimAt(path, Scopes)
  return (claims) =>
    Result.map(read(claims), (found) =>
      typeof found === "string" ? found.split(" ").filter((name) => name !== "") : found
    )
}

type Read<A> = (claims: Claims) => Result.Result<A | undefined, string>

const claimAt = <A, I>(path: ClaimPath, leaf: Schema.Codec<A, I>): Read<A> => {
  const names = pathOf(path)
  const decode = Schema.decodeUnknownResult(leaf)
  const fault = `${names.join(" > ")} has the wrong shape`
  return (claims) => {
    let value: unknown = claims
    for (const name of names) {
      if (!isRecord(value)) return Result.fail(fault)
      if (!Object.hasOwn(value, name)) return Result.succeed(undefined)
      value = value[name]
    }
    return Result.mapError(decode(value), () => fault)
  }
}

const isRecord = (value: unknown): value is Claims =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const pathOf = (path: ClaimPath): readonly [string, ...Array<string>] => (typeof path === "string" ? [path] : path)

const together = (reads: ReadonlyArray<Read<ReadonlyArray<string>>>, claims: Claims) =>
  Result.map(Result.all(reads.map((read) => read(claims))), (lists) => [
    ...new Set(lists.flatMap((list) => list ?? []))
  ])

/**
 * A token may say that a claim is to be fetched from elsewhere (OpenID Connect Core, section 5.6.2; Entra ID does so with
 * more than 200 groups). Without it, the caller would seem to be in no group at all.
 */
const isElsewhere = (claims: Claims, name: string): boolean => {
  const names = claims["_claim_names"]
  if (isRecord(names) && Object.hasOwn(names, name)) return true
  return name === "groups" && claims["hasgroups"] !== undefined && !Object.hasOwn(claims, "groups")
}
