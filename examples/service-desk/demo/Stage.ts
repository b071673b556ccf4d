/**
 * Where the scenes of the demo are played: it calls tools and prints both sides, and checks what a scene claims.
 */
import { Cause, Data, Effect, Schema } from "effect"
import * as Screen from "./Screen.ts"
import * as World from "./World.ts"

/** A scene that did not go as it must. */
export class SceneError extends Data.TaggedError("SceneError")<{ readonly scene: string; readonly why: string }> {}

const ToolError = Schema.Struct({
  class: Schema.String,
  issues: Schema.optionalKey(Schema.Array(Schema.Struct({ path: Schema.String })))
})

const Result = Schema.Struct({
  content: Schema.Array(Schema.Struct({ text: Schema.String })),
  structuredContent: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  _meta: Schema.optionalKey(Schema.Struct({ "ferrule/error": Schema.optionalKey(ToolError) }))
})

/** An answer: the fields of a result, or the class of a refusal and the paths that it names. */
export interface Answer {
  readonly fields: Readonly<Record<string, Schema.Json>>
  readonly refusal: string | undefined
  readonly paths: ReadonlyArray<string>
  /** What the model reads, text block by text block. */
  readonly texts: ReadonlyArray<string>
}

const decode = Schema.decodeUnknownEffect(Result)

const answerOf = (result: unknown): Effect.Effect<Answer> =>
  Effect.orDie(decode(result)).pipe(
    Effect.map(({ content, structuredContent, _meta }) => {
      const error = _meta?.["ferrule/error"]
      return {
        fields: structuredContent ?? {},
        refusal: error?.class,
        paths: (error?.issues ?? []).map(({ path }) => path).sort(),
        texts: content.map(({ text }) => text)
      }
    })
  )

/** Prints a result by its fields, and a refusal or a replay word for word. */
const show = ({ fields, refusal, texts }: Answer, args: Args) => {
  const [first, ...others] = texts
  Screen.answer(
    [refusal === undefined ? Screen.fields(fields, args) : first, ...others].join("\n"),
    refusal !== undefined
  )
}

type Args = Readonly<Record<string, unknown>>

export const make = (world: World.World) => {
  /** Calls without a word. */
  const ask = (who: World.Person, tool: string, args: Args) => Effect.flatMap(world.call(who, tool, args), answerOf)

  return {
    ...world,
    ask,
    show,

    /** Calls, prints both sides, and returns the answer with its audit record. */
    call: Effect.fnUntraced(function* (who: World.Person, tool: string, args: Args) {
      Screen.call(who, tool, args)
      const answer = yield* ask(who, tool, args)
      show(answer, args)
      return { ...answer, record: yield* world.record }
    }),

    /** Calls a tool that this person does not have, prints both sides, and returns the refusal of the whole request. */
    callHidden: Effect.fnUntraced(function* (who: World.Person, tool: string, args: Args) {
      Screen.call(who, tool, args)
      const { code, message } = yield* Effect.flip(ask(who, tool, args))
      Screen.answer(`JSON-RPC error ${code}: ${message}`, true)
      return { code, message, record: yield* world.record }
    })
  }
}

export type Stage = ReturnType<typeof make>

/** Checks what a scene relies on. */
export const check = (holds: boolean, sentence: string) =>
  holds ? Effect.void : Effect.fail(new World.DemoError({ message: `it does not hold that ${sentence}` }))

/** Checks what a scene claims, and tells the audience. */
export const prove = (holds: boolean, sentence: string) =>
  Effect.andThen(
    check(holds, sentence),
    Effect.sync(() => Screen.proved(sentence))
  )

/** Plays a scene, gives what it leaves to the next ones, and says which one it was when it fails. */
export const scene = <A, E, R>(letter: string, headline: string, story: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    Screen.scene(letter, headline)
    return story
  }).pipe(
    Effect.catchCause((cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
      const error = Cause.squash(cause)
      return Effect.fail(new SceneError({ scene: letter, why: error instanceof Error ? error.message : String(error) }))
    })
  )
