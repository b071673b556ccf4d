/**
 * Where probes are made: the connector, started in this process over real HTTP on loopback with the layers that its module
 * gives for tests, and a record of everything that it did.
 *
 * Each `start` builds the layers anew, so that no probe sees what another has left. What a probe wants otherwise (a store
 * that fails, a handler that dies, a clock that is ahead), it says in the options.
 */
import type * as AuditTrail from "@ferrule/core/AuditTrail"
import type * as Connector from "@ferrule/core/Connector"
import type { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import type { PrincipalData } from "@ferrule/core/Principal"
import type * as Tool from "@ferrule/core/Tool"
import type { Client } from "@modelcontextprotocol/client"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Exchange } from "../Report.ts"
import type { BenchFault } from "./Check.ts"

/** Someone who calls. `name` is what a report says: the role, or "no role". */
export interface Caller {
  readonly name: string
  readonly principal: PrincipalData
}

/** A handler that ran. */
export interface Execution {
  readonly tool: string
  readonly input: unknown
}

/** A request that a handler sent to an upstream by Effect's HttpClient over fetch. */
export interface UpstreamRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface StartOptions {
  /** Stands between the pipeline and each handler. */
  readonly program?: (tool: Tool.Any, program: Connector.Program) => Connector.Program
  /** Stands between the pipeline and the store. */
  readonly store?: (store: IdempotencyStore["Service"]) => IdempotencyStore["Service"]
  /** Answers the upstream's requests instead of the network; `next` asks it. */
  readonly upstream?: (request: Request, next: () => Promise<Response>) => Promise<Response>
  /** Takes the audit records; the instance keeps them in any case. */
  readonly audit?: (record: AuditTrail.AuditRecord) => Effect.Effect<void, unknown>
  /** How many bytes a body may have, and what else `Mcp.layerHttpServer` takes. */
  readonly http?: { readonly maxBodySize?: number; readonly allowedHosts?: ReadonlyArray<string> }
}

export type Era = "2025-11-25" | "2026-07-28"
export const eras: ReadonlyArray<Era> = ["2025-11-25", "2026-07-28"]

/** A running connector. */
export interface Instance {
  /** The address of the endpoint. */
  readonly url: string
  /** A real client, signed in as this caller. */
  readonly connect: (caller: Caller, era: Era) => Effect.Effect<Client, BenchFault, Scope.Scope>
  /** A token for this caller; `changed` replaces claims and header fields of it, and `by` who signs it. */
  readonly token: (caller: Caller, changed?: TokenChange) => Effect.Effect<string>
  /** Sends a request as it is, without a client. */
  readonly send: (request: RequestInit & { readonly path?: string }) => Effect.Effect<Answer, BenchFault>
  readonly executions: ReadonlyArray<Execution>
  readonly upstream: ReadonlyArray<UpstreamRequest>
  readonly records: ReadonlyArray<AuditTrail.AuditRecord>
  /** Whatever was logged, printed, traced or recorded, as text, by the way that it took. */
  readonly output: ReadonlyArray<{ readonly way: string; readonly text: string }>
  /** Lets the connector's clock move ahead. */
  readonly advance: (duration: Duration.Input) => Effect.Effect<void>
}

export interface TokenChange {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly signature?: "none" | "another key" | "broken"
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Bench {
  readonly connector: Connector.Any
  readonly tools: ReadonlyArray<Tool.Any>
  /** One for each role that a policy names, then one without any. Each has every scope. */
  readonly callers: ReadonlyArray<Caller>
  /** Someone who may call the tool with its valid arguments, or undefined where nobody of `callers` may. */
  readonly callerOf: (tool: Tool.Any) => Caller | undefined
  /** Arguments that are valid: the module's, or made up from the schema. */
  readonly argumentsOf: (tool: Tool.Any) => Readonly<Record<string, unknown>>
  /** Whether the module gave them. */
  readonly isExample: (tool: Tool.Any) => boolean
  readonly start: (options?: StartOptions) => Effect.Effect<Instance, BenchFault, Scope.Scope>
}

/** Says what was sent and answered, for a transcript; long texts are cut. */
export type Say = (exchange: Exchange) => void
