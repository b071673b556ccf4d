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
): Effect.Effect<void, AuthorizationError> => {
  const decision = Policy.decide(tool.allow, principal, input)
  if (decision._tag === "Allowed") return Effect.void
  const message = `${tool.name} needs ${Policy.describe(tool.allow)}.`
  return Effect.fail(
    decision._tag === "MissingScopes"
      ? new AuthorizationError({ message, scopes: decision.scopes })
      : new AuthorizationError({ message, roles: decision.roles })
  )
}
