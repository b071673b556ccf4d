/**
 * Who may call a tool, as data: the same value decides a call, filters a listing, and is printed in an access matrix.
 *
 * A policy is built from `role`, `scope` and `predicate` with `all`, `any` and `not`. What no policy allows is denied.
 * Roles come from the identity provider and can't be asked for, so a tool that they exclude is hidden. Scopes can be
 * asked for by signing in again, so a missing scope is a refusal that names the scopes.
 *
 * `decide` never fails. A predicate that can't be checked leaves its answer open, and what is open allows nothing: the call
 * is allowed only where the rest of the policy allows it whatever that predicate would have said.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type ConnectorError, DefinitionError } from "./ConnectorError.ts"
import * as Verdict from "./internal/verdict.ts"
import { PrincipalData } from "./Principal.ts"

export { fromJson, PolicyJson, toJson } from "./internal/policyJson.ts"
export { type Cel, toCel } from "./internal/policyCel.ts"

/**
 * A condition on the caller and, for a `Predicate`, on the decoded arguments of the call. `R` is what its predicates need.
 *
 * @category models
 * @since 0.1.0
 */
export type Policy<Input = unknown, R = never> =
  | Role
  | Scope
  | AllOf<Input, R>
  | AnyOf<Input, R>
  | Not<Input, R>
  | Predicate<Input, R>

/**
 * Some policy, over whatever arguments.
 *
 * @category models
 * @since 0.1.0
 */
export type Any = Policy<never, unknown>

/**
 * @category models
 * @since 0.1.0
 */
export interface Role {
  readonly _tag: "Role"
  readonly roles: ReadonlyArray<string>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Scope {
  readonly _tag: "Scope"
  readonly scopes: ReadonlyArray<string>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface AllOf<in Input, out R> {
  readonly _tag: "All"
  readonly policies: ReadonlyArray<Policy<Input, R>>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface AnyOf<in Input, out R> {
  readonly _tag: "Any"
  readonly policies: ReadonlyArray<Policy<Input, R>>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Not<in Input, out R> {
  readonly _tag: "Not"
  readonly policy: Policy<Input, R>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Predicate<in Input, out R> {
  readonly _tag: "Predicate"
  readonly sentence: string
  readonly test: Test<Input, R>
  readonly timeout: Duration.Duration
}

/**
 * A rule over the principal and the decoded arguments: a boolean, or an Effect of one where it has to ask a service. The
 * Effect fails as a handler does, so that a service that is down is a `TransientError`, as `Upstream` makes it.
 *
 * @category models
 * @since 0.1.0
 */
export type Test<Input, R> = (
  principal: PrincipalData,
  input: Input
) => boolean | Effect.Effect<boolean, ConnectorError, R>

/**
 * What a tool's `allow` hands to a function: `predicate` over the tool's own arguments, whose types need not be written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Predicates<Input> {
  readonly predicate: <R = never>(
    sentence: string,
    test: Test<Input, R>,
    options?: { readonly timeout?: Duration.Input }
  ) => Predicate<Input, R>
}

type NonEmpty<A> = readonly [A, ...Array<A>]

type ServicesOf<P> = P extends
  | AllOf<never, infer R>
  | AnyOf<never, infer R>
  | Not<never, infer R>
  | Predicate<never, infer R>
  ? R
  : never

/** What suits every one of the policies: the intersection of their inputs. */
type InputOf<P> = (
  P extends AllOf<infer I, unknown> | AnyOf<infer I, unknown> | Not<infer I, unknown> | Predicate<infer I, unknown>
    ? (input: I) => void
    : never
) extends (input: infer Input) => void
  ? Input
  : unknown

/**
 * Allows a principal that has one of the roles.
 *
 * Throws a `DefinitionError` for a name that no principal can have, as every constructor does for what can mean nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const role = (...roles: NonEmpty<string>): Role => ({ _tag: "Role", roles: names("role", roles) })

/**
 * Allows a principal whose token carries every one of the OAuth scopes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scope = (...scopes: NonEmpty<string>): Scope => ({ _tag: "Scope", scopes: names("scope", scopes) })

/**
 * Allows by a test of the principal and the decoded arguments. The sentence says the rule to people and to the model, as
 * in "the ticket's queue is one of the caller's".
 *
 * **Details**
 *
 * A test that returns an Effect is run only when its answer could allow the call, for at most `timeout` (5 seconds), with
 * the services that the connector is served with; `Connector.Requirements` names them. Listing a tool never runs a test.
 *
 * **Errors**
 *
 * A test that throws, dies, fails, takes too long or gives anything but a boolean can't be checked, and the tool is not
 * executed. After a `TransientError` or a timeout the caller gets a `TransientError`, since the same call may well be
 * allowed when the service is back, and a model that is told to stop would give up on it. After anything else it gets an
 * `AuthorizationError` that says which rule could not be checked. The cause goes to the log.
 *
 * @category constructors
 * @since 0.1.0
 */
export const predicate = <Input = unknown, R = never>(
  sentence: string,
  test: Test<Input, R>,
  options: { readonly timeout?: Duration.Input } = {}
): Predicate<Input, R> => {
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "5 seconds")
  const faults: Array<string> = []
  if (sentence.trim() === "" || !sentence.isWellFormed())
    faults.push("the sentence must say the rule, as well-formed text")
  if (!Duration.isFinite(timeout) || !Duration.isPositive(timeout))
    faults.push("the timeout must be finite and positive")
  if (faults.length > 0) throw new DefinitionError({ subject: "A predicate", faults })
  return { _tag: "Predicate", sentence, test, timeout }
}

/**
 * Allows what every policy allows.
 *
 * @category combinators
 * @since 0.1.0
 */
export const all = <const Policies extends NonEmpty<Any>>(
  ...policies: Policies
): AllOf<InputOf<Policies[number]>, ServicesOf<Policies[number]>> => ({
  _tag: "All",
  policies: some("all", policies).map(typed)
})

/**
 * Allows what at least one policy allows.
 *
 * @category combinators
 * @since 0.1.0
 */
export const any = <const Policies extends NonEmpty<Any>>(
  ...policies: Policies
): AnyOf<InputOf<Policies[number]>, ServicesOf<Policies[number]>> => ({
  _tag: "Any",
  policies: some("any", policies).map(typed)
})

/**
 * Allows what the policy does not allow.
 *
 * @category combinators
 * @since 0.1.0
 */
export const not = <const P extends Any>(policy: P): Not<InputOf<P>, ServicesOf<P>> => ({
  _tag: "Not",
  policy: typed(policy)
})

/** A list built at run time may be empty whatever its type says, and "all of nothing" would allow everybody. */
const some = (name: string, policies: ReadonlyArray<Any>) => {
  if (policies.length === 0) throw new DefinitionError({ subject: `Policy.${name}`, faults: ["it has no policies"] })
  return policies
}

/** The signatures above say what the parts take and need; no type can say that of one part among others. */
const typed = (policy: Any) => policy as Policy

const isName = Schema.is(PrincipalData.fields.id)

const names = (kind: string, given: ReadonlyArray<string>) => {
  const faults = given
    .filter((name) => !isName(name))
    .map(() => `a ${kind} must be 1 to 256 characters of well-formed text`)
  if (given.length === 0) faults.push(`it names no ${kind}`)
  if (faults.length > 0) throw new DefinitionError({ subject: `Policy.${kind}`, faults })
  return given
}

/**
 * One fact that a decision rests on: a role or scope that the caller has or lacks, or a predicate that holds or not.
 * `holds` is `"unknown"` for a predicate that could not be checked.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason =
  | { readonly _tag: "Role"; readonly roles: ReadonlyArray<string>; readonly holds: boolean }
  | { readonly _tag: "Scope"; readonly scopes: ReadonlyArray<string>; readonly holds: boolean }
  | { readonly _tag: "Predicate"; readonly sentence: string; readonly holds: boolean | "unknown" }

/**
 * What a policy says of one call: allowed, lacking scopes that a new sign-in could bring, denied, or resting on a rule that
 * could not be checked. The reasons are the facts that led there: whatever else were different, it would be the same.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision = { readonly reasons: ReadonlyArray<Reason> } & (
  | { readonly _tag: "Allowed" }
  | { readonly _tag: "MissingScopes"; readonly scopes: ReadonlyArray<string> }
  | { readonly _tag: "Denied" }
  | { readonly _tag: "Unchecked"; readonly sentence: string; readonly cause: Cause.Cause<unknown> }
)

/**
 * Decides one call. A policy without predicates, or whose tests are plain booleans, is decided at once.
 *
 * @category decisions
 * @since 0.1.0
 */
export const decide = <Input = unknown, R = never>(
  policy: Policy<Input, R>,
  principal: PrincipalData,
  input: Input
): Effect.Effect<Decision, never, R> => Verdict.decide(policy, principal, input)

/**
 * Says in words what a decision rests on: `has the role agent; it is not so that the queue is one of the caller's own`. It
 * never holds an argument.
 *
 * @category descriptions
 * @since 0.1.0
 */
export const explain = ({ reasons }: { readonly reasons: ReadonlyArray<Reason> }): string =>
  reasons.length === 1 ? wordsOf(reasons[0]!) : [...new Set(reasons.map(wordsOf))].join("; ")

const wordsOf = (reason: Reason): string => {
  switch (reason._tag) {
    case "Role":
      return `${reason.holds ? "has" : "lacks"} ${roleWords(reason.roles)}`
    case "Scope":
      return `${reason.holds ? "has" : "lacks"} ${scopeWords(reason.scopes)}`
    case "Predicate":
      if (reason.holds === true) return reason.sentence
      return `${reason.holds === false ? "it is not so that" : "it could not be checked that"} ${reason.sentence}`
  }
}

/**
 * Tells whether some call of the tool could be allowed to this principal, now or with more scopes. What is not visible
 * is neither listed nor told apart from a tool that does not exist.
 *
 * @category decisions
 * @since 0.1.0
 */
export const isVisible = (policy: Any, principal: PrincipalData): boolean =>
  Verdict.beforehand(policy, principal)._tag !== "Denied"

/**
 * Names the scopes whose lack alone keeps this call from being allowed, as far as that is known without asking a service.
 *
 * @category decisions
 * @since 0.1.0
 */
export const missingScopes = <Input = unknown, R = never>(
  policy: Policy<Input, R>,
  principal: PrincipalData,
  input: Input
): ReadonlyArray<string> => {
  const verdict = Verdict.atOnce(policy, principal, input)
  return verdict._tag === "MissingScopes" ? verdict.scopes : []
}

/**
 * Says the policy in words: `the role agent or admin`.
 *
 * @category descriptions
 * @since 0.1.0
 */
export const describe = (policy: Any): string => {
  switch (policy._tag) {
    case "Role":
      return roleWords(policy.roles)
    case "Scope":
      return scopeWords(policy.scopes)
    case "All":
      return joined(policy.policies, " and ")
    case "Any":
      return joined(policy.policies, " or ")
    case "Not":
      return `not ${nested(policy.policy)}`
    case "Predicate":
      return `that ${policy.sentence}`
  }
}

const joined = (policies: ReadonlyArray<Any>, word: string) =>
  policies.length === 1 ? describe(policies[0]!) : policies.map(nested).join(word)

/** Whatever has an "and" or "or" of its own would read otherwise beside another. */
const nested = (policy: Any) => {
  const words = describe(policy)
  return / (and|or) /.test(words) ? `(${words})` : words
}

const roleWords = (roles: ReadonlyArray<string>) => `the role ${listed(roles, " or ")}`
const scopeWords = (scopes: ReadonlyArray<string>) => `the scope ${listed(scopes, " and ")}`

const listed = (names: ReadonlyArray<string>, word: string) =>
  names.length === 1 ? quoted(names[0]!) : names.map(quoted).join(word)

/** A name with spaces in it could pass for two. */
const quoted = (name: string) => (/^[^\s"();]+$/.test(name) ? name : JSON.stringify(name))

/**
 * Names every role that the policy mentions.
 *
 * @category descriptions
 * @since 0.1.0
 */
export const rolesOf = (policy: Any): ReadonlyArray<string> =>
  distinct(policy, (leaf) => (leaf._tag === "Role" ? leaf.roles : []))

/**
 * Names every scope that the policy mentions.
 *
 * @category descriptions
 * @since 0.1.0
 */
export const scopesOf = (policy: Any): ReadonlyArray<string> =>
  distinct(policy, (leaf) => (leaf._tag === "Scope" ? leaf.scopes : []))

const distinct = (policy: Any, of: (leaf: Any) => ReadonlyArray<string>): ReadonlyArray<string> => {
  if (policy._tag === "Not") return distinct(policy.policy, of)
  if (policy._tag !== "All" && policy._tag !== "Any") return of(policy)
  return [...new Set(policy.policies.flatMap((part) => distinct(part, of)))]
}
