/**
 * A server that is known by its wire alone: anybody's, at an address or behind a command. Probes see what any client sees.
 */
import type { Client } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Era } from "./Bench.ts"
import { BenchFault } from "./Check.ts"
import { connect } from "./connect.ts"
import { type Subject, type SubjectTool, ofListed } from "./Subject.ts"
import type { Target } from "./target.ts"
import type { Token } from "./token.ts"
import { Unusable } from "./Unusable.ts"

export interface WireTarget {
  readonly name: string
  readonly target: Exclude<Target, { readonly _tag: "Module" }>
  readonly token: Token | undefined
  readonly tools: ReadonlyArray<SubjectTool>
  /** Tools that may change something may be called too, with arguments that their schemas refuse. */
  readonly write: boolean
  /** A client of the SDK, in the newest revision that the server speaks unless given. */
  readonly connect: (era?: Era) => Effect.Effect<Client, BenchFault, Scope.Scope>
}

/** Connects once, in the newest revision that the server speaks, and takes down what it says of itself. */
export const make = Effect.fnUntraced(function* (
  target: WireTarget["target"],
  options: { readonly token: Token | undefined; readonly write: boolean }
): Effect.fn.Return<{ readonly wire: WireTarget; readonly subject: Subject }, Unusable> {
  const { token, write } = options
  const subject = yield* Effect.scoped(
    Effect.gen(function* () {
      const { client } = yield* connect(target, { era: "auto", token })
      const { tools } = yield* Effect.tryPromise({
        try: () => client.listTools(),
        catch: (cause) => new Unusable({ message: "The server does not list its tools as the protocol says.", cause })
      })
      const server = client.getServerVersion()
      return {
        name: server?.name ?? "server",
        version: server?.version ?? "unknown",
        title: server?.title,
        instructions: client.getInstructions(),
        tools: tools.map((tool) => ofListed(tool)),
        connector: undefined,
        examples: {}
      }
    })
  )
  const wire: WireTarget = {
    name: subject.name,
    target,
    token,
    write,
    tools: subject.tools,
    connect: (era) =>
      connect(target, { era: era ?? "auto", token }).pipe(
        Effect.map(({ client }) => client),
        Effect.mapError(({ message }) => new BenchFault({ message }))
      )
  }
  return { wire, subject }
})
