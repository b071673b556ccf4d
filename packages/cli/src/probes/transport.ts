/**
 * Probes of the endpoint: whom it answers, what it makes of requests that contradict themselves, and both revisions.
 */
import * as Effect from "effect/Effect"
import { connect } from "node:net"
import { networkInterfaces } from "node:os"
import { type Bench, eras, type Instance, type RawRequest } from "../internal/Bench.ts"
import { serverNote } from "../internal/bench/note.ts"
import { cut } from "../internal/Call.ts"
import { callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { codeOf, exchange, greeting, messageOf, request } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"
import { hashOf, listOf } from "./access.ts"

/** Whoever may call the most. */
const callerOf = (bench: Bench) => callable(bench)[0]?.caller ?? bench.callers[0]!

export const origins: Probe = {
  info: {
    id: "H01",
    title: "A request from another site's page, or to another name, is refused with 403",
    why: "A page in somebody's browser can reach servers on their machine and network by DNS rebinding. Host and Origin give it away.",
    fix: "Leave allowedHosts and allowedOrigins to the names that clients call the server by.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const token = yield* instance.token(callerOf(bench))
    const { host, port } = new URL(instance.url)
    const cases: ReadonlyArray<readonly [what: string, headers: Record<string, string>]> = [
      ["a foreign Origin", { origin: "https://evil.example" }],
      ["an Origin that begins like a good one", { origin: `http://localhost.evil.example:${port}` }],
      ["the Origin null", { origin: "null" }],
      ["a foreign Host", { host: "evil.example" }],
      ["a foreign Host with the right port", { host: `evil.example:${port}` }],
      ["a Host that begins like a good one", { host: `127.0.0.1.evil.example:${port}` }]
    ]
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    const subject = bench.connector.name
    for (const [what, headers] of cases) {
      for (const era of eras) {
        const answer = yield* instance.send(request({ era, method: "tools/list", token, headers }))
        if (era === "2026-07-28") transcript.push(exchange(what, JSON.stringify(headers), answer))
        if (answer.status !== 403) {
          faults.push({
            subject,
            message: `answers ${what} with ${answer.status}`,
            evidence: `${era}: ${cut(answer.text)}`
          })
        }
      }
    }
    const own = yield* instance.send(request({ era: "2026-07-28", method: "tools/list", token, headers: { host } }))
    if (own.status !== 200) faults.push({ subject, message: `answers its own name with ${own.status}` })
    return {
      faults,
      note: `${cases.length * eras.length} requests to ${serverNote(bench)}`,
      transcript: transcript.slice(0, 4)
    }
  })
}

export const loopback: Probe = {
  info: {
    id: "H02",
    title: "A server that is told to stay on its machine can't be reached from others",
    why: "A server on all interfaces is open to the whole network of the laptop it runs on.",
    fix: "Leave the host out, or name the interface and allowedHosts; a server of the module's own listens on the host that it is told.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const port = Number(new URL(instance.url).port)
    const outside = Object.values(networkInterfaces()).flatMap((addresses = []) =>
      addresses.flatMap(({ address, family, internal }) => (internal || family !== "IPv4" ? [] : [address]))
    )
    // Another address of the loopback interface, which a server on all interfaces answers on as well.
    const tried = [...outside, "127.0.0.2"]
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const address of tried) {
      const isOpen = yield* canConnect(address, port)
      transcript.push({
        what: "from outside",
        sent: `connect ${address}:${port}`,
        answered: isOpen ? "connected" : "refused",
        millis: 0
      })
      if (isOpen)
        faults.push({
          subject: bench.connector.name,
          message: `can be reached at ${address}`,
          evidence: `port ${port}`
        })
    }
    const isThere = yield* canConnect("127.0.0.1", port)
    if (!isThere) faults.push({ subject: bench.connector.name, message: "can't be reached at 127.0.0.1" })
    return {
      faults,
      note: `${tried.length} addresses besides 127.0.0.1, of ${serverNote(bench)}`,
      transcript
    }
  })
}

const canConnect = (host: string, port: number): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ host, port, timeout: 1000 })
    const end = (isOpen: boolean) => {
      socket.destroy()
      resume(Effect.succeed(isOpen))
    }
    socket.once("connect", () => end(true))
    socket.once("error", () => end(false))
    socket.once("timeout", () => end(false))
  })

export const mismatches: Probe = {
  info: {
    id: "H03",
    title: "A request whose headers say something else than its body is refused",
    why: "A gateway decides by the headers and the server acts by the body. Where they may differ, what the gateway forbids can be had.",
    fix: "Serve the connector with Ferrule's own transport, and let no proxy rewrite its headers.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const one = callable(bench)[0]
    if (one === undefined) return { notApplicable: "None of the callers may call a tool." }
    const instance = yield* bench.start()
    const token = yield* instance.token(one.caller)
    const message = (headers: RawRequest["headers"]) =>
      request({
        era: "2026-07-28",
        method: "tools/call",
        params: { name: one.tool.name, arguments: one.arguments },
        token,
        ...(headers && { headers })
      })
    const cases: ReadonlyArray<readonly [what: string, request: RawRequest, code: number | undefined]> = [
      ["another Mcp-Method", message({ "mcp-method": "tools/list" }), -32020],
      ["another Mcp-Name", message({ "mcp-name": "some_other_tool" }), -32020],
      ["no Mcp-Method", without(message(undefined), "mcp-method"), -32020],
      ["no Mcp-Name", without(message(undefined), "mcp-name"), -32020],
      ["another MCP-Protocol-Version", message({ "mcp-protocol-version": "2025-11-25" }), -32020],
      ["a revision that does not exist", message({ "mcp-protocol-version": "1999-01-01" }), undefined]
    ]
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const [what, sent, code] of cases) {
      const answer = yield* instance.send(sent)
      transcript.push(exchange(what, `tools/call ${one.tool.name}`, answer))
      const got = codeOf(answer.text)
      if (answer.status !== 400 || (code !== undefined && got !== code)) {
        faults.push({
          subject: bench.connector.name,
          message: `answers ${what} with ${answer.status}${got === undefined ? "" : ` (${got})`} instead of 400${code === undefined ? "" : ` (${code})`}`,
          evidence: cut(answer.text)
        })
      }
    }
    if (instance.executions.length > 0) {
      faults.push({ subject: one.tool.name, message: "its handler ran for a request that contradicts itself" })
    }
    const right = yield* instance.send(message(undefined))
    if (right.status !== 200) {
      faults.push({
        subject: bench.connector.name,
        message: `answers the request that is right with ${right.status}`,
        evidence: cut(right.text)
      })
    }
    return { faults, note: `${cases.length} requests of revision 2026-07-28`, transcript: transcript.slice(0, 3) }
  })
}

const without = ({ headers = {}, ...rest }: RawRequest, name: string): RawRequest => ({
  ...rest,
  headers: Object.fromEntries(Object.entries(headers).filter(([each]) => each !== name))
})

export const bothEras: Probe = {
  info: {
    id: "H09",
    title: "Clients of revision 2026-07-28 and of the 2025 ones are both served",
    why: "Hosts change over at different times. A server of one revision only is missing from half of them.",
    fix: "Serve the connector with Ferrule's own transport, and let no proxy swallow its methods or headers.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const caller = callerOf(bench)
    const token = yield* instance.token(caller)
    const subject = bench.connector.name
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const era of eras) {
      const answer = yield* instance.send(greeting(era, token))
      const result = messageOf(answer.text)?.["result"] as Readonly<Record<string, unknown>> | undefined
      const said = era === "2026-07-28" ? result?.["supportedVersions"] : [result?.["protocolVersion"]]
      const what = era === "2026-07-28" ? "server/discover" : "initialize"
      transcript.push(exchange(era, what, answer))
      if (answer.status !== 200 || !Array.isArray(said) || !said.includes(era)) {
        faults.push({
          subject,
          message: `does not answer ${what} of revision ${era}`,
          evidence: `${answer.status} ${cut(answer.text)}`
        })
        continue
      }
      yield* session(instance, caller, era).pipe(
        Effect.catchTag("BenchFault", ({ message }) => Effect.sync(() => faults.push({ subject, message })))
      )
    }
    return { faults, note: "server/discover and initialize, and a real client's session of each", transcript }
  })
}

const session = (instance: Instance, caller: Parameters<Instance["connect"]>[0], era: (typeof eras)[number]) =>
  Effect.asVoid(listOf(instance, caller, era))

export const restarts: Probe = {
  info: {
    id: "H10",
    title: "The tools are the same after a restart",
    why: "What was reviewed and locked must be what is served tomorrow. A definition that is made at run time may be another one each time.",
    fix: "Declare tools as constants: no time, random number, environment or remote text in a definition.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const [first, second] = [yield* listsOf(bench), yield* listsOf(bench)]
    const changed = first.flatMap((tools, index) => changedIn(tools, second[index]!))
    return {
      faults: [...new Set(changed)].map((subject) => ({ subject, message: "is another tool after a restart" })),
      note: `${first.length} lists before and after a restart, SHA-256 ${hashOf(first).slice(0, 12)}`
    }
  })
}

/** What each caller is listed in each era by an instance of its own. */
const listsOf = (bench: Bench) =>
  Effect.scoped(
    Effect.gen(function* () {
      const instance = yield* bench.start()
      const sessions = eras.flatMap((era) => bench.callers.map((caller) => ({ caller, era })))
      return yield* Effect.forEach(sessions, ({ caller, era }) =>
        Effect.map(listOf(instance, caller, era), ({ tools }) => tools)
      )
    })
  )

type Tools = ReadonlyArray<{ readonly name: string }>

const changedIn = (before: Tools, after: Tools): ReadonlyArray<string> => {
  const names = new Set([...before, ...after].map(({ name }) => name))
  const of = (tools: Tools, name: string) => JSON.stringify(tools.find((tool) => tool.name === name))
  return [...names].filter((name) => of(before, name) !== of(after, name))
}
