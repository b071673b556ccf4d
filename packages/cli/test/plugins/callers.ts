/**
 * Clients that know nothing of Ferrule, and call the server that a plugin or a bundle declares: the SDK's, and the
 * Inspector's command line, each in both eras of the protocol. They are processes of their own.
 */
import { assert } from "@effect/vitest"
import type { CallToolResult } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createRequire } from "node:module"
import { type Environment, run } from "../claude.ts"
import type { Answers } from "./installed.ts"

/** A file with one server, and nothing left in it to be filled in. */
export interface Declared {
  readonly file: string
  readonly server: string
}

/**
 * Reads a plugin's `.mcp.json` as Claude Code does: with the folders, and with what the user answered. A token is one that
 * somebody has signed in for, as clients send it by themselves.
 */
export const declared = (folder: string, data: string, answers: Answers, token?: string): Declared => {
  const config = readFileSync(join(folder, ".mcp.json"), "utf8")
  const { mcpServers } = filledIn(config, { CLAUDE_PLUGIN_ROOT: folder, CLAUDE_PLUGIN_DATA: data }, answers)
  const [name] = Object.keys(mcpServers)
  const headers = token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }
  return written(data, name!, { ...mcpServers[name!], ...headers })
}

/** Reads the manifest of an MCP bundle as Claude Desktop does, in the folder that it was unpacked to. */
export const declaredByBundle = (folder: string, data: string, answers: Answers): Declared => {
  const manifest = readFileSync(join(folder, "manifest.json"), "utf8")
  const { name, server } = filledIn(manifest, { __dirname: folder }, answers)
  return written(data, name, { type: "stdio", ...server.mcp_config })
}

const filledIn = (text: string, folders: Answers, answers: Answers) => {
  const asked = Object.entries(answers).map(([name, value]) => [`user_config.${name}`, value] as const)
  const values: Answers = { ...folders, ...Object.fromEntries(asked) }
  const filled = text.replaceAll(/\$\{([^}]+)\}/g, (reference, name) => {
    const value = values[name]
    assert.isDefined(value, `${reference} has a value`)
    return value
  })
  return JSON.parse(filled)
}

const written = (folder: string, server: string, declaration: object): Declared => {
  const file = join(folder, "mcp.json")
  writeFileSync(file, JSON.stringify({ mcpServers: { [server]: declaration } }))
  return { file, server }
}

export interface Call {
  readonly name: string
  readonly arguments: Readonly<Record<string, unknown>>
}

/** What a client was told. */
export interface Answer {
  readonly tools: ReadonlyArray<string>
  readonly results: ReadonlyArray<CallToolResult>
  readonly era: Era
}

export type Era = "legacy" | "modern"

type Caller = (declared: Declared, era: Era, calls: ReadonlyArray<Call>, env: Environment) => Effect.Effect<Answer>

const script = join(import.meta.dirname, "../fixtures/sdkCaller.ts")

const sdk: Caller = ({ file, server }, era, calls, env) =>
  Effect.map(json([script, file, server, era, JSON.stringify(calls)], env), (answer) => answer as Answer)

const inspector = createRequire(import.meta.url).resolve(
  "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
)

const inspect: Caller = Effect.fnUntraced(function* ({ file, server }, era, calls, env) {
  const to = ["--config", file, "--server", server, "--protocol-era", era, "--format", "json"]
  const ask = (...args: ReadonlyArray<string>) => json([inspector, "--cli", ...to, "--method", ...args], env)
  const { result } = (yield* ask("tools/list")) as { result: { tools: ReadonlyArray<{ name: string }> } }
  const answers = yield* Effect.forEach(calls, ({ arguments: args, name }) =>
    ask("tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(args))
  )
  const results = answers.map((answer) => (answer as { result: CallToolResult }).result)
  // Only a server of 2026-07-28 says who it is with each result.
  const isModern = results.every(({ _meta }) => _meta?.["io.modelcontextprotocol/serverInfo"] !== undefined)
  return { tools: result.tools.map(({ name }) => name), results, era: isModern ? "modern" : "legacy" }
})

/** Runs a script with Node, and reads what it writes as JSON. */
export const json = Effect.fnUntraced(function* (args: ReadonlyArray<string>, env: Environment) {
  const { code, errors, output } = yield* run(process.execPath, args, env)
  assert.strictEqual(code, 0, output + errors)
  return JSON.parse(output) as unknown
})

const callers: ReadonlyArray<readonly [who: string, era: Era, caller: Caller]> = [
  ["the SDK's client", "legacy", sdk],
  ["the SDK's client", "modern", sdk],
  ["the Inspector", "legacy", inspect],
  ["the Inspector", "modern", inspect]
]

/** What each client in each era is told, one after the other. */
export const told = (declared: Declared, calls: ReadonlyArray<Call>, env: Environment) =>
  Effect.forEach(callers, ([who, era, caller]) =>
    Effect.map(caller(declared, era, calls, env), (answer) => {
      assert.strictEqual(answer.era, era, who)
      return answer
    })
  )

/** The results of each client's calls. */
export const contents = (answers: ReadonlyArray<Answer>) =>
  answers.map(({ results }) => results.map(({ structuredContent }) => structuredContent as Record<string, unknown>))

/** Whether each client heard from its first call that it was done before. */
export const replayed = (answers: ReadonlyArray<Answer>) =>
  answers.map(({ results: [first] }) => first?._meta?.["ferrule/replayed"] !== undefined)
