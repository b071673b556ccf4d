/**
 * Where the scenes are played: it calls tools for a person, prints both sides, and knows how many requests the ledger got.
 */
import { Data, Effect, Schema } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import type { Agent } from "./Agent.ts"
import type { Name, World } from "./World.ts"

const Result = Schema.Struct({
  content: Schema.Array(Schema.Struct({ text: Schema.String })),
  structuredContent: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  _meta: Schema.optionalKey(
    Schema.Struct({
      "ferrule/error": Schema.optionalKey(Schema.Struct({ class: Schema.String })),
      "ferrule/replayed": Schema.optionalKey(Schema.Unknown)
    })
  )
})

/** A request that the connector refused as a whole. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly code: number | undefined
  readonly message: string
}> {}

export interface Answer {
  readonly fields: Readonly<Record<string, Schema.Json>>
  /** The class of a refusal. */
  readonly refusal: string | undefined
  readonly isReplay: boolean
  readonly texts: ReadonlyArray<string>
}

const decode = Schema.decodeUnknownEffect(Result)

type Args = Readonly<Record<string, unknown>>

/** Calls without a word. */
export const ask = ({ client }: Agent, tool: string, args: Args): Effect.Effect<Answer, NoAnswer> =>
  Effect.tryPromise(() => client.callTool({ name: tool, arguments: args })).pipe(
    Effect.mapError(({ cause }) => {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined
      return new NoAnswer({
        code: typeof code === "number" ? code : undefined,
        message: cause instanceof Error ? cause.message : String(cause)
      })
    }),
    Effect.flatMap((result) => Effect.orDie(decode(result))),
    Effect.map(({ content, structuredContent, _meta }) => ({
      fields: structuredContent ?? {},
      refusal: _meta?.["ferrule/error"]?.class,
      isReplay: _meta?.["ferrule/replayed"] !== undefined,
      texts: content.map(({ text }) => text)
    }))
  )

export const make = (world: World, agents: Readonly<Record<Name, Agent>>) => ({
  ...world,
  agents,
  /** How many requests the ledger has got. */
  requests: () => world.ledger.log.length,

  tools: (name: Name) =>
    Effect.promise(() => agents[name].client.listTools()).pipe(
      Effect.map(({ tools }) => tools.map(({ name }) => name))
    ),

  /** Calls and prints both sides: a result by its fields, a refusal word for word. */
  call: Effect.fnUntraced(function* (name: Name, tool: string, args: Args) {
    Screen.call(name, tool, args)
    const answer = yield* ask(agents[name], tool, args)
    const [first, ...others] = answer.texts
    const shown = answer.refusal === undefined ? Screen.fields(answer.fields, args) : first!
    Screen.answer([shown, ...others].join("\n"), answer.refusal !== undefined)
    return answer
  }),

  /** Calls a tool that the person does not have, and gives the refusal of the whole request. */
  callHidden: Effect.fnUntraced(function* (name: Name, tool: string, args: Args) {
    Screen.call(name, tool, args)
    const refusal = yield* Effect.flip(ask(agents[name], tool, args))
    Screen.answer(`JSON-RPC error ${refusal.code}: ${refusal.message}`, true)
    return refusal
  })
})

export type Stage = ReturnType<typeof make>
