/**
 * Step 2: the caller against the tool's policy, with the decoded arguments. What is not allowed is denied.
 */
import * as Effect from "effect/Effect"
import { AuthorizationError } from "../ConnectorError.ts"
import * as Policy from "../Policy.ts"
import type { PrincipalData } from "../Principal.ts"
import type * as Tool from "../Tool.ts"

export const authorize = (
  tool: Tool.Any,
  principal: PrincipalData,
  input: object
): Effect.Effect<void, AuthorizationError> => decide(tool.name, tool.allow, principal, input)

/** The caller against the policy of a result that is another principal's, which is one of the tool's declarations too. */
export const authorizeReplay = (
  tool: Tool.AnyWrite,
  principal: PrincipalData,
  input: object
): Effect.Effect<void, AuthorizationError> =>
  tool.idempotency.replayTo === undefined
    ? Effect.void
    : decide(`The result of an equal ${tool.name}, done by another call,`, tool.idempotency.replayTo, principal, input)

const decide = (
  subject: string,
  policy: Policy.Policy,
  principal: PrincipalData,
  input: object
): Effect.Effect<void, AuthorizationError> => {
  const decision = Policy.decide(policy, principal, input)
  if (decision._tag === "Allowed") return Effect.void
  const message = `${subject} needs ${Policy.describe(policy)}.`
  return Effect.fail(
    decision._tag === "MissingScopes"
      ? new AuthorizationError({ message, scopes: decision.scopes })
      : new AuthorizationError({ message, roles: decision.roles })
  )
}
