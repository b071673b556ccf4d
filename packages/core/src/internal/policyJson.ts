/**
 * A policy as JSON, for whatever reads policies without running them.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Any, Policy } from "../Policy.ts"
import { PrincipalData } from "../Principal.ts"

/**
 * A policy as JSON: `{"any": [{"role": ["admin"]}, {"all": [{"role": ["agent"]}, {"opaque": "the queue is the caller's"}]}]}`.
 * One of the roles is enough, and every one of the scopes is needed. `opaque` holds the sentence of a predicate, whose test
 * stays in the connector.
 *
 * @category schemas
 * @since 0.1.0
 */
export type PolicyJson =
  | { readonly role: readonly [string, ...Array<string>] }
  | { readonly scope: readonly [string, ...Array<string>] }
  | { readonly all: readonly [PolicyJson, ...Array<PolicyJson>] }
  | { readonly any: readonly [PolicyJson, ...Array<PolicyJson>] }
  | { readonly not: PolicyJson }
  | { readonly opaque: string }

const Name = PrincipalData.fields.id
const wellFormed = Schema.makeFilter((text: string) => text.isWellFormed(), { expected: "well-formed Unicode" })
const Part = Schema.suspend((): Schema.Codec<PolicyJson> => PolicyJson)

/**
 * @category schemas
 * @since 0.1.0
 */
export const PolicyJson: Schema.Codec<PolicyJson> = Schema.Union([
  Schema.Struct({ role: Schema.NonEmptyArray(Name) }),
  Schema.Struct({ scope: Schema.NonEmptyArray(Name) }),
  Schema.Struct({ all: Schema.NonEmptyArray(Part) }),
  Schema.Struct({ any: Schema.NonEmptyArray(Part) }),
  Schema.Struct({ not: Part }),
  Schema.Struct({ opaque: Schema.NonEmptyString.check(wellFormed) })
])

/**
 * Exports a policy as data. A predicate becomes its sentence, marked opaque.
 *
 * @category exports
 * @since 0.1.0
 */
export const toJson = (policy: Any): PolicyJson => {
  switch (policy._tag) {
    case "Role":
      return { role: atLeastOne(policy.roles) }
    case "Scope":
      return { scope: atLeastOne(policy.scopes) }
    case "All":
      return { all: atLeastOne(policy.policies.map(toJson)) }
    case "Any":
      return { any: atLeastOne(policy.policies.map(toJson)) }
    case "Not":
      return { not: toJson(policy.policy) }
    case "Predicate":
      return { opaque: policy.sentence }
  }
}

/** The constructors refuse an empty list. */
const atLeastOne = <A>(list: ReadonlyArray<A>) => list as readonly [A, ...Array<A>]

const decode = Schema.decodeUnknownEffect(PolicyJson, { onExcessProperty: "error" })

/**
 * Reads a policy that `toJson` wrote. Its opaque parts can't be checked without the connector, so it allows only what the
 * rest of it allows whatever they would say.
 *
 * @category exports
 * @since 0.1.0
 */
export const fromJson = (json: unknown): Effect.Effect<Policy, Schema.SchemaError> => Effect.map(decode(json), policyOf)

const policyOf = (json: PolicyJson): Policy => {
  if ("role" in json) return { _tag: "Role", roles: json.role }
  if ("scope" in json) return { _tag: "Scope", scopes: json.scope }
  if ("all" in json) return { _tag: "All", policies: json.all.map(policyOf) }
  if ("any" in json) return { _tag: "Any", policies: json.any.map(policyOf) }
  if ("not" in json) return { _tag: "Not", policy: policyOf(json.not) }
  const test = () => Effect.die(new Error("Only the connector that exported this policy has its test"))
  return { _tag: "Predicate", sentence: json.opaque, test, timeout: Duration.seconds(5) }
}
