/**
 * A policy in the Common Expression Language (https://cel.dev), for a gateway that decides before it forwards a call.
 */
import type { Any } from "../Policy.ts"

/**
 * A policy in CEL: an expression over `principal.roles` and `principal.scopes`, two lists of strings, and the sentences of
 * the predicates that stand in it as `opaque("…")`.
 *
 * @category exports
 * @since 0.1.0
 */
export interface Cel {
  readonly expression: string
  readonly opaque: ReadonlyArray<string>
}

/**
 * Exports a policy as a CEL expression. For a policy without predicates it is true exactly where `decide` allows.
 *
 * **Details**
 *
 * The test of a predicate stays in the connector: in the expression it is a call of the function `opaque` with the
 * predicate's sentence. A gateway that does not declare that function refuses the expression; one that declares it decides
 * what it answers, and the connector checks each call all the same.
 *
 * @category exports
 * @since 0.1.0
 */
export const toCel = (policy: Any): Cel => {
  const opaque = new Set<string>()
  return { expression: expressionOf(policy, opaque), opaque: [...opaque] }
}

const expressionOf = (policy: Any, opaque: Set<string>): string => {
  switch (policy._tag) {
    case "Role":
      return joined(
        policy.roles.map((name) => `${literal(name)} in principal.roles`),
        " || "
      )
    case "Scope":
      return joined(
        policy.scopes.map((name) => `${literal(name)} in principal.scopes`),
        " && "
      )
    case "All":
      return joined(
        policy.policies.map((part) => expressionOf(part, opaque)),
        " && "
      )
    case "Any":
      return joined(
        policy.policies.map((part) => expressionOf(part, opaque)),
        " || "
      )
    case "Not":
      return `!(${expressionOf(policy.policy, opaque)})`
    case "Predicate":
      opaque.add(policy.sentence)
      return `opaque(${literal(policy.sentence)})`
  }
}

const joined = (parts: ReadonlyArray<string>, operator: string): string =>
  parts.length === 1 ? parts[0]! : parts.map((part) => `(${part})`).join(operator)

/** Every escape that JSON has means the same in CEL, but for half of a surrogate pair, which no name or sentence holds. */
const literal = (text: string): string => JSON.stringify(text)
