/**
 * Every byte that leaves a connector whose handlers give away all secrets, searched by other means than the scrubber's.
 * The same search of the same connector without a scrubber shows that there was something to find, on each way out.
 */
import { AuditTrail } from "@ferrule/core"
import { Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client"
import { Cause, Console, Context, Effect, Exit, Formatter, Layer, Logger, Tracer } from "effect"
import { HttpServer } from "effect/http"
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { format } from "node:util"
import { vi } from "vitest"
import { encodingsOf } from "../../core/test/fixtures/encodings.ts"
import * as ConnectorHost from "../src/internal/connectorHost.ts"
import { connect } from "../src/internal/inMemory.ts"
import {
  ada,
  canaries,
  encoders,
  environmentName,
  Leaky,
  services,
  unscrubbed,
  UpstreamAt,
  ways
} from "./fixtures/leaky.ts"

vi.setConfig({ testTimeout: 600_000 })
process.env[environmentName] = canaries[0]

/** What has left, by the way that it took. */
class Exits {
  readonly texts = new Map<string, Array<string>>()

  readonly add = (way: string, text: string): void => {
    const texts = this.texts.get(way) ?? []
    this.texts.set(way, texts)
    texts.push(text)
  }

  /** How many texts of each way hold a secret. */
  hits(): Readonly<Record<string, number>> {
    const needles = canaries.flatMap((secret) => [...new Set(encodingsOf(secret).values())])
    return Object.fromEntries(
      Array.from(this.texts, ([way, texts]) => {
        const joined = texts.join("\0\0")
        const any = needles.filter((needle) => joined.includes(needle))
        return [way, texts.filter((text) => any.some((needle) => text.includes(needle))).length]
      })
    )
  }

  get size(): number {
    return [...this.texts.values()].reduce(
      (sum, texts) => sum + texts.reduce((size, { length }) => size + length, 0),
      0
    )
  }
}

const tracerOf = (exits: Exits) =>
  Tracer.make({
    span: (options) => {
      class Recorded extends Tracer.NativeSpan {
        override end(at: bigint, exit: Exit.Exit<unknown, unknown>) {
          super.end(at, exit)
          const { attributes, events, links, name } = this
          const cause = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
          exits.add(
            "spans",
            Formatter.format([name, [...attributes], events, links.map((link) => link.attributes), cause])
          )
        }
      }
      return new Recorded(options)
    }
  })

/** Whatever a program may have that takes texts out of it. */
const waysOut = (exits: Exits) => {
  const write = (...args: ReadonlyArray<unknown>) => exits.add("console", format(...args))
  const formats = { logfmt: Logger.formatLogFmt, simple: Logger.formatSimple, json: Logger.formatJson }
  return Layer.mergeAll(
    Layer.succeed(Console.Console, { ...globalThis.console, log: write, error: write }),
    Logger.layer([
      Logger.defaultLogger,
      Logger.tracerLogger,
      ...Object.entries(formats).map(([name, logger]) => Logger.map(logger, (line) => exits.add(`log, ${name}`, line)))
    ]),
    Layer.succeed(Tracer.Tracer, tracerOf(exits)),
    AuditTrail.layer((record) => Effect.sync(() => exits.add("audit", JSON.stringify(record))))
  )
}

/** An upstream that answers with what it was asked with, in its headers and in its body. */
const upstream = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const statuses = [400, 401, 403, 404, 429, 500, 503, 200, 302]
        const status = statuses[chunks.length === 0 ? 0 : Buffer.concat(chunks).length % statuses.length]!
        const { authorization } = request.headers
        response.writeHead(status, {
          "www-authenticate": `Bearer realm="${authorization}"`,
          "x-echo": authorization ?? ""
        })
        response.end(Buffer.concat([Buffer.from(`${authorization} `), ...chunks]))
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}/`, close: () => server.close().closeAllConnections() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

const combinations = ways.length * encoders.length * canaries.length

/** The same calls each time: each way with each encoding of each secret, behind texts of changing length. */
const generated = (count: number) =>
  Array.from({ length: count }, (_, call) => {
    // A stride that meets each of them once, and all kinds early.
    const at = (call * 37) % combinations
    return {
      way: ways[at % ways.length]!,
      encoder: Math.floor(at / ways.length) % encoders.length,
      canary: Math.floor(at / (ways.length * encoders.length)),
      pad: (call * 7) % 10,
      call
    }
  })

/** Makes the calls as a client does, a few at a time, and keeps what it gets. Writes are called twice. */
const callAll = async (client: Client, calls: ReturnType<typeof generated>, exits: Exits): Promise<void> => {
  let next = 0
  const call = async (name: string, args: (typeof calls)[number]) => {
    const leaver = new AbortController()
    const onprogress = (progress: unknown) => {
      exits.add("progress", JSON.stringify(progress))
      if (args.way === "cancel") leaver.abort(new Error("left"))
    }
    const answer = await client
      .callTool({ name, arguments: args }, { onprogress, signal: leaver.signal })
      .catch((error: unknown) => String(error))
    exits.add("answers", typeof answer === "string" ? answer : JSON.stringify(answer))
  }
  const work = async () => {
    while (next < calls.length) {
      const args = calls[next++]!
      await call("leak", args)
      await call("leak_once", args)
      await call("leak_once", args)
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
}

/** Keeps each message that comes over a transport, as it comes. */
const tapped = (transport: Transport, exits: Exits): Transport => {
  let receive: Transport["onmessage"]
  return Object.defineProperty(transport, "onmessage", {
    get: () => receive,
    set: (given: Transport["onmessage"]) => {
      receive = (message, extra) => {
        exits.add("wire", JSON.stringify(message))
        given?.(message, extra)
      }
    }
  })
}

const newClient = () => new Client({ name: "test", version: "1" })

const inMemory = (calls: number, scrubber: Layer.Layer<never>) =>
  Effect.gen(function* () {
    const exits = new Exits()
    const { url } = yield* upstream
    const layer = services((text) => exits.add("kept", text)).pipe(
      Layer.provideMerge(waysOut(exits)),
      Layer.provideMerge(scrubber),
      Layer.provideMerge(Layer.succeed(UpstreamAt, url))
    )
    yield* Effect.gen(function* () {
      const transport = yield* connect(yield* ConnectorHost.make(Leaky), ada)
      const client = newClient()
      yield* Effect.promise(() => client.connect(tapped(transport, exits)))
      yield* Effect.promise(() => callAll(client, generated(calls), exits))
    }).pipe(Effect.scoped, Effect.provide(layer))
    return exits
  }).pipe(Effect.scoped)

const overHttp = (calls: number, scrubber: Layer.Layer<never>) =>
  Effect.gen(function* () {
    const exits = new Exits()
    const { url } = yield* upstream
    const layer = Mcp.layerHttpServer(Leaky, { port: 0 }).pipe(
      Layer.provide(services((text) => exits.add("kept", text))),
      Layer.provideMerge(waysOut(exits)),
      Layer.provideMerge(scrubber),
      Layer.provide(Layer.succeed(UpstreamAt, url))
    )
    const { address } = Context.get(yield* Layer.build(layer), HttpServer.HttpServer)
    const endpoint = new URL(`http://127.0.0.1:${address._tag === "UnixPathAddress" ? 0 : address.port}/mcp`)
    const watching: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      exits.add("wire", JSON.stringify([...response.headers]))
      const bytes = response.clone().text()
      bytes.then((text) => exits.add("wire", text)).catch(() => undefined)
      return response
    }
    const headers = { authorization: `Bearer ${canaries[1]}` }
    const client = newClient()
    const transport = new StreamableHTTPClientTransport(endpoint, { requestInit: { headers }, fetch: watching })
    yield* Effect.promise(() => client.connect(transport))
    yield* Effect.promise(() => callAll(client, generated(calls), exits))
    // A token that is a letter off, which an answer might repeat.
    const refused = yield* Effect.promise(() =>
      watching(endpoint, { method: "POST", headers: { authorization: `Bearer ${canaries[1]}x` }, body: "{}" })
    )
    assert.strictEqual(refused.status, 401)
    yield* Effect.promise(() => client.close())
    return exits
  }).pipe(Effect.scoped)

const overStdio = (calls: number, mode: "scrubbed" | "unscrubbed") =>
  Effect.gen(function* () {
    const exits = new Exits()
    const { url } = yield* upstream
    const file = fileURLToPath(new URL("leakyServer.ts", import.meta.url))
    const child = spawn(process.execPath, [file, url, mode])
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
    let rest = ""
    const transport: Transport = {
      start: async () => {
        child.stderr.on("data", (chunk: Buffer) => exits.add("stderr", chunk.toString()))
        child.stdout.on("data", (chunk: Buffer) => {
          exits.add("stdout", chunk.toString())
          const lines = (rest + chunk.toString()).split("\n")
          rest = lines.pop() ?? ""
          // Once the connection has ended, standard output is anybody's.
          for (const line of lines) if (line.startsWith('{"')) transport.onmessage?.(JSON.parse(line))
        })
      },
      send: async (message) => void child.stdin.write(JSON.stringify(message) + "\n"),
      close: async () => transport.onclose?.()
    }
    const client = newClient()
    yield* Effect.promise(() => client.connect(transport))
    yield* Effect.promise(() => callAll(client, generated(calls), exits))
    child.stdin.end()
    assert.strictEqual(yield* Effect.promise(() => ended), 0)
    return exits
  }).pipe(Effect.scoped)

const zeroOf = (hits: Readonly<Record<string, number>>) => Object.fromEntries(Object.keys(hits).map((way) => [way, 0]))

/** Compares a run with one that has no scrubber, and says how much was searched. */
const judge = (name: string, calls: number, exits: Exits, control: Exits, expected: ReadonlyArray<string>) => {
  const [found, planted] = [exits.hits(), control.hits()]
  const sizes = `${calls} calls, ${(exits.size / 1e6).toFixed(1)} MB searched`
  process.stdout.write(`${name}: ${sizes}\n  ${format(found)}\n  without a scrubber: ${format(planted)}\n`)
  assert.deepStrictEqual(found, zeroOf(found))
  for (const way of expected) {
    assert.isDefined(found[way], way)
    assert.isAbove(planted[way] ?? 0, 0, way)
  }
}

describe("no secret gets out of a connector whose handlers give them all away", () => {
  it.live("in memory", () =>
    Effect.gen(function* () {
      const exits = yield* inMemory(4 * combinations + 20, Layer.empty)
      const control = yield* inMemory(combinations / 4, unscrubbed)
      const logs = ["log, logfmt", "log, simple", "log, json"]
      const others = ["wire", "answers", "progress", "kept", "console", "spans", "audit"]
      judge("in memory", 3 * (4 * combinations + 20), exits, control, [...logs, ...others])
    })
  )

  it.live("over HTTP", () =>
    Effect.gen(function* () {
      const exits = yield* overHttp(combinations / 2, Layer.empty)
      const control = yield* overHttp(combinations / 8, unscrubbed)
      judge("over HTTP", (3 * combinations) / 2, exits, control, [
        "wire",
        "answers",
        "progress",
        "kept",
        "spans",
        "audit"
      ])
    })
  )

  it.live("over stdio", () =>
    Effect.gen(function* () {
      const exits = yield* overStdio(combinations / 2, "scrubbed")
      const control = yield* overStdio(combinations / 8, "unscrubbed")
      judge("over stdio", (3 * combinations) / 2, exits, control, ["stdout", "stderr", "answers"])
    })
  )
})
