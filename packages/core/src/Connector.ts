/**
 * A connector: a named set of tools, and the layer of their handlers.
 *
 * `make` declares it; `toLayer` on the result takes one handler for each tool and checks them by type: a missing or an
 * extra one, a wrong result, or an error outside the three classes does not compile. Serving a connector requires that
 * layer, an idempotency store when it has a write, and whatever services its policies ask.
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { type ConnectorError, DefinitionError } from "./ConnectorError.ts"
import type { IdempotencyStore } from "./IdempotencyStore.ts"
import type { Operation } from "./Operation.ts"
import type { Principal } from "./Principal.ts"
import * as OperationStatus from "./internal/operationStatus.ts"
import * as DeclaredLimits from "./internal/declaredLimits.ts"
import type * as Limits from "./Limits.ts"
import type { Policy } from "./Policy.ts"
import * as Scrubber from "./Scrubber.ts"
import type * as Tool from "./Tool.ts"

/**
 * What a search is told of the attempts before it: the first of them began at `begunAt`, by the store's clock. What was
 * written before is not theirs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Earlier {
  readonly begunAt: DateTime.Utc
}

/**
 * The program of one tool. A tool that reconciles also says how to `find` what an earlier attempt may have written; a
 * search that can't tell fails with a `TransientError`, and nothing is executed.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<T extends Tool.Any, R> =
  T extends Tool.Write<string, infer Input, infer Output, "reconcile", unknown>
    ? {
        readonly find: (
          input: Input["Type"],
          earlier: Earlier
        ) => Effect.Effect<Option.Option<Output["Type"]>, ConnectorError, R>
        readonly execute: (input: Input["Type"]) => Effect.Effect<Output["Type"], ConnectorError, R>
      }
    : T extends
          | Tool.Read<string, infer Input, infer Output, unknown>
          | Tool.Write<string, infer Input, infer Output, Tool.Recovery, unknown>
      ? (input: Input["Type"]) => Effect.Effect<Output["Type"], ConnectorError, R>
      : never

/**
 * One handler for each tool, under the tool's name.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlersOf<Tools extends Tool.Any, R> = {
  readonly [Name in Tools["name"]]: Handler<Extract<Tools, { readonly name: Name }>, R>
}

/**
 * Stands for the handlers of the connector of that name in the requirements of what serves it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handlers<Name extends string> {
  readonly _: unique symbol
  readonly connector: Name
}

/**
 * A handler without its types, closed over the services that its layer was given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Program {
  readonly find:
    | ((input: unknown, earlier: Earlier) => Effect.Effect<Option.Option<unknown>, ConnectorError>)
    | undefined
  readonly execute: (input: unknown) => Effect.Effect<unknown, ConnectorError>
  readonly services: Context.Context<never>
}

type Programs = ReadonlyMap<string, Program>

type ServicesOf<H> = {
  [Name in keyof H]: H[Name] extends (...args: never) => Effect.Effect<infer _A, infer _E, infer R>
    ? R
    : H[Name] extends {
          readonly find: (...args: never) => Effect.Effect<infer _A1, infer _E1, infer R1>
          readonly execute: (...args: never) => Effect.Effect<infer _A2, infer _E2, infer R2>
        }
      ? R1 | R2
      : never
}[keyof H]

type Exactly<H, Names extends string> = { readonly [Name in Exclude<keyof H, Names>]: never }

/**
 * @category models
 * @since 0.1.0
 */
export interface Connector<Name extends string, Tools extends Tool.Any> {
  readonly name: Name
  readonly version: string
  readonly title: string | undefined
  readonly instructions: string | undefined
  readonly tools: ReadonlyArray<Tools>
  /** For each tool that has no rate limit of its own. */
  readonly rateLimit: Limits.Declared["rateLimit"]
  /** The tool that says what has become of a write, where the connector offers it. It needs no handler. */
  readonly operationStatus: Tool.AnyRead | undefined
  /** The service that holds the handlers; `toLayer` provides it. */
  readonly handlers: Context.Key<Handlers<Name>, Programs>

  /** Types a table of handlers, for those that an Effect returns to `toLayer`. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly of: <H extends HandlersOf<Tools, any>>(handlers: H & Exactly<H, Tools["name"]>) => H

  /**
   * Gives each tool its handler. `Principal` and `Operation` are provided to them on each call; whatever else they
   * require, the layer does. An Effect that returns the handlers serves those that share something built once.
   */
  readonly toLayer: {
    // `any`: the services are inferred from the handlers themselves.
    // oxlint-disable-next-line typescript/no-explicit-any
    <H extends HandlersOf<Tools, any>, E, R>(
      handlers: Effect.Effect<H & Exactly<H, Tools["name"]>, E, R>
    ): Layer.Layer<Handlers<Name>, E, Exclude<R, Scope.Scope> | Exclude<ServicesOf<H>, Principal | Operation>>
    // Last, since that is the one whose fault the compiler names: the missing handler, or the error that is no class.
    // oxlint-disable-next-line typescript/no-explicit-any
    <H extends HandlersOf<Tools, any>>(
      handlers: H & Exactly<H, Tools["name"]>
    ): Layer.Layer<Handlers<Name>, never, Exclude<ServicesOf<H>, Principal | Operation>>
  }
}

/**
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type Any = Connector<any, any>

type PolicyServices<T> =
  T extends Tool.Read<string, infer _I1, infer _O1, infer R1>
    ? R1
    : T extends Tool.Write<string, infer _I2, infer _O2, Tool.Recovery, infer R2>
      ? R2
      : never

/**
 * What serving a connector requires: its handlers, a store when one of its tools writes, and the services that its policies
 * ask.
 *
 * @category models
 * @since 0.1.0
 */
export type Requirements<C extends Any> =
  C extends Connector<infer Name, infer Tools>
    ? | Handlers<Name>
      | (Extract<Tools, { readonly kind: "write" }> extends never ? never : IdempotencyStore)
      | PolicyServices<Tools>
    : never

/**
 * Declares a connector.
 *
 * Throws a `DefinitionError` that lists every fault: a bad name or version, two tools of one name, a `checkWith` that is
 * not one of its read tools.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Name extends string, const Tools extends ReadonlyArray<Tool.Any>>(
  name: Name,
  options: {
    readonly version: string
    readonly title?: string
    /** Tells the model how the tools work together. At most 2048 characters. */
    readonly instructions?: string
    readonly tools: Tools
    /** How often each principal may have each tool executed, where the tool does not say. */
    readonly rateLimit?: Limits.RateLimit
    /**
     * Adds a read tool, `<connector>_operation_status`, that says to whom this policy allows what has become of a write of
     * their own: running, done, unknown, or nothing.
     */
    readonly operationStatus?: Policy
  }
): Connector<Name, Tools[number]> => {
  const faults = faultsOf(name, options)
  const { rateLimit } = DeclaredLimits.declare(
    options.rateLimit === undefined ? {} : { rateLimit: options.rateLimit },
    faults
  )
  if (faults.length > 0) throw new DefinitionError({ subject: `Connector ${name}`, faults })
  const key = Context.Service<Handlers<Name>, Programs>(`@ferrule/core/Connector/${name}`)
  // `any`: the overloads of `Connector.toLayer` are the types; a table that is read by name has none of them.
  // oxlint-disable-next-line typescript/no-explicit-any
  const toLayer = (handlers: any): any =>
    Layer.effect(
      key,
      Effect.gen(function* () {
        const table: Record<string, Loose> = Effect.isEffect(handlers) ? yield* handlers : handlers
        // Guarded here, once, since a call that has no loggers of its own takes these.
        const services = yield* Scrubber.guarded(Effect.context<never>())
        return new Map(options.tools.map((tool) => [tool.name, program(table[tool.name], services)]))
      })
    )
  return Object.freeze({
    name,
    version: options.version,
    title: options.title,
    instructions: options.instructions,
    tools: Object.freeze([...options.tools]),
    rateLimit,
    operationStatus: options.operationStatus && OperationStatus.tool(name, options.operationStatus),
    handlers: key,
    of: identity,
    toLayer
  })
}

/**
 * Lists every tool that the connector serves: those declared, and its own.
 *
 * @category accessors
 * @since 0.1.0
 */
export const toolsOf = ({ operationStatus, tools }: Any): ReadonlyArray<Tool.Any> =>
  operationStatus === undefined ? tools : [...tools, operationStatus]

type Loose = Program["execute"] | Pick<Program, "find" | "execute">

const program = (handler: Loose, services: Context.Context<never>): Program =>
  typeof handler === "function"
    ? { find: undefined, execute: handler, services }
    : { find: handler.find, execute: handler.execute, services }

const faultsOf = (
  name: string,
  options: {
    readonly version: string
    readonly instructions?: string
    readonly tools: ReadonlyArray<Tool.Any>
    readonly operationStatus?: Policy
  }
) => {
  const faults: Array<string> = []
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name))
    faults.push("the name must be 1 to 64 of a-z, 0-9 and -, and begin with a letter")
  if (options.version.trim() === "") faults.push("the version is empty")
  if ((options.instructions ?? "").length > 2048) faults.push("the instructions must be at most 2048 characters")
  if (options.tools.length === 0) faults.push("it has no tools")
  const names = options.tools.map((tool) => tool.name)
  if (options.operationStatus !== undefined) {
    names.push(`${name.replaceAll("-", "_")}_operation_status`)
    if (name.length > 47) faults.push("the name must be at most 47 characters, so that operationStatus has a name too")
    if (!options.tools.some((tool) => tool.kind === "write"))
      faults.push("operationStatus is of no use without a write")
  }
  for (const twice of new Set(names.filter((each, index) => names.indexOf(each) !== index))) {
    faults.push(`two tools are named ${twice}`)
  }
  for (const tool of options.tools) {
    if (tool.kind === "read" || tool.idempotency.checkWith === undefined) continue
    const check = options.tools.find((each) => each.name === tool.idempotency.checkWith)
    if (check?.kind !== "read")
      faults.push(`${tool.name} is to be checked with ${tool.idempotency.checkWith}, which is no read tool of it`)
  }
  return faults
}
