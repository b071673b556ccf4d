/**
 * Who may call a tool, as data: the same value decides a call, filters a listing, and is printed in an access matrix.
 *
 * A policy is built from `role`, `scope` and `predicate` with `all`, `any` and `not`. What no policy allows is denied.
 * Roles come from the identity provider and can't be asked for, so a tool that they exclude is hidden. Scopes can be
 * asked for by signing in again, so a missing scope is a refusal that names the scopes.
 */
import type { PrincipalData } from "./Principal.ts"

/**
 * A condition on the caller and, for a `Predicate`, on the decoded arguments of the call.
 *
 * @category models
 * @since 0.1.0
 */
export type Policy<Input = unknown> =
  | { readonly _tag: "Role"; readonly roles: ReadonlyArray<string> }
  | { readonly _tag: "Scope"; readonly scopes: ReadonlyArray<string> }
  | { readonly _tag: "All"; readonly policies: ReadonlyArray<Policy<Input>> }
  | { readonly _tag: "Any"; readonly policies: ReadonlyArray<Policy<Input>> }
  | { readonly _tag: "Not"; readonly policy: Policy<Input> }
  | {
      readonly _tag: "Predicate"
      readonly sentence: string
      readonly test: (principal: PrincipalData, input: Input) => boolean
    }

type NonEmpty<A> = readonly [A, ...Array<A>]

/**
 * Allows a principal that has one of the roles.
 *
 * @category constructors
 * @since 0.1.0
 */
export const role = (...roles: NonEmpty<string>): Policy => ({ _tag: "Role", roles })

/**
 * Allows a principal whose token carries every one of the OAuth scopes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scope = (...scopes: NonEmpty<string>): Policy => ({ _tag: "Scope", scopes })

/**
 * Allows what every policy allows.
 *
 * @category combinators
 * @since 0.1.0
 */
export const all = <Input>(...policies: NonEmpty<Policy<Input>>): Policy<Input> => ({ _tag: "All", policies })

/**
 * Allows what at least one policy allows.
 *
 * @category combinators
 * @since 0.1.0
 */
export const any = <Input>(...policies: NonEmpty<Policy<Input>>): Policy<Input> => ({ _tag: "Any", policies })

/**
 * Allows what the policy does not allow.
 *
 * @category combinators
 * @since 0.1.0
 */
export const not = <Input>(policy: Policy<Input>): Policy<Input> => ({ _tag: "Not", policy })

/**
 * Allows by a test of the principal and the decoded arguments. The sentence says the rule to people and to the model, as
 * in "the ticket's queue is one of the caller's". A test that throws, or gives anything but a boolean, ends the call as
 * `Internal` before anything has run.
 *
 * @category constructors
 * @since 0.1.0
 */
export const predicate = <Input = unknown>(
  sentence: string,
  test: (principal: PrincipalData, input: Input) => boolean
): Policy<Input> => ({ _tag: "Predicate", sentence, test })

/**
 * What a policy says of one call: allowed, lacking scopes that a new sign-in could bring, or denied. A denial names the
 * roles whose lack has a part in it.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Allowed" }
  | { readonly _tag: "MissingScopes"; readonly scopes: ReadonlyArray<string> }
  | { readonly _tag: "Denied"; readonly roles: ReadonlyArray<string> }

const allowed: Decision = { _tag: "Allowed" }
const denied: Decision = { _tag: "Denied", roles: [] }
const has = (held: ReadonlyArray<string>) => (name: string) => held.includes(name)

/**
 * Arguments that are not known yet: each predicate may then go either way.
 */
const undecided: unique symbol = Symbol("@ferrule/core/Policy/undecided")

const decideWith = (policy: Policy<never>, principal: PrincipalData, input: unknown): Decision => {
  switch (policy._tag) {
    case "Role":
      return policy.roles.some(has(principal.roles)) ? allowed : { _tag: "Denied", roles: policy.roles }
    case "Scope": {
      const scopes = policy.scopes.filter((name) => !principal.scopes.includes(name))
      return scopes.length === 0 ? allowed : { _tag: "MissingScopes", scopes }
    }
    case "All": {
      const scopes = new Set<string>()
      for (const part of policy.policies) {
        const decision = decideWith(part, principal, input)
        if (decision._tag === "Denied") return decision
        if (decision._tag === "MissingScopes") decision.scopes.forEach((name) => scopes.add(name))
      }
      return scopes.size === 0 ? allowed : { _tag: "MissingScopes", scopes: [...scopes] }
    }
    case "Any": {
      let fewest: ReadonlyArray<string> | undefined
      const roles = new Set<string>()
      for (const part of policy.policies) {
        const decision = decideWith(part, principal, input)
        if (decision._tag === "Allowed") return allowed
        if (decision._tag === "Denied") decision.roles.forEach((name) => roles.add(name))
        else if (fewest === undefined || decision.scopes.length < fewest.length) fewest = decision.scopes
      }
      return fewest === undefined ? { _tag: "Denied", roles: [...roles] } : { _tag: "MissingScopes", scopes: fewest }
    }
    case "Not":
      return mustAllow(policy.policy, principal, input) ? denied : allowed
    case "Predicate":
      return input === undecided || holds(policy, principal, input) ? allowed : denied
  }
}

type Predicate = Extract<Policy<never>, { readonly _tag: "Predicate" }>

/** A promise is true to JavaScript, and its negation false: neither may decide, whatever a cast has let through. */
const holds = ({ test, sentence }: Predicate, principal: PrincipalData, input: unknown): boolean => {
  // The tool's type has tied the input of its predicates to the schema that decoded it.
  const answer: unknown = test(principal, input as never)
  if (typeof answer === "boolean") return answer
  throw new TypeError(`The test of "${sentence}" gave no boolean`)
}

/** Whether the policy allows whatever the undecided predicates turn out to be. */
const mustAllow = (policy: Policy<never>, principal: PrincipalData, input: unknown): boolean => {
  switch (policy._tag) {
    case "All":
      return policy.policies.every((part) => mustAllow(part, principal, input))
    case "Any":
      return policy.policies.some((part) => mustAllow(part, principal, input))
    case "Not":
      return decideWith(policy.policy, principal, input)._tag !== "Allowed"
    case "Predicate":
      return input !== undecided && holds(policy, principal, input)
    default:
      return decideWith(policy, principal, input)._tag === "Allowed"
  }
}

/**
 * Decides one call.
 *
 * @category decisions
 * @since 0.1.0
 */
export const decide = <Input>(policy: Policy<Input>, principal: PrincipalData, input: Input): Decision =>
  decideWith(policy, principal, input)

/**
 * Tells whether some call of the tool could be allowed to this principal, now or with more scopes. What is not visible
 * is neither listed nor told apart from a tool that does not exist.
 *
 * @category decisions
 * @since 0.1.0
 */
export const isVisible = (policy: Policy<never>, principal: PrincipalData): boolean =>
  decideWith(policy, principal, undecided)._tag !== "Denied"

/**
 * Says the policy in words: `the role agent or admin`.
 *
 * @category descriptions
 * @since 0.1.0
 */
export const describe = (policy: Policy<never>): string => {
  switch (policy._tag) {
    case "Role":
      return `the role ${policy.roles.join(" or ")}`
    case "Scope":
      return `the scope ${policy.scopes.join(" and ")}`
    case "All":
      return policy.policies.map(nested).join(" and ")
    case "Any":
      return policy.policies.map(nested).join(" or ")
    case "Not":
      return `not ${nested(policy.policy)}`
    case "Predicate":
      return `that ${policy.sentence}`
  }
}

const nested = (policy: Policy<never>) =>
  (policy._tag === "All" || policy._tag === "Any") && policy.policies.length > 1
    ? `(${describe(policy)})`
    : describe(policy)

/**
 * Names every scope that the policy mentions.
 *
 * @category descriptions
 * @since 0.1.0
 */
export const scopesOf = (policy: Policy<never>): ReadonlyArray<string> => {
  switch (policy._tag) {
    case "Scope":
      return policy.scopes
    case "All":
    case "Any":
      return [...new Set(policy.policies.flatMap(scopesOf))]
    case "Not":
    case "Role":
    case "Predicate":
      return []
  }
}
