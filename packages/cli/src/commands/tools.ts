/**
 * `ferrule tools`: lists what a server offers this caller.
 */
import type { Tool } from "@modelcontextprotocol/client"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Argument, Command, Flag } from "effect/cli"
import { connect } from "../internal/connect.ts"
import { connectFlags, optionsOf } from "../internal/connectFlags.ts"
import { printable } from "../internal/printable.ts"
import * as Subject from "../internal/Subject.ts"
import { parseTarget, targetIs } from "../internal/target.ts"
import { tokensOf } from "../internal/tokens.ts"
import { Unusable } from "../internal/Unusable.ts"

export const tools = Command.make(
  "tools",
  {
    target: Argument.String("target").pipe(Argument.withDescription(targetIs)),
    ...connectFlags,
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
  },
  Effect.fnUntraced(function* (flags) {
    const target = yield* parseTarget(flags.target)
    const options = yield* optionsOf(flags)
    const { era, listed, server } = yield* Effect.scoped(
      Effect.gen(function* () {
        const { client, era, server } = yield* connect(target, options)
        const { tools } = yield* Effect.tryPromise({
          try: () => client.listTools(),
          catch: (cause) =>
            new Unusable({
              message: `${flags.target} does not list its tools as the protocol says. --debug shows what it answered.`,
              cause
            })
        })
        return { era, listed: tools, server }
      })
    )
    const lines = listed.map(lineOf)
    if (flags.json) return yield* Console.log(JSON.stringify({ server, era, tools: lines }, null, 2))
    const total = lines.reduce((sum, { tokens }) => sum + tokens, 0)
    yield* Console.log(
      `${server}: ${lines.length} ${lines.length === 1 ? "tool" : "tools"}, about ${total} tokens of definitions (${era})`
    )
    if (lines.length > 0) yield* Console.log(`\n${table(lines)}`)
  })
).pipe(
  Command.withDescription("Lists the tools that a server offers: hints, required arguments, tokens of the definition"),
  Command.withExamples([
    { command: "ferrule tools connector.ts --role agent", description: "What a module offers the role agent" },
    { command: `ferrule tools "npx -y some-server@1.2.3"`, description: "What a server offers over stdio" }
  ])
)

interface Line {
  readonly name: string
  readonly title: string
  readonly hints: ReadonlyArray<string>
  readonly required: ReadonlyArray<string>
  readonly tokens: number
}

const lineOf = (tool: Tool): Line => {
  const subject = Subject.ofListed(tool)
  const { required } = subject.inputSchema
  return {
    name: tool.name,
    title: subject.title ?? "",
    hints: hintsOf(subject.annotations),
    required: Array.isArray(required) ? required.map(String) : [],
    tokens: tokensOf(subject)
  }
}

const hints = [
  ["readOnlyHint", "read-only", "writes"],
  ["destructiveHint", "destructive", undefined],
  ["idempotentHint", "idempotent", undefined],
  ["openWorldHint", "open world", undefined]
] as const

const hintsOf = (annotations: Subject.SubjectTool["annotations"]): ReadonlyArray<string> =>
  hints.flatMap(([hint, yes, no]) => {
    const word = annotations[hint] === true ? yes : annotations[hint] === false ? no : undefined
    return word === undefined ? [] : [word]
  })

const table = (lines: ReadonlyArray<Line>): string => {
  const rows = [
    ["TOOL", "TITLE", "HINTS", "REQUIRED", "TOKENS"],
    ...lines.map(({ hints, name, required, title, tokens }) =>
      [name, title, hints.join(", ") || "none", required.join(", "), String(tokens)].map(printable)
    )
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
