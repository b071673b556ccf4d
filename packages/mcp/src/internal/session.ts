/**
 * A tool host for a connection that lasts: who is at the other end is asked again for each call, so that a token which has
 * expired or was revoked ends what it allowed. A call that is refused for that is on record as the owner's, whom the token
 * proved when the connection began.
 */
import { type AuditRecord, AuditTrail } from "@ferrule/core/AuditTrail"
import { AuthorizationError, TransientError } from "@ferrule/core/ConnectorError"
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Authenticated } from "../Identity.ts"
import type { IdentityUnavailable, Unauthenticated } from "../IdentityError.ts"
import type { ToolHost } from "../ToolHost.ts"
import { ofOutcome } from "./toolResult.ts"

type Fault = Unauthenticated | IdentityUnavailable

export const host = (
  whole: ToolHost,
  authenticate: Effect.Effect<Authenticated, Fault>,
  owner: PrincipalData
): ToolHost => ({
  ...whole,
  call: (request) =>
    Effect.matchEffect(authenticate, {
      onSuccess: ({ principal, token }) => whole.call({ ...request, principal, callerToken: token }),
      onFailure: (error) => {
        const refusal = refusalOf(error)
        const correlationId = randomUUID()
        return Effect.logWarning(`A call was refused: ${error.message}`).pipe(
          Effect.annotateLogs({ correlationId }),
          Effect.andThen(audit(whole, owner, request.name, { correlationId, outcome: refusal._tag, error })),
          Effect.as(
            ofOutcome(
              request.name,
              { _tag: "Refused", refusal, correlationId, reference: undefined, replay: undefined },
              undefined
            )
          )
        )
      }
    })
})

const refusalOf = (error: Fault) =>
  error._tag === "IdentityUnavailable"
    ? new TransientError({ message: error.message, retryAfter: error.retryAfter, applied: "no" })
    : new AuthorizationError({ message: expired })

const expired =
  "The token that this connector was started with has expired or is no longer accepted. The user has to start it with a new one."

const audit = (
  whole: ToolHost,
  owner: PrincipalData,
  name: string,
  { correlationId, error, outcome }: { readonly correlationId: string; readonly outcome: string; readonly error: Fault }
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const tool = whole.list(owner).find((tool) => tool.name === name)
    const record: AuditRecord = {
      time: yield* Clock.currentTimeMillis,
      connector: whole.name,
      correlationId,
      principal: owner.id,
      tenant: owner.tenant,
      tool: tool?.name,
      kind: tool && (tool.annotations?.readOnlyHint === true ? "read" : "write"),
      decision: "denied",
      explanation: error.message,
      outcome,
      reference: undefined,
      replayed: false,
      found: false,
      attempts: 0,
      duration: 0
    }
    const trail = yield* AuditTrail
    yield* Effect.catchCause(trail.record(record), (cause) =>
      Effect.logError("An audit record was not kept", cause, record)
    )
  })
