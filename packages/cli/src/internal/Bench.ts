/**
 * Where probes are made: the connector, started in this process over real HTTP on loopback with the layers that its module
 * gives for tests, and a record of everything that it did.
 *
 * Each `start` builds the layers anew, so that no probe sees what another has left. What a probe wants otherwise (a store
 * that fails, a handler that dies, a clock that is ahead), it says in the options.
 */
import type * as AuditTrail from "@ferrule/core/AuditTrail"
import * as Connector from "@ferrule/core/Connector"
import type { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import type * as Policy from "@ferrule/core/Policy"
import type { PrincipalData } from "@ferrule/core/Principal"
import type * as Tool from "@ferrule/core/Tool"
import type { Client } from "@modelcontextprotocol/client"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Audit } from "../Audit.ts"
import * as Authority from "./bench/authority.ts"
import { callersOf, withEveryRole } from "./bench/callers.ts"
import type { Egress } from "./bench/egress.ts"
import type { Layers } from "./bench/layers.ts"
import { sample } from "./bench/sample.ts"
import { start } from "./bench/start.ts"
import type { BenchFault } from "./Check.ts"
import { Unusable } from "./Unusable.ts"

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

/** A request that a handler sent to an upstream by Effect's HttpClient over fetch, or by the global fetch. Credentials are hashes. */
export interface UpstreamRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface StartOptions {
  /**
   * Starts over the layers of this instance, which ends first: as another process does that has its records and upstreams.
   * What its server held in memory is gone; what the layers hold is not, and `upstream` stays what it was.
   */
  readonly over?: Instance
  /** Serves this in the place of a tool; its handler stays. */
  readonly tool?: (tool: Tool.Any) => Tool.Any
  /** Stands between the pipeline and each handler. */
  readonly program?: (tool: Tool.Any, program: Connector.Program) => Connector.Program
  /** Stands between the pipeline and the store. */
  readonly store?: (store: IdempotencyStore["Service"]) => IdempotencyStore["Service"]
  /** Answers the upstream's requests instead of the network; `next` asks it. */
  readonly upstream?: (request: Request, next: () => Promise<Response>) => Promise<Response>
  /** Stands between the pipeline and the trail: that of the module's layers, or the default, which logs. */
  readonly trail?: (trail: AuditTrail.Trail) => AuditTrail.Trail
}

export type { Client }

export type Arguments = Readonly<Record<string, unknown>>

export type Era = "2025-11-25" | "2026-07-28"
export const eras: ReadonlyArray<Era> = ["2025-11-25", "2026-07-28"]

/** A running connector. */
export interface Instance {
  /** The address of the endpoint. */
  readonly url: string
  /** What it runs on, for another instance. */
  readonly layers: Layers
  /** Ends the server. The layers stay until the scope closes. */
  readonly end: Effect.Effect<void>
  /** A real client, signed in as this caller, and again before its token expires. */
  readonly connect: (
    caller: Caller,
    era: Era,
    options?: ConnectOptions
  ) => Effect.Effect<Client, BenchFault, Scope.Scope>
  /** A token for this caller; `changed` replaces claims and header fields of it, and `by` who signs it. */
  readonly token: (caller: Caller, changed?: TokenChange) => Effect.Effect<string>
  /** Sends a request as it is, without a client. */
  readonly send: (request: RawRequest) => Effect.Effect<Answer, BenchFault>
  /** What the declared policy says of a call with these arguments, asking the services of this instance. */
  readonly decide: (tool: Tool.Any, principal: PrincipalData, args: Arguments) => Effect.Effect<Policy.Decision>
  /** Signs with another key from now on, and publishes no other. */
  readonly rotateKeys: Effect.Effect<void>
  /**
   * Says from now on that this token is not active, to whoever asks. False where nobody has asked about it, and so an identity
   * can't know.
   */
  readonly revoke: (token: string) => Effect.Effect<boolean>
  /**
   * What nobody may see: tokens that were signed for this instance, what its scrubber watches, and what handlers have sent
   * to upstreams as credentials.
   */
  readonly secrets: () => ReadonlyArray<Secret>
  /** The services that each handler was given. */
  readonly services: ReadonlyMap<string, Context.Context<never>>
  readonly executions: ReadonlyArray<Execution>
  readonly upstream: ReadonlyArray<UpstreamRequest>
  /** What has left this process by sockets since the layers began to be built, whichever instance sent it. */
  readonly egress: Egress
  /** What the audit trail was told, the records of writes that begin included. */
  readonly records: ReadonlyArray<AuditTrail.AuditRecord>
  /** Whatever was logged, printed, traced or recorded, as text, by the way that it took. */
  readonly output: ReadonlyArray<{ readonly way: string; readonly text: string }>
  /** Lets the connector's clock move ahead. Timers take as long as ever. */
  readonly advance: (duration: Duration.Input) => Effect.Effect<void>
}

/** `tokenOf` gives another token for each request, and `headers` are sent with each. */
export interface ConnectOptions {
  readonly tokenOf?: (() => string | Promise<string>) | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface TokenChange {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  /** `"public key"` is HS256 with the public key as the secret, which a verifier must not mistake for ES256. */
  readonly signature?: "none" | "another key" | "broken" | "public key"
}

/** `what` may be told; `value` may not. */
export interface Secret {
  readonly what: string
  readonly value: string
}

/** `path` is the endpoint's, and `method` is POST, unless given. A header may be there several times. */
export interface RawRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | Array<string>>>
  readonly body?: string | Uint8Array
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly millis: number
}

/** A file, and its export where it has several. */
export interface Module {
  readonly path: string
  readonly export: string | undefined
}

export interface BenchOptions {
  readonly module?: Module
  readonly patience?: Duration.Input
}

export interface Bench {
  readonly connector: Connector.Any
  readonly tools: ReadonlyArray<Tool.Any>
  /** One for each role that a policy names, then one without any. Each has every scope. */
  readonly callers: ReadonlyArray<Caller>
  /** Someone who may call the tool with its valid arguments: one of `callers`, or else whoever has every role, if they may. */
  readonly callerOf: (tool: Tool.Any) => Caller | undefined
  /** Arguments that are valid: the module's, or made up from the schema. */
  readonly argumentsOf: (tool: Tool.Any) => Readonly<Record<string, unknown>>
  /** Whether the module gave them. */
  readonly isExample: (tool: Tool.Any) => boolean
  /** Whether callers are recognised by the module's identity, or by the bench's own for want of one. */
  readonly identity: "module" | "bench"
  /** Whether it is served by the module's server, or by the bench's own for want of one. */
  readonly server: "module" | "bench"
  /** Where the audit was loaded from, to load it in another process. */
  readonly module: Module | undefined
  readonly start: (options?: StartOptions) => Effect.Effect<Instance, BenchFault, Scope.Scope>
  /** What the instances that have ended had of secrets, which no report may show. */
  readonly secrets: () => ReadonlySet<string>
}

/**
 * Makes the bench of a connector. It starts the connector once, so that what keeps it from starting is known before the
 * first probe. What takes longer than `patience` to be built or to end is given up on.
 */
export const make = (
  audit: Audit,
  { module, patience = "20 seconds" }: BenchOptions = {}
): Effect.Effect<Bench, Unusable, Scope.Scope> =>
  Effect.gen(function* () {
    const { connector } = audit
    const tools = Connector.toolsOf(connector)
    const callers = callersOf(audit)
    const authority = yield* Authority.make
    const given = new Map(tools.map((tool) => [tool.name, validOf(tool, audit.arguments[tool.name])]))
    const samples = new Map<string, Arguments>()
    for (const tool of tools) {
      const args = given.get(tool.name) ?? sample(tool)
      if (args === undefined) {
        return yield* new Unusable({
          message: `No arguments could be made up that ${tool.name} accepts. Give some to Audit.make: arguments: { ${tool.name}: { ... } }.`
        })
      }
      samples.set(tool.name, args)
    }
    const argumentsOf = (tool: Tool.Any) => samples.get(tool.name)!
    const candidates = [...callers, withEveryRole(callers)]
    const allowed = yield* Effect.scoped(
      Effect.flatMap(start(audit, authority, callers, patience, {}), ({ decide }) =>
        Effect.forEach(tools, (tool) =>
          Effect.map(
            Effect.findFirst(candidates, ({ principal }) =>
              Effect.map(decide(tool, principal, argumentsOf(tool)), ({ _tag }) => _tag === "Allowed")
            ),
            (caller) => [tool.name, Option.getOrUndefined(caller)] as const
          )
        )
      )
    )
    const callerOf = new Map(allowed)
    const secrets = new Set<string>()
    const keepSecrets = (instance: Instance) =>
      Effect.addFinalizer(() => Effect.sync(() => instance.secrets().forEach(({ value }) => secrets.add(value))))
    return {
      connector,
      tools,
      callers,
      callerOf: (tool: Tool.Any) => callerOf.get(tool.name),
      argumentsOf,
      isExample: (tool: Tool.Any) => given.get(tool.name) !== undefined,
      identity: audit.identity === undefined ? ("bench" as const) : ("module" as const),
      server: audit.server === undefined ? ("bench" as const) : ("module" as const),
      module,
      start: (options: StartOptions = {}) =>
        Effect.tap(start(audit, authority, callers, patience, options), keepSecrets),
      secrets: () => secrets
    }
  }).pipe(Effect.catchTag("BenchFault", ({ message }) => Effect.fail(new Unusable({ message }))))

/** What the tool would refuse is no example of a call; check A16 says so. */
const validOf = (tool: Tool.Any, args: unknown): Arguments | undefined =>
  args !== undefined && Result.isSuccess(tool.input.decode(args)) ? (args as Arguments) : undefined
