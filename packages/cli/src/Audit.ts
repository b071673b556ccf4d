/**
 * What a connector's module tells the `ferrule` command beyond the connector itself: the layers that it is probed with,
 * who calls, arguments that are valid, how it is served, and which findings are accepted for what reason.
 *
 * Export the result of `make` from the module that is audited. Without it, a module that exports a connector can be
 * audited as it is declared, and not be probed.
 */
import type * as Connector from "@ferrule/core/Connector"
import type { PrincipalData } from "@ferrule/core/Principal"
import type * as Tool from "@ferrule/core/Tool"
import type { Identity } from "@ferrule/mcp/Identity"
import type * as Layer from "effect/Layer"
import type { Redacted } from "effect/Redacted"

const TypeId = "~@ferrule/cli/Audit"

/**
 * A finding that the team has looked at and lives with. It stays in every report, with the reason. `tool` is left out for
 * a finding of the whole connector.
 *
 * @category models
 * @since 0.1.0
 */
export interface Suppression {
  readonly check: string
  readonly tool?: string
  readonly reason: string
}

/**
 * The authorization server that the probes sign their tokens with: everything that `Identity.layerJwt` needs of one, and
 * `Identity.layerIntrospection`. With the latter, the probes also see whether a token that is revoked is refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface Authority {
  readonly issuer: string
  readonly jwks: string
  readonly audience: string
  readonly introspection: {
    readonly endpoint: string
    readonly clientId: string
    readonly clientSecret: Redacted<string>
  }
}

/**
 * Where a server that is probed listens: `http://<host>:<port><path>`, which is also the audience of the probes' tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Address {
  readonly host: string
  readonly port: number
  readonly path: `/${string}`
}

type InputOf<T> =
  T extends Tool.Read<string, infer Input, infer _O1, infer _R1>
    ? Input["Encoded"]
    : T extends Tool.Write<string, infer Input2, infer _O2, Tool.Recovery, infer _R2>
      ? Input2["Encoded"]
      : never

type ToolsOf<C extends Connector.Any> = C["tools"][number]

/**
 * @category models
 * @since 0.1.0
 */
export type Server<C extends Connector.Any> = (
  connector: C,
  address: Address
) => Layer.Layer<never, unknown, Connector.Requirements<C> | Identity>

/**
 * - `layers` are those that the connector is served with, for tests: what they reach is written to and broken on purpose.
 *   They are built anew for each probe, seeded so that the `arguments` succeed.
 * - `arguments` are what each tool succeeds with. The probes make them up from the schema where they are missing, which a
 *   tool that looks things up will refuse.
 * - `callers` are the people that the probes call as. There is one for each role that a policy names unless given, without
 *   claims.
 * - `identity` is how the connector recognises callers, over the tokens of the probes' own authorization server; it is
 *   `Identity.layerJwt` with its defaults unless given.
 * - `server` is how the connector is served over HTTP, at the address that it is told: `Mcp.layerHttpServer` unless given.
 *   With it, the probes of the endpoint judge what is deployed: its allowed names, to which the host that it is told is to
 *   be added, its middleware, its other routes. It serves the connector that it is handed, whose tools a probe may have
 *   changed.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<C extends Connector.Any, E> {
  readonly layers: Layer.Layer<Connector.Requirements<C>, E>
  readonly arguments?: { readonly [T in ToolsOf<C> as T["name"]]?: InputOf<T> }
  readonly callers?: ReadonlyArray<PrincipalData>
  readonly identity?: (authority: Authority) => Layer.Layer<Identity, unknown>
  readonly server?: Server<C>
  readonly suppressions?: ReadonlyArray<Suppression>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Audit<C extends Connector.Any = Connector.Any> {
  readonly [TypeId]: typeof TypeId
  readonly connector: C
  readonly layers: Layer.Layer<Connector.Requirements<C>, unknown>
  readonly arguments: Readonly<Record<string, unknown>>
  readonly callers: ReadonlyArray<PrincipalData>
  readonly identity: ((authority: Authority) => Layer.Layer<Identity, unknown>) | undefined
  readonly server: Server<C> | undefined
  readonly suppressions: ReadonlyArray<Suppression>
}

/**
 * Says how a connector is audited.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const C extends Connector.Any, E>(connector: C, options: Options<C, E>): Audit<C> => ({
  [TypeId]: TypeId,
  connector,
  layers: options.layers,
  arguments: options.arguments ?? {},
  callers: options.callers ?? [],
  identity: options.identity,
  server: options.server,
  suppressions: options.suppressions ?? []
})

/**
 * @category guards
 * @since 0.1.0
 */
export const isAudit = (value: unknown): value is Audit =>
  typeof value === "object" && value !== null && TypeId in value
