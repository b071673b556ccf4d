/**
 * What a transport serves: a list of tools for a principal, and a way to call one. It is the seam between the protocol
 * and the pipeline, so a transport knows nothing of policies, and the pipeline nothing of JSON-RPC.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import type { CallToolResult, Tool } from "@modelcontextprotocol/server"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"

/**
 * One call as a transport hands it over. `meta` is the request's `_meta`; `idempotencyKey` is the HTTP header of that
 * name; `progress` is absent when the client did not ask for progress. `callerToken` is what proved the principal, where it
 * may be exchanged.
 *
 * @category models
 * @since 0.1.0
 */
export interface ToolRequest {
  readonly name: string
  readonly arguments: unknown
  readonly principal: PrincipalData
  readonly callerToken?: Redacted.Redacted<string> | undefined
  readonly meta: Readonly<Record<string, unknown>> | undefined
  readonly idempotencyKey: string | undefined
  readonly progress: ((progress: number, total?: number, message?: string) => void) | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ToolHost {
  readonly name: string
  readonly version: string
  readonly title: string | undefined
  readonly instructions: string | undefined
  /** Every OAuth scope that a tool's policy names. */
  readonly scopes: ReadonlyArray<string>
  /** Lists what the principal may call, in declaration order. The same set gives the same array. */
  readonly list: (principal: PrincipalData) => Array<Tool>
  /**
   * Names every OAuth scope of the call when the principal lacks one of them, those that it has included. Names none when
   * the arguments are invalid, so that validation answers first.
   */
  readonly missingScopes: (name: string, args: unknown, principal: PrincipalData) => ReadonlyArray<string>
  /** Runs the call. Never fails and never dies; `undefined` says that this principal has no such tool. */
  readonly call: (request: ToolRequest) => Effect.Effect<CallToolResult | undefined>
}
