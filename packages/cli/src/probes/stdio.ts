/**
 * The probe of standard output, which belongs to the protocol: the connector runs as a process of its own, as a host starts it.
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { extname } from "node:path"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import type { Caller, Module } from "../internal/Bench.ts"
import { cut } from "../internal/Call.ts"
import { type Callable, callable } from "../internal/callable.ts"
import { BenchFault, type Fault, type Probe } from "../internal/Check.ts"
import { greeting, request } from "../internal/wire.ts"

export const purity: Probe = {
  info: {
    id: "H08",
    title: "Over stdio, standard output carries nothing but the protocol",
    why: "One line that is no JSON-RPC message, from a log or a dependency, and the host drops the connection.",
    fix: "Log with Effect.log or on standard error, and let nothing write to file descriptor 1 by itself.",
    severity: "block"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    if (bench.module === undefined)
      return { notSeen: "The connector is not from a file that another process could load." }
    const tools = callable(bench)
    const caller = tools[0]?.caller ?? bench.callers[0]!
    const { code, sent, stderr, stdout } = yield* session(bench.module, caller, tools)
    const lines = stdout.split("\n").filter((line) => line.trim() !== "")
    const messages = lines.filter(isMessage)
    const answers = messages.filter((line) => line.includes('"id":'))
    const subject = bench.connector.name
    const others = lines.filter((line) => !isMessage(line))
    const faults: Array<Fault> = []
    if (others.length > 0) {
      faults.push({
        subject,
        message:
          others.length === 1
            ? "writes a line to standard output that is no message of the protocol"
            : `writes ${others.length} lines to standard output that are no messages of the protocol`,
        evidence: cut(others.slice(0, 3).join("\n"))
      })
    } else if (!stdout.endsWith("\n")) {
      faults.push({
        subject,
        message: "ends standard output in the middle of a line",
        evidence: cut(lines.at(-1) ?? "")
      })
    }
    if (answers.length < sent) {
      faults.push({
        subject,
        message: `answers ${answers.length} of ${sent} requests over stdio and ends with ${code ?? "a signal"}`,
        evidence: cut(stderr.trim().split("\n").slice(-3).join("\n")),
        fix: "Start the connector over stdio with the layers of its audit, and see what it says."
      })
    }
    return {
      faults,
      note: `${sent} requests to a process of its own, ${lines.length} lines`,
      transcript: [{ what: "standard output", sent: "initialize", answered: cut(lines[0] ?? ""), millis: 0 }]
    }
  })
}

/** What each line of the protocol is. */
const isMessage = (line: string): boolean => {
  try {
    const message: unknown = JSON.parse(line)
    return typeof message === "object" && message !== null && "jsonrpc" in message && message.jsonrpc === "2.0"
  } catch {
    return false
  }
}

/** The extension is this file's own: .ts in the repository, .js in the package. */
const entry = fileURLToPath(new URL(`../internal/serveOnStdio${extname(import.meta.url)}`, import.meta.url))

interface Session {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly sent: number
}

const session = (module: Module, caller: Caller, tools: ReadonlyArray<Callable>): Effect.Effect<Session, BenchFault> =>
  Effect.callback<Session, BenchFault>((resume) => {
    const child = spawn(process.execPath, [entry, module.path, module.export ?? "", JSON.stringify(caller.principal)])
    const outputs = Promise.all([text(child.stdout), text(child.stderr)])
    const messages = messagesFor(tools)
    child.once("error", ({ message }) =>
      resume(Effect.fail(new BenchFault({ message: `No process could be started for stdio: ${message}.` })))
    )
    child.once("close", (code) => {
      const sent = messages.filter(({ id }) => id !== undefined).length
      void outputs.then(([stdout, stderr]) => resume(Effect.succeed({ code, stdout, stderr, sent })))
    })
    child.stdin.on("error", () => undefined)
    child.stdin.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(""))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

interface Line {
  readonly jsonrpc?: string
  readonly id?: number | undefined
}

/** A session of revision 2025-11-25: a call of each tool that is right, and one that is wrong. */
const messagesFor = (tools: ReadonlyArray<Callable>): ReadonlyArray<Line> => {
  const era = "2025-11-25"
  const calls = tools.flatMap(({ arguments: args, tool }) =>
    [args, { ...args, unknown_field: 1 }].map((given) => ({ name: tool.name, arguments: given }))
  )
  const bodies = [
    greeting(era),
    request({ era, method: "tools/list" }),
    ...calls.map((params) => request({ era, method: "tools/call", params }))
  ]
  const lines = bodies.map(({ body }, index) => ({ ...(JSON.parse(String(body)) as object), id: index + 1 }))
  const ready = { jsonrpc: "2.0", method: "notifications/initialized" }
  return [lines[0]!, ready, ...lines.slice(1)]
}
