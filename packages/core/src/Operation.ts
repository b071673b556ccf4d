/**
 * The call that a handler is serving: which attempt it is, what the upstream may use to recognise a repeat, and how to
 * tell the client how far it is. A handler reads it with `yield* Operation`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { ConnectorError } from "./ConnectorError.ts"

/**
 * Provides the current call.
 *
 * @category services
 * @since 0.1.0
 */
export class Operation extends Context.Service<
  Operation,
  {
    /** The tool's name. */
    readonly tool: string
    /** Ties together the log, the audit record and the answer of this call. */
    readonly correlationId: string
    /** Counts from 1; more than 1 when the pipeline retries. */
    readonly attempt: number
    /**
     * Counts the holders of the write's record from 1; more than 1 after a takeover. An upstream that keeps the highest one
     * it has seen can refuse an earlier holder that wakes up late.
     */
    readonly epoch: number
    /**
     * A key to send to an upstream that recognises repeats: 43 characters of base64url. Every attempt at the same write
     * gets the same one, whichever process makes it; another `provider` gets an unrelated one, so no upstream can use what
     * it was sent against another. It stays the same past the tool's `retention`, so that an upstream with a longer memory
     * still recognises the repeat when the store has lost its records. For a read it is unique to the call.
     */
    readonly idempotencyKey: (provider: string) => Effect.Effect<string>
    /**
     * Does a part of a write once, with a result of its own that is kept: when the write is executed again after a crash or
     * a failure, a step that was done returns it instead of running. Give each step of a write a name of its own. A step
     * that was cut off goes by the tool's recovery, and where that is `"reconcile"` it stays unknown. It costs a claim and a
     * settle; a write with more than a few steps is better off in a workflow. A secret in its result becomes `<redacted>`, also
     * for the handler: it is no way to get a token.
     *
     * Within a step, `Operation` has an `idempotencyKey` of the step's own. A step must not be part of a transaction that
     * can still be undone, since it is kept from its end on.
     */
    readonly step: <A, I, E extends ConnectorError, R>(
      name: string,
      schema: Schema.Codec<A, I>,
      effect: Effect.Effect<A, E, R>
    ) => Effect.Effect<A, ConnectorError, R>
    /** Reports progress to a client that asked for it; `progress` must rise. Does nothing for the others. */
    readonly progress: (progress: number, total?: number, message?: string) => Effect.Effect<void>
  }
>()("@ferrule/core/Operation") {}
