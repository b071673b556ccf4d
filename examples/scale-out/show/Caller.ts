/**
 * A client of the official SDK, and what a correct one does when it gets no answer, or one that says to wait: it repeats
 * the same call. It sends no key of its own, and does not know which instance it speaks to.
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Data, Effect, Schema } from "effect"
import { DemoError } from "../../service-desk/demo/World.ts"

/** The revision of the protocol that a client speaks: the newest, or one that it negotiates with `initialize`. */
export type Revision = "2026-07-28" | "2025-11-25"

/** A result as the model reads it, to the byte, and whether it is that of an earlier call. */
export interface Answer {
  readonly result: string
  readonly replayed: boolean
}

/** A call that a correct client repeats after that many milliseconds, and the sentence that says why. */
export class NotYet extends Data.TaggedError("NotYet")<{ readonly message: string; readonly after: number }> {}

/** Connects. The client is closed with the scope. */
export const connect = (url: URL, token: string, revision: Revision) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const client = new Client(
          { name: "scale-out", version: "1.0.0" },
          revision === "2026-07-28" ? { versionNegotiation: { mode: { pin: revision } } } : {}
        )
        const headers = { authorization: `Bearer ${token}` }
        await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
        return client
      },
      catch: (cause) => new DemoError({ message: `a client of ${revision} can't connect: ${String(cause)}` })
    }),
    (client) => Effect.promise(() => client.close())
  ).pipe(Effect.map(make))

export type Caller = ReturnType<typeof make>

type Args = Readonly<Record<string, unknown>>

const make = (client: Client) => {
  let repeats = 0

  /** Calls once. */
  const call = (tool: string, args: Args): Effect.Effect<Answer, NotYet | DemoError> =>
    Effect.tryPromise({
      try: () => client.callTool({ name: tool, arguments: args }),
      catch: (cause) => new NotYet({ message: cause instanceof Error ? cause.message : String(cause), after: 250 })
    }).pipe(Effect.flatMap(answerOf))

  /** Calls, and repeats the call until there is a result, for a minute or so at least. */
  const insist = (tool: string, args: Args, left = 300): Effect.Effect<Answer, NotYet | DemoError> =>
    Effect.catchTag(call(tool, args), "NotYet", (notYet) => {
      if (left === 0) return Effect.fail(notYet)
      repeats++
      return Effect.andThen(Effect.sleep(notYet.after), insist(tool, args, left - 1))
    })

  return {
    call,
    insist,
    /** How often it had to repeat a call. */
    repeats: () => repeats
  }
}

const Result = Schema.Struct({
  content: Schema.Array(Schema.Struct({ text: Schema.String })),
  _meta: Schema.optionalKey(
    Schema.Struct({
      "ferrule/error": Schema.optionalKey(
        Schema.Struct({ action: Schema.String, retryAfterMs: Schema.optionalKey(Schema.Number) })
      ),
      "ferrule/replayed": Schema.optionalKey(Schema.Json)
    })
  )
})
const decode = Schema.decodeUnknownEffect(Result)

const answerOf = Effect.fnUntraced(function* (value: unknown): Effect.fn.Return<Answer, NotYet | DemoError> {
  const { content, _meta } = yield* Effect.orDie(decode(value))
  const [{ text }] = content
  const error = _meta?.["ferrule/error"]
  if (error === undefined) return { result: text, replayed: _meta?.["ferrule/replayed"] !== undefined }
  return yield* error.action === "retry"
    ? new NotYet({ message: text, after: error.retryAfterMs ?? 250 })
    : new DemoError({ message: text })
})
