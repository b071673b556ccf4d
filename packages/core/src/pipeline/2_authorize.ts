/**
 * Step 2: the caller against the tool's policy, with the decoded arguments. What is not allowed is denied, and so is what
 * can't be checked.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { AuthorizationError, TransientError } from "../ConnectorError.ts"
import * as Policy from "../Policy.ts"
import type { PrincipalData } from "../Principal.ts"
import type * as Tool from "../Tool.ts"
import { withMissing } from "./4_execute.ts"
import type { Findings } from "./5_respond.ts"

/** Fails unless the policy allows the call, and notes what decided. Predicates ask the `services` of the connector. */
export const authorize = (
  tool: Tool.Any,
  principal: PrincipalData,
  input: object,
  services: Context.Context<never>,
  findings: Findings
): Effect.Effect<void, AuthorizationError | TransientError> =>
  Effect.flatMapEager(decide(tool.allow, principal, input, services), (decision) => {
    findings.explanation = Policy.explain(decision)
    return decision._tag === "Allowed" ? Effect.void : refuse(tool, decision, findings)
  })

/** Decides by one of a tool's policies. Its predicates may have to wait, and can be interrupted. */
export const decide = (
  policy: Policy.Any,
  principal: PrincipalData,
  input: object,
  services: Context.Context<never>
): Effect.Effect<Policy.Decision> => {
  // `Connector.Requirements` has brought what its predicates ask into the services.
  const given = Policy.decide(policy as Policy.Policy<object>, principal, input)
  return Exit.isExit(given)
    ? given
    : Effect.interruptible(
        Effect.updateContext(given, (context: Context.Context<never>) => withMissing(context, services))
      )
}

const refuse = (
  tool: Tool.Any,
  decision: Exclude<Policy.Decision, { readonly _tag: "Allowed" }>,
  { correlationId }: Findings
): Effect.Effect<never, AuthorizationError | TransientError> => {
  const needs = `${tool.name} needs ${Policy.describe(tool.allow)}`
  switch (decision._tag) {
    case "MissingScopes":
      return Effect.fail(new AuthorizationError({ message: `${needs}.`, scopes: decision.scopes }))
    case "Denied":
      return Effect.fail(new AuthorizationError({ message: `${needs}.`, roles: rolesLacking(decision) }))
    case "Unchecked": {
      const { cause, sentence } = decision
      const message = `${needs}, and it could not be checked that ${sentence}`
      return Effect.andThen(
        Effect.logError("A rule of a policy could not be checked", cause).pipe(
          Effect.annotateLogs({ correlationId, tool: tool.name, rule: sentence })
        ),
        Effect.fail(transient(cause, message) ?? new AuthorizationError({ message: `${message}.` }))
      )
    }
  }
}

const rolesLacking = ({ reasons }: Policy.Decision): ReadonlyArray<string> => [
  ...new Set(reasons.flatMap((reason) => (reason._tag === "Role" && !reason.holds ? reason.roles : [])))
]

/** What is down may be back for the same call. Its own words stay in the log. */
const transient = (cause: Cause.Cause<unknown>, message: string): TransientError | undefined => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (!(error instanceof TransientError) || Cause.hasDies(cause)) return undefined
  const { retryAfter } = error
  return new TransientError({ message, applied: "no", ...(retryAfter !== undefined && { retryAfter }) })
}
