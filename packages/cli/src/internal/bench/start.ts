/**
 * Starts a connector in this process, over HTTP on loopback, from layers that are built anew, or over those of an instance
 * that ends.
 */
import type { AuditRecord, Trail } from "@ferrule/core/AuditTrail"
import { AuditTrail } from "@ferrule/core/AuditTrail"
import type * as Connector from "@ferrule/core/Connector"
import * as Policy from "@ferrule/core/Policy"
import type { PrincipalData } from "@ferrule/core/Principal"
import type * as Tool from "@ferrule/core/Tool"
import * as ClaimMapping from "@ferrule/mcp/ClaimMapping"
import { Credentials, Identity, IdentityUnavailable } from "@ferrule/mcp/Identity"
import { ListenError } from "@ferrule/mcp/ListenError"
import * as Mcp from "@ferrule/mcp/Mcp"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { createServer } from "node:net"
import type { Address, Audit } from "../../Audit.ts"
import { version } from "../../version.ts"
import type { Arguments, Caller, ConnectOptions, Era, Execution, Instance, StartOptions } from "../Bench.ts"
import { BenchFault } from "../Check.ts"
import { greeting } from "../wire.ts"
import * as Authority from "./authority.ts"
import * as Egress from "./egress.ts"
import { building, scopeThatEnds } from "./building.ts"
import * as GlobalFetch from "./globalFetch.ts"
import { send } from "./rawRequest.ts"
import * as Layers from "./layers.ts"
import type { Recorder } from "./recorder.ts"
import { shared } from "./store.ts"
import * as Upstream from "./upstream.ts"

export const start = Effect.fnUntraced(function* (
  audit: Audit,
  authority: Authority.Authority,
  callers: ReadonlyArray<Caller>,
  patience: Duration.Input,
  options: StartOptions
): Effect.fn.Return<Instance, BenchFault, Scope.Scope> {
  const { over } = options
  if (over !== undefined) yield* over.end
  const layers = over?.layers ?? (yield* Layers.make(audit, patience, options.upstream))
  const { context: built, programs, recognition, recorder, upstream } = layers
  const { egress } = recognition
  const scope = yield* scopeThatEnds(patience)
  const build = building(scope, patience)
  const executions: Array<Execution> = []
  const records: Array<AuditRecord> = []
  const { connector } = audit
  const name = connector.name

  const watched = new Map(
    connector.tools.map((tool: Tool.Any) => {
      const program = upstream.through(programs.get(tool.name)!)
      return [tool.name, counting(tool, options.program?.(tool, program) ?? program, executions)] as const
    })
  )
  const trail = trailOf(Context.getOption(built, AuditTrail), (record) => {
    records.push(record)
    recorder.add("audit record", JSON.stringify(record))
  })
  const services = Context.mergeAll(
    built,
    Context.make(connector.handlers, watched),
    shared(built, options.store),
    Context.make(AuditTrail, options.trail?.(trail) ?? trail),
    recorder.context
  )

  const identityOf = audit.identity ?? standard(callers)
  const served: Connector.Any =
    options.tool === undefined ? connector : { ...connector, tools: connector.tools.map(options.tool) }
  const { identity, url } = yield* Effect.gen(function* () {
    const address: Address = { host: "127.0.0.1", port: yield* freePort, path: "/mcp" }
    const url = `http://${address.host}:${address.port}${address.path}`
    yield* Scope.provide(Egress.isOurs(address.port), scope)
    const identity = yield* build(
      Layer.suspend(() => {
        const { introspection, issuer, jwks } = authority
        return identityOf({ issuer, jwks, introspection, audience: url })
      }),
      `The identity of ${name}`
    ).pipe(
      Effect.provideContext(Context.add(recorder.context, Clock.Clock, recorder.alarm)),
      // It asks for keys within a few seconds, and a machine that is busy with probes may not answer in that time.
      Effect.retry({ times: 2 })
    )
    const { authenticate, ...rest } = Context.get(identity, Identity)
    const recognising = Identity.of({
      ...rest,
      // An authorization server may be asked about the caller's token, which is no upstream.
      authenticate: (credentials) => recognition.within(authenticate(credentials))
    })
    const server = Layer.suspend(() => (audit.server ?? Mcp.layerHttpServer)(served, address)).pipe(
      Layer.provide(Layer.succeedContext(Context.add(identity, Identity, recognising))),
      // `any`: what the connector requires is what its audit's layers give, as the type of `Audit.make` says.
      // oxlint-disable-next-line typescript/no-explicit-any
      Layer.provide(Layer.succeedContext(services as Context.Context<any>))
    )
    yield* build(server, `The server of ${name}`)
    if (audit.server !== undefined) yield* isServedAt(url, name)
    return { identity, url }
    // Another program may take the port between the look and the listening.
  }).pipe(Effect.retry({ while: ({ cause }) => cause instanceof ListenError, times: 5 }))

  const token: Instance["token"] = (caller, changed) =>
    Effect.suspend(() => authority.sign(caller.principal, url, recorder.clock.currentTimeMillisUnsafe(), changed)).pipe(
      Effect.tap((value) => Effect.sync(() => tokens.add(value)))
    )
  const tokens = new Set<string>()
  const run = Effect.runPromiseWith(Context.empty())
  return {
    url,
    layers,
    end: Scope.close(scope, Exit.void),
    executions,
    records,
    upstream: upstream.requests,
    egress,
    output: recorder.output,
    services: new Map(Array.from(programs, ([name, program]) => [name, program.services])),
    secrets: () => [
      ...Array.from(tokens, (value) => ({ what: "a caller's token", value })),
      ...Array.from(recorder.watched, (value) => ({ what: "a credential that the connector watches", value })),
      ...Array.from(
        new Set([
          ...upstream.credentials,
          ...egress.since(0).requests.flatMap(({ headers }) => Upstream.credentialsIn(headers))
        ]),
        (value) => ({ what: "a credential that was sent upstream", value })
      )
    ],
    token,
    rotateKeys: authority.rotate,
    revoke: (token) =>
      Effect.sync(() => {
        authority.revoke(token)
        return authority.isAsked(token)
      }),
    // `never`: the rules of a policy ask services that the audit's layers gave, as the type of `Audit.make` says.
    decide: (tool, principal, args) => decide(tool, principal, args).pipe(Effect.provideContext(services as never)),
    send: (request) => send(url, request),
    connect: (caller, era, { headers, tokenOf = freshTokens(recorder, () => run(token(caller))) } = {}) =>
      connect(url, era, { tokenOf, headers }),
    advance: (duration) =>
      Effect.andThen(
        Effect.sync(() => recorder.advance(duration)),
        isBack(Context.get(identity, Identity), token(callers[0]!)).pipe(Effect.provideContext(recorder.context))
      )
  }
})

/** A server of the module's own may listen elsewhere, or go by other names alone. */
const isServedAt = (url: string, name: string): Effect.Effect<void, BenchFault> =>
  send(url, greeting("2026-07-28")).pipe(
    Effect.mapError(
      () =>
        new BenchFault({
          message: `The server of ${name} does not listen at ${url}. Let it listen at the address that it is told.`
        })
    ),
    Effect.filterOrFail(
      ({ status }) => status !== 403,
      () =>
        new BenchFault({
          message: `The server of ${name} refuses the name that the audit calls it by, ${new URL(url).hostname}. Let its allowed hosts include the host that it is told.`
        })
    )
  )

const decide = (tool: Tool.Any, principal: PrincipalData, args: Arguments): Effect.Effect<Policy.Decision> =>
  Effect.suspend(() => {
    const input = tool.input.decode(args)
    if (Result.isFailure(input)) return Effect.succeed<Policy.Decision>({ _tag: "Denied", reasons: [] })
    return Policy.decide(tool.allow as Policy.Policy, principal, input.success)
  })

/** Counts what the pipeline has executed, whatever a probe has put in between. */
const counting = (tool: Tool.Any, program: Connector.Program, executions: Array<Execution>): Connector.Program => ({
  ...program,
  execute: (input) =>
    Effect.suspend(() => {
      executions.push({ tool: tool.name, input })
      return program.execute(input)
    })
})

/** The module's trail goes on being one, so that what it does when it fails can be seen. */
const trailOf = (given: Option.Option<Trail>, keep: (record: AuditRecord) => void): Trail => {
  const { begin, record } = Option.getOrElse(given, (): Trail => ({ record: () => Effect.void }))
  return {
    record: (each) =>
      Effect.andThen(
        Effect.sync(() => keep(each)),
        record(each)
      ),
    ...(begin && {
      begin: (each) =>
        Effect.andThen(
          Effect.sync(() => keep(each)),
          begin(each)
        )
    })
  }
}

/** Tokens as RFC 9068 has them, with a tenant, and each claim that one of the callers has. */
const standard = (callers: ReadonlyArray<Caller>): NonNullable<Audit["identity"]> => {
  const claims = [...new Set(callers.flatMap(({ principal }) => Object.keys(principal.claims)))]
  const mapping = { ...ClaimMapping.standard, tenant: "tenant", claims }
  return (authority) => Layer.provide(Identity.layerJwt({ ...authority, mapping }), FetchHttpClient.layer)
}

/** Waits for an identity whose keys are too old by now, and which fetches them again. */
const isBack = (identity: Identity["Service"], token: Effect.Effect<string>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const credentials = Credentials.Bearer({ token: Redacted.make(yield* token) })
    const answer = yield* Effect.exit(identity.authenticate(credentials))
    const isAway = Exit.isFailure(answer) && answer.cause.reasons.some(isUnavailable)
    if (isAway) yield* Effect.sleep("20 millis")
    return isAway
  }).pipe(Effect.repeat({ while: (isAway) => isAway, times: 100 }), Effect.asVoid)

const isUnavailable = (reason: Cause.Reason<unknown>) =>
  reason._tag === "Fail" && reason.error instanceof IdentityUnavailable

/**
 * The address is the audience of tokens and part of the metadata, so it must be known before the server listens. The port is
 * none of those that the system gives to outgoing connections, which are many while probes run.
 */
const freePort = Effect.retry(
  Effect.tap(Random.nextIntBetween(20_000, 32_000), (port) => canListen(port)),
  { times: 20 }
)

const canListen = (port: number): Effect.Effect<void, BenchFault> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", ({ message }) =>
      resume(Effect.fail(new BenchFault({ message: `No port of this machine can be listened on: ${message}.` })))
    )
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.void)))
  })

/** Signs in again when half of a token's time is over, as a client does that wants to stay signed in. */
const freshTokens = (recorder: Recorder, next: () => Promise<string>) => {
  let current: { readonly token: Promise<string>; readonly until: number } | undefined
  return () => {
    const now = recorder.clock.currentTimeMillisUnsafe()
    if (current === undefined || current.until <= now) {
      current = { token: next(), until: now + (Authority.lifetime * 1000) / 2 }
    }
    return current.token
  }
}

const connect = (
  url: string,
  era: Era,
  { headers: more = {}, tokenOf }: ConnectOptions & { readonly tokenOf: () => string | Promise<string> }
): Effect.Effect<Client, BenchFault, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const mode = era === "2026-07-28" ? { pin: era } : ("legacy" as const)
        const client = new Client({ name: "ferrule-audit", version }, { versionNegotiation: { mode } })
        const transport = new StreamableHTTPClientTransport(new URL(url), {
          fetch: async (input, init) => {
            const headers = new Headers(init?.headers)
            headers.set("authorization", `Bearer ${await tokenOf()}`)
            for (const [name, value] of Object.entries(more)) headers.set(name, value)
            return GlobalFetch.own(input, { ...init, headers })
          }
        })
        await client.connect(transport, { timeout: 10_000 })
        return client
      },
      catch: (cause) =>
        new BenchFault({
          message: `A client of revision ${era} could not connect: ${cause instanceof Error ? cause.message : String(cause)}.`
        })
    }),
    (client) => Effect.promise(() => client.close().catch(() => undefined))
  )
