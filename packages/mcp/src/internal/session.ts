/**
 * A tool host for a connection that lasts: who is at the other end is asked again for each call, so that a token which has
 * expired or was revoked ends what it allowed.
 */
import { AuthorizationError, TransientError } from "@ferrule/core/ConnectorError"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Authenticated } from "../Identity.ts"
import type { IdentityUnavailable, Unauthenticated } from "../IdentityError.ts"
import type { ToolHost } from "../ToolHost.ts"
import { ofOutcome } from "./toolResult.ts"

export const host = (
  whole: ToolHost,
  authenticate: Effect.Effect<Authenticated, Unauthenticated | IdentityUnavailable>
): ToolHost => ({
  ...whole,
  call: (request) =>
    Effect.matchEffect(authenticate, {
      onSuccess: ({ principal, token }) => whole.call({ ...request, principal, callerToken: token }),
      onFailure: (error) =>
        Effect.as(Effect.logWarning(`A call was refused: ${error.message}`), refused(request.name, error))
    })
})

const refused = (tool: string, error: Unauthenticated | IdentityUnavailable) =>
  ofOutcome(
    tool,
    {
      _tag: "Refused",
      refusal:
        error._tag === "IdentityUnavailable"
          ? new TransientError({ message: error.message, retryAfter: error.retryAfter, applied: "no" })
          : new AuthorizationError({ message: expired }),
      correlationId: randomUUID(),
      reference: undefined,
      replay: undefined
    },
    undefined
  )

const expired =
  "The token that this connector was started with has expired or is no longer accepted. The user has to start it with a new one."
