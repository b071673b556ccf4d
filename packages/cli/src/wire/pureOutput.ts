/**
 * Standard output of a server that is started by a command.
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { cut } from "../internal/Call.ts"
import { BenchFault, type WireProbe } from "../internal/Check.ts"
import { version } from "../version.ts"
import { purity } from "../probes/stdio.ts"

const send = [
  {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "ferrule", version } }
  },
  { jsonrpc: "2.0", method: "notifications/initialized" },
  { jsonrpc: "2.0", id: 2, method: "tools/list" },
  { jsonrpc: "2.0", id: 3, method: "tools/call", params: { name: "there_is_no_such_tool", arguments: {} } }
]

export const pureOutput: WireProbe = {
  info: purity.info,
  limit: 60,
  run: Effect.fnUntraced(function* ({ name, target }) {
    if (target._tag === "Url") return { notApplicable: "It is not served over stdio." }
    const lines = yield* outputOf(target)
    const others = lines.filter((line) => !isMessage(line))
    return {
      faults:
        others.length === 0
          ? []
          : [
              {
                subject: name,
                message: `prints ${others.length} of ${lines.length} lines that are no messages`,
                evidence: cut(others[0]!)
              }
            ],
      note: `${lines.length} lines`
    }
  })
}

/** Every line until the last answer, or until it ends. */
const outputOf = (target: { readonly command: string; readonly args: ReadonlyArray<string>; readonly text: string }) =>
  Effect.callback<ReadonlyArray<string>, BenchFault>((resume) => {
    const child = spawn(target.command, target.args, { stdio: ["pipe", "pipe", "ignore"] })
    let text = ""
    const end = () => {
      child.kill()
      resume(Effect.succeed(text.split("\n").filter((line) => line.trim() !== "")))
    }
    child.once("error", () => resume(Effect.fail(new BenchFault({ message: `${target.text} can't be started.` }))))
    child.once("close", end)
    child.stdin.on("error", () => undefined)
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      if (/"id":3\b/.test(text) && text.endsWith("\n")) end()
    })
    for (const message of send) child.stdin.write(`${JSON.stringify(message)}\n`)
    return Effect.sync(() => child.kill())
  })

const isMessage = (line: string): boolean => {
  try {
    const message: unknown = JSON.parse(line)
    return typeof message === "object" && message !== null && "jsonrpc" in message
  } catch {
    return false
  }
}
