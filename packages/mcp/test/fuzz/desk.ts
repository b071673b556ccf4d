/**
 * The connector that the fuzzer calls: a read and a write of each recovery that the memory store has, and a policy of each
 * kind. Every tool takes the same fields, `note` says which case the call is of, and what a handler was called with is
 * kept until it is collected.
 */
import { AuditTrail, Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Credentials, Identity, IdentityUnavailable } from "@ferrule/mcp/Identity"
import { Duration, Effect, Layer, Option, Redacted, Schema } from "effect"

const text = (maximum: number, description: string) =>
  Schema.String.check(Schema.isBetweenLength(1, maximum)).annotate({ description })

const number = (maximum: number, description: string) =>
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum })).annotate({ description })

const Note = text(64, "Names the case.")
const input = Schema.Struct({
  name: text(40, "Names the thing."),
  note: Note,
  size: Schema.optionalKey(number(9, "1 to 9.")),
  color: Schema.optionalKey(Schema.Literals(["red", "green"]).annotate({ description: "The colour." })),
  tags: Schema.optionalKey(
    Schema.Array(text(10, "A tag.")).check(Schema.isMaxLength(3)).annotate({ description: "At most 3 tags." })
  ),
  place: Schema.optionalKey(Schema.Struct({ row: number(9, "1 to 9.") }).annotate({ description: "Where it is." }))
})
const output = Schema.Struct({ note: Note })

const common = { description: "Stands for a tool, under a fuzzer.", input, output, allow: Policy.role("maker") }
const identity = ["name"] as const
const free = ["note"] as const

const tools = [
  Tool.read("look", { ...common, title: "Look" }),
  Tool.read("scoped", {
    ...common,
    title: "Scoped",
    allow: Policy.all(Policy.role("maker"), Policy.scope("desk:read"))
  }),
  Tool.read("mine", {
    ...common,
    title: "Mine",
    allow: ({ predicate }) => predicate("the thing is the caller's", ({ id }, { name }) => id === name)
  }),
  Tool.read("hidden", { ...common, title: "Hidden", allow: Policy.role("admin") }),
  Tool.write("set", { ...common, title: "Set", idempotency: { identity, free, recovery: "repeatable" } }),
  Tool.write("send", { ...common, title: "Send", idempotency: { identity, free, recovery: "downstream-key" } }),
  Tool.write("open", { ...common, title: "Open", idempotency: { identity, free, recovery: "reconcile" } }),
  Tool.write("charge", {
    ...common,
    title: "Charge",
    idempotency: { identity, free, recovery: "unknown", checkWith: "look" }
  })
] as const

/** What a handler was called with. */
export interface Execution {
  readonly tool: string
  readonly principal: string
  readonly name: string
  readonly note: string
}

/** Counts of what the desk saw since it was last asked. */
export interface Seen {
  readonly executions: ReadonlyArray<Execution>
  /** How often each outcome was audited. */
  readonly outcomes: Readonly<Record<string, number>>
}

export const tokens = {
  ada: "ada-secret-token-0123456789",
  vic: "vic-secret-token-0123456789",
  eve: "eve-secret-token-0123456789",
  /** The identity can't tell whose this is. */
  outage: "outage-secret-token-0123456789"
}

export const principals = {
  ada: Principal.make({ id: "ada", roles: ["maker"], scopes: ["desk:read"] }),
  vic: Principal.make({ id: "vic", roles: ["maker"] }),
  eve: Principal.make({ id: "eve" })
}

const table = Identity.layerTokens(
  (["ada", "vic", "eve"] as const).map((name) => ({ token: Redacted.make(tokens[name]), principal: principals[name] }))
)

export const identityOverHttp = Layer.effect(
  Identity,
  Effect.map(Identity, ({ authenticate }) =>
    Identity.of({
      authenticate: (credentials) =>
        Credentials.$is("Bearer")(credentials) && Redacted.value(credentials.token) === tokens.outage
          ? Effect.fail(new IdentityUnavailable({ retryAfter: Duration.seconds(5) }))
          : authenticate(credentials)
    })
  )
).pipe(Layer.provide(table))

export const identityOnStdio = Identity.layerDeclared(principals.ada)

export interface Desk {
  readonly connector: typeof connector
  readonly services: Layer.Layer<Connector.Requirements<typeof connector>>
  readonly collect: () => Seen
}

const connector = Connector.make(`fuzz-desk-${process.pid}`, { version: "1.0.0", tools })

export const make = (): Desk => {
  let executions: Array<Execution> = []
  let outcomes: Record<string, number> = {}
  const handle = (tool: string) =>
    Effect.fnUntraced(function* ({ name, note }: typeof input.Type) {
      executions.push({ tool, principal: (yield* Principal).id, name, note })
      return { note }
    })
  const audit: AuditTrail.Trail["record"] = ({ outcome }) =>
    Effect.sync(() => {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    })
  const handlers = connector.toLayer({
    look: handle("look"),
    scoped: handle("scoped"),
    mine: handle("mine"),
    hidden: handle("hidden"),
    set: handle("set"),
    send: handle("send"),
    open: { find: () => Effect.succeed(Option.none()), execute: handle("open") },
    charge: handle("charge")
  })
  return {
    connector,
    services: Layer.mergeAll(handlers, IdempotencyStore.layerMemory, AuditTrail.layer(audit)),
    collect: () => {
      const seen = { executions, outcomes }
      executions = []
      outcomes = {}
      return seen
    }
  }
}
