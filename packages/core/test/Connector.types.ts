/**
 * What must not compile. Each line below an expected error is one that the types refuse; when they stop refusing it, the
 * type check fails here.
 */
import {
  AuthorizationError,
  Connector,
  type ConnectorError,
  type IdempotencyStore,
  Policy,
  Tool,
  TransientError
} from "@ferrule/core"
import { Context, Data, Effect, Option, Schema } from "effect"

const Text = Schema.String.check(Schema.isMaxLength(100)).annotate({ description: "A text." })
const input = Schema.Struct({ queue: Text, subject: Text })
const output = Schema.Struct({ id: Text })
const common = {
  title: "Title",
  description: "Does a thing to be described at length.",
  input,
  output,
  allow: Policy.role("agent")
} as const

// A write without an idempotency declaration.
// @ts-expect-error
Tool.write("a", common)

// An identity that names a field which the input lacks.
// @ts-expect-error
Tool.write("a", { ...common, idempotency: { identity: ["colour"], recovery: "repeatable" } })

// A free field that the input lacks.
// @ts-expect-error
Tool.write("a", { ...common, idempotency: { identity: ["queue"], free: ["colour"], recovery: "repeatable" } })

// A write that can't find out, and does not say which tool can.
// @ts-expect-error
Tool.write("a", { ...common, idempotency: { identity: ["queue"], recovery: "unknown" } })

// A rule of who shares a write over arguments that the tool does not take.
const wrong = Policy.predicate("it is red", (_, { colour }: { readonly colour: string }) => colour === "red")
// @ts-expect-error
Tool.write("a", { ...common, idempotency: { identity: ["queue"], recovery: "repeatable", sharedWith: wrong } })

const right = Policy.predicate("it is billing's", (_, { queue }: { readonly queue: string }) => queue === "billing")
Tool.write("a", { ...common, idempotency: { identity: ["queue"], recovery: "repeatable", sharedWith: right } })

// A tool without `allow`.
// @ts-expect-error
Tool.read("a", { title: "Title", description: "Does a thing.", input, output })

// A predicate over a field that the input lacks.
Tool.read("a", {
  ...common,
  // @ts-expect-error
  allow: Policy.predicate("the colour is red", (_, args: { readonly colour: string }) => args.colour === "red")
})

// A function under `allow` is handed `predicate` over this tool's arguments, whose types it need not write.
Tool.read("a", {
  ...common,
  allow: ({ predicate }) =>
    Policy.any(
      Policy.role("admin"),
      Policy.all(
        Policy.role("agent"),
        predicate("the queue is the caller's", ({ claims }, { queue }) => claims["queue"] === queue)
      )
    )
})

// It knows which arguments there are.
Tool.read("a", {
  ...common,
  // @ts-expect-error
  allow: ({ predicate }) => predicate("the colour is red", (_, { colour }) => colour === "red")
})

// Policies over different arguments combine to one over both.
const aboutQueue = Policy.predicate("the queue is ours", (_, args: { readonly queue: string }) => args.queue === "a")
const aboutColour = Policy.predicate("it is red", (_, args: { readonly colour: string }) => args.colour === "red")
Tool.read("a", { ...common, allow: Policy.all(Policy.role("agent"), aboutQueue) })
// @ts-expect-error
Tool.read("a", { ...common, allow: Policy.any(aboutQueue, Policy.not(aboutColour)) })

// A test that fails with something else than the three classes.
// @ts-expect-error
// @effect-diagnostics-next-line missingEffectError:off
Policy.predicate("it is so", () => Effect.fail("down"))

// What the tests ask, the connector requires, through every combinator, and nothing else.
class Directory extends Context.Service<Directory, { readonly knows: (id: string) => boolean }>()("test/Directory") {}
class Calendar extends Context.Service<Calendar, { readonly open: boolean }>()("test/Calendar") {}
const known = Policy.predicate("the directory knows the caller", ({ id }) =>
  Effect.map(Directory, ({ knows }) => knows(id))
)
const Asking = Connector.make("asking", {
  version: "1",
  tools: [
    Tool.read("a", {
      ...common,
      allow: ({ predicate }) =>
        Policy.any(
          Policy.role("admin"),
          Policy.all(known, Policy.not(predicate("it is closed", () => Effect.map(Calendar, ({ open }) => !open))))
        )
    })
  ]
})
export declare const same: <A>() => <B>(check: [A] extends [B] ? ([B] extends [A] ? "the same" : "more") : "less") => B
same<Connector.Requirements<typeof Asking>>()<Connector.Handlers<"asking"> | Directory | Calendar>("the same")
same<Connector.Requirements<typeof Desk>>()<Connector.Handlers<"desk"> | IdempotencyStore>("the same")

// Tools that are declared where the connector is require what those of their own do.
const inline = Connector.make("inline", { version: "1", tools: [Tool.read("look", { ...common, input })] })
same<Connector.Requirements<typeof inline>>()<Connector.Handlers<"inline">>("the same")
// `any` would be the same as anything.
export const typed: 0 extends 1 & Connector.Requirements<typeof inline> ? never : "typed" = "typed"

// An input that needs services to be decoded is no contract.
class Decoder extends Data.TaggedClass("Decoder") {}
declare const needsServices: Schema.Codec<{ readonly a: string }, { readonly a: string }, Decoder, never>
Tool.read("a", {
  ...common,
  // @ts-expect-error
  input: needsServices
})

const Find = Tool.read("find", common)
const Create = Tool.write("create", {
  ...common,
  idempotency: { identity: ["queue", "subject"], recovery: "reconcile" }
})
const Close = Tool.write("close", { ...common, idempotency: { identity: ["queue"], recovery: "repeatable" } })
const Desk = Connector.make("desk", { version: "1", tools: [Find, Create, Close] })

const done = () => Effect.succeed({ id: "1" })
const find = () => Effect.succeed(Option.none())

export const complete = Desk.toLayer({ find: done, create: { find, execute: done }, close: done })

// A missing handler.
// @ts-expect-error
Desk.toLayer({ find: done, create: { find, execute: done } })

// An extra handler.
// @ts-expect-error
Desk.toLayer({ find: done, create: { find, execute: done }, close: done, destroy: done })

// `reconcile` without `find`.
// @ts-expect-error
Desk.toLayer({ find: done, create: done, close: done })

// A handler that fails with something else than the three classes.
class Other extends Data.TaggedError("Other") {}
// @ts-expect-error
// @effect-diagnostics-next-line missingEffectError:off
Desk.toLayer({ find: () => Effect.fail(new Other()), create: { find, execute: done }, close: done })

// The same in a handler table that an Effect makes.
// @ts-expect-error
Desk.toLayer(Effect.succeed({ find: () => Effect.fail(new Other()), create: { find, execute: done }, close: done }))

// A handler that returns what the output schema does not describe.
// @ts-expect-error
Desk.toLayer({ find: () => Effect.succeed({ id: 1 }), create: { find, execute: done }, close: done })

// The three classes, and what they are narrowed from, do compile.
declare const failing: Effect.Effect<{ readonly id: string }, ConnectorError>
export const failingHandlers = Desk.toLayer({
  find: () => failing,
  create: { find, execute: () => Effect.fail(new AuthorizationError({ message: "No" })) },
  close: () => Effect.fail(new TransientError({ message: "Later" }))
})

// `of` types the handlers that an Effect returns.
export const shared = Desk.toLayer(
  Effect.gen(function* () {
    const prefix = yield* Effect.succeed("1")
    return Desk.of({
      find: ({ queue }) => Effect.succeed({ id: prefix + queue }),
      create: { find, execute: ({ subject }) => Effect.succeed({ id: prefix + subject }) },
      close: done
    })
  })
)
