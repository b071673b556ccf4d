import { assert, describe, it } from "@effect/vitest"
import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as FirstTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Deferred, Effect, Fiber } from "effect"
import { connect } from "../src/internal/inMemory.ts"
import { ada, adaToken, makeHost, serve, vic, vicToken } from "./testHost.ts"

const eras: ReadonlyArray<readonly [string, ClientOptions]> = [
  ["2026", { versionNegotiation: { mode: { pin: "2026-07-28" } } }],
  ["2025", { versionNegotiation: { mode: "legacy" } }],
  ["the newest that both speak", { versionNegotiation: { mode: "auto" } }]
]

const overHttp = (url: URL, token: string, options: ClientOptions) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1" }, options)
      await client.connect(
        new StreamableHTTPClientTransport(url, { requestInit: { headers: { authorization: `Bearer ${token}` } } })
      )
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

const inMemory = (host: Parameters<typeof connect>[0], principal: typeof ada, options: ClientOptions) =>
  Effect.gen(function* () {
    const transport = yield* connect(host, principal)
    return yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const client = new Client({ name: "test", version: "1" }, options)
        await client.connect(transport)
        return client
      }),
      (client) => Effect.promise(() => client.close())
    )
  })

const textOf = (result: { content?: ReadonlyArray<unknown> }) => {
  const [block] = result.content ?? []
  return (block as { text: string }).text
}

for (const [era, options] of eras) {
  for (const transport of ["HTTP", "memory"]) {
    describe(`a client of ${era} over ${transport}`, () => {
      const open = Effect.fnUntraced(function* (admin = true) {
        const fixture = yield* makeHost
        const client =
          transport === "HTTP"
            ? yield* overHttp(yield* serve(fixture.host), admin ? adaToken : vicToken, options)
            : yield* inMemory(fixture.host, admin ? ada : vic, options)
        return { ...fixture, client }
      })

      it.effect("learns what the server is, and lists and calls its tools", () =>
        Effect.gen(function* () {
          const { client } = yield* open()
          assert.strictEqual(client.getInstructions(), "Ask before you delete.")
          assert.deepInclude(client.getServerVersion(), { name: "test-desk", version: "1.2.3" })
          const { tools } = yield* Effect.promise(() => client.listTools())
          assert.deepStrictEqual(
            tools.map(({ name }) => name),
            ["echo", "whoami", "steps", "slow", "broken", "scoped", "region", "count", "secret"]
          )
          const echo = yield* Effect.promise(() => client.callTool({ name: "echo", arguments: { text: "hi" } }))
          assert.strictEqual(textOf(echo), '{"text":"hi"}')
          const region = yield* Effect.promise(() => client.callTool({ name: "region", arguments: { region: "Köln" } }))
          assert.strictEqual(textOf(region), '{"region":"Köln"}')
          const whoami = yield* Effect.promise(() => client.callTool({ name: "whoami", arguments: {} }))
          assert.deepStrictEqual(whoami.structuredContent, { id: "ada" })
          const count = yield* Effect.promise(() => client.callTool({ name: "count", arguments: {} }))
          assert.deepStrictEqual(
            count.structuredContent,
            client.getNegotiatedProtocolVersion() === "2026-07-28" ? 7 : { result: 7 }
          )
        })
      )

      it.effect("sees the progress of a call as it rises", () =>
        Effect.gen(function* () {
          const { client } = yield* open()
          const seen: Array<unknown> = []
          const result = yield* Effect.promise(() =>
            client.callTool({ name: "steps", arguments: {} }, { onprogress: ({ progress }) => seen.push(progress) })
          )
          assert.deepStrictEqual(seen, [10, 50])
          assert.strictEqual(textOf(result), '{"reported":true}')
        })
      )

      it.effect("gets one error for unknown and hidden tools, and one for defects", () =>
        Effect.gen(function* () {
          const { client } = yield* open(false)
          const failure = (name: string) =>
            Effect.promise(() =>
              client.callTool({ name }).then(
                () => assert.fail("the call succeeded"),
                (error: { readonly code: number; readonly message: string }) => error
              )
            )
          const unknown = yield* failure("no_such_tool")
          const hidden = yield* failure("secret")
          assert.strictEqual(unknown.code, -32602)
          assert.include(unknown.message, "Unknown tool: list the tools to see those available to you")
          assert.strictEqual(hidden.message, unknown.message)
          const broken = yield* failure("broken")
          assert.strictEqual(broken.code, -32603)
          assert.notInclude(broken.message, "hunter2")
        })
      )

      it.effect("interrupts a call that it cancels, and goes on", () =>
        Effect.gen(function* () {
          const { client, interrupted, started } = yield* open()
          const call = yield* Effect.forkChild(
            Effect.exit(Effect.tryPromise((signal) => client.callTool({ name: "slow" }, { signal })))
          )
          yield* Deferred.await(started)
          yield* Fiber.interrupt(call)
          if (transport === "memory" || era !== "2025") yield* Deferred.await(interrupted)
          const echo = yield* Effect.promise(() => client.callTool({ name: "echo", arguments: { text: "hi" } }))
          assert.strictEqual(textOf(echo), '{"text":"hi"}')
        })
      )
    })
  }
}

describe("two clients", () => {
  it.effect("that use the same request ids at the same time each get their own answers", () =>
    Effect.gen(function* () {
      const { host } = yield* makeHost
      const url = yield* serve(host)
      const modern = yield* overHttp(url, adaToken, eras[0]![1])
      const legacy = yield* overHttp(url, vicToken, eras[1]![1])
      const ask = (client: Client, text: string) =>
        Effect.promise(async () => {
          const echo = textOf(await client.callTool({ name: "echo", arguments: { text } }))
          const who = textOf(await client.callTool({ name: "whoami", arguments: {} }))
          return [JSON.parse(echo).text, JSON.parse(who).id]
        })
      const questions = Array.from({ length: 100 }, (_, index) => index)
      const answers = yield* Effect.forEach(
        questions,
        (index) => ask(index % 2 === 0 ? modern : legacy, String(index)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        answers,
        questions.map((index) => [String(index), index % 2 === 0 ? "ada" : "vic"])
      )
    })
  )
})

describe("a client of the first SDK", () => {
  it.effect("lists and calls tools", () =>
    Effect.gen(function* () {
      const url = yield* serve((yield* makeHost).host)
      const client = new FirstClient({ name: "test", version: "1" })
      const requestInit = { headers: { authorization: `Bearer ${adaToken}` } }
      yield* Effect.promise(() => client.connect(new FirstTransport(url, { requestInit })))
      assert.lengthOf((yield* Effect.promise(() => client.listTools())).tools, 9)
      const seen: Array<number> = []
      const result = yield* Effect.promise(() =>
        client.callTool({ name: "steps", arguments: {} }, undefined, {
          onprogress: ({ progress }) => seen.push(progress)
        })
      )
      assert.strictEqual(textOf(result as { content: ReadonlyArray<unknown> }), '{"reported":true}')
      assert.deepStrictEqual(seen, [10, 50])
      yield* Effect.promise(() => client.close())
    })
  )
})
