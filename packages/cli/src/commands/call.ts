/**
 * `ferrule call`: calls a tool once or several times, and shows what a person wants to know of the answer.
 */
import type { Client } from "@modelcontextprotocol/client"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { Argument, Command, Flag } from "effect/cli"
import { connect, type Connected } from "../internal/connect.ts"
import { connectFlags, optionsOf } from "../internal/connectFlags.ts"
import { printable } from "../internal/printable.ts"
import { ofResult, ofThrown, type Reply, textOf } from "../internal/Reply.ts"
import { parseTarget, targetIs } from "../internal/target.ts"
import { Unusable } from "../internal/Unusable.ts"

export const call = Command.make(
  "call",
  {
    target: Argument.String("target").pipe(Argument.withDescription(targetIs)),
    tool: Argument.String("tool").pipe(Argument.withDescription("The tool's name")),
    json: Argument.String("json").pipe(
      Argument.withDescription("The arguments, a JSON object in single quotes; - reads it from standard input"),
      Argument.optional
    ),
    args: Flag.File("args").pipe(Flag.withDescription("The file that holds the arguments"), Flag.optional),
    ...connectFlags,
    idempotencyKey: Flag.String("idempotency-key").pipe(
      Flag.withMetavar("key"),
      Flag.withDescription("What tells the server that a call is one it has had before"),
      Flag.optional
    ),
    repeat: Flag.Int("repeat").pipe(
      Flag.withMetavar("n"),
      Flag.withDescription("How many times to call, one after the other"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
      Flag.withDefault(1)
    ),
    toJson: Flag.Boolean("json").pipe(
      Flag.withDescription("Print one line of JSON for each call"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const target = yield* parseTarget(flags.target)
    const args = yield* readArguments(flags)
    const options = yield* optionsOf(flags, flags.tool)
    const form = flags.toJson ? toJson : toText
    const replies = yield* Effect.scoped(
      Effect.gen(function* () {
        const connected = yield* connect(target, options)
        const one = callOnce(connected.client, flags.tool, args, Option.getOrUndefined(flags.idempotencyKey))
        const timed = Effect.map(Effect.timed(one), ([took, reply]) => ({
          reply,
          line: form(flags.tool, reply, Duration.toMillis(took), connected)
        }))
        return yield* Effect.forEach(Array.from({ length: flags.repeat }), () => timed)
      })
    )
    // Not before the connection is closed: what is printed while a module's connector runs counts as the connector's.
    yield* Console.log(replies.map(({ line }) => line).join("\n"))
    if (replies.some(({ reply }) => reply.outcome === "refused")) process.exitCode = 1
  })
).pipe(
  Command.withDescription("Calls a tool and shows its answer, what class an error has, and what was replayed"),
  Command.withExamples([
    {
      command: `ferrule call connector.ts add_note '{"topic":"deploys","text":"Fridays are frozen."}' --repeat 2`,
      description: "Call a module's tool twice, and see the second answer replayed"
    },
    {
      command: `ferrule call https://desk.example.com/mcp search_tickets '{"text":"refund"}' --token-env DESK_TOKEN`,
      description: "Call over HTTP, with the token in DESK_TOKEN"
    },
    { command: `ferrule call "node main.ts" read_notes --args call.json`, description: "Call over stdio" }
  ])
)

interface Source {
  readonly json: Option.Option<string>
  readonly args: Option.Option<string>
}

const readArguments = Effect.fnUntraced(function* ({ args, json }: Source) {
  if (Option.isSome(args) && Option.isSome(json)) {
    return yield* new Unusable({
      message: "The arguments are there twice. Give them as JSON or with --args, not both."
    })
  }
  if (Option.isSome(args)) {
    const files = yield* FileSystem.FileSystem
    const text = yield* files
      .readFileString(args.value)
      .pipe(Effect.mapError((cause) => new Unusable({ message: `${args.value} can't be read.`, cause })))
    return yield* parsed(text, `${args.value} holds no JSON object.`)
  }
  if (Option.isNone(json)) return {}
  if (json.value !== "-") {
    return yield* parsed(
      json.value,
      `The arguments are no JSON object. Give them in single quotes: '{"topic":"deploys"}'.`
    )
  }
  const stdio = yield* Stdio.Stdio
  const text = yield* stdio.stdin.pipe(
    Stream.decodeText,
    Stream.mkString,
    Effect.mapError((cause) => new Unusable({ message: "Standard input can't be read.", cause }))
  )
  return yield* parsed(text, "Standard input holds no JSON object.")
})

const JsonObject = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

const parsed = (text: string, message: string) =>
  Schema.decodeEffect(JsonObject)(text).pipe(Effect.mapError(() => new Unusable({ message })))

const callOnce = Effect.fnUntraced(function* (
  client: Client,
  name: string,
  args: Record<string, unknown>,
  key: string | undefined
): Effect.fn.Return<Reply, Unusable> {
  const meta = key === undefined ? {} : { _meta: { "ferrule/idempotencyKey": key } }
  const reply = yield* Effect.tryPromise({
    try: async () => {
      try {
        return ofResult(await client.callTool({ name, arguments: args, ...meta }))
      } catch (thrown) {
        const answered = ofThrown(thrown)
        if (answered === undefined) throw thrown
        return answered
      }
    },
    catch: (cause) =>
      new Unusable({
        message: `The answer to ${name} got lost: the connection ended or took too long. A write may have been done; the same call again tells.`,
        cause
      })
  })
  return reply.outcome === "refused" && reply.class === undefined ? yield* known(client, name, reply) : reply
})

/** A tool that is not listed is a mistake of the one who calls, not a refusal. */
const known = Effect.fnUntraced(function* (client: Client, name: string, reply: Reply) {
  const names = yield* Effect.promise(() =>
    client.listTools().then(
      ({ tools }) => tools.map((tool) => tool.name),
      () => [name]
    )
  )
  if (names.includes(name)) return reply
  return yield* new Unusable({
    message: `This caller has no tool ${name}. It has ${names.map(printable).join(", ") || "none"}.`
  })
})

const toText = (tool: string, reply: Reply, millis: number, { era, server }: Connected): string => {
  const rest = `in ${Math.round(millis)} ms (${server}, ${era})`
  switch (reply.outcome) {
    case "done":
      return `${tool}: done ${rest}\n${shown(reply.result)}`
    case "replayed":
      return `${tool}: replayed, done at ${reply.doneAt}, ${rest}\n${shown(reply.result)}`
    case "refused": {
      const head = `${tool}: refused ${rest}${reply.doneAt === undefined ? "" : `, as it was answered at ${reply.doneAt}`}`
      const named = reply.class === undefined ? "\nClass: none is named by this server" : ""
      return `${head}\n${reply.text}${named}`
    }
  }
}

const shown = (result: Parameters<typeof textOf>[0] & { readonly structuredContent?: unknown }): string =>
  result.structuredContent === undefined ? textOf(result) : printable(JSON.stringify(result.structuredContent, null, 2))

const toJson = (tool: string, reply: Reply, millis: number, { era, server }: Connected): string =>
  JSON.stringify({
    tool,
    millis: Math.round(millis),
    era,
    server,
    ...(reply.outcome === "refused"
      ? reply
      : {
          outcome: reply.outcome,
          ...(reply.outcome === "replayed" && { doneAt: reply.doneAt }),
          ...(reply.result.structuredContent === undefined
            ? { content: reply.result.content }
            : { structuredContent: reply.result.structuredContent })
        })
  })
