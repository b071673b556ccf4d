import * as Audit from "@ferrule/cli/Audit"
import { Connector, type ConnectorError, Policy, Tool, ValidationError } from "@ferrule/core"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { hostileValues } from "../../src/probes/hostileValues.ts"
import { interleaved } from "../../src/probes/interleaved.ts"
import { bounded, conforming, injection } from "../../src/probes/output.ts"
import { findings } from "../fixtures/probing.ts"
import { ask, handlers, workshop } from "../fixtures/workshop.ts"

// Each starts servers, many at a time.
vi.setConfig({ testTimeout: 60_000 })

const tools = ["list_parts", "order_part", "pin_note", "book_bench"]

describe("G01, results", () => {
  it.live("passes where they keep to the schema", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(conforming, workshop()), [])
    })
  )

  it.live("finds a tool that lists another schema than it returns, and one that passes on what it gets", () =>
    Effect.gen(function* () {
      const lying = workshop({
        tool: (tool) => ({
          ...tool,
          output: {
            ...tool.output,
            jsonSchema: { ...tool.output.jsonSchema, required: ["price"] },
            encode: (value) => (tool.name === "list_parts" ? Result.succeed(value) : tool.output.encode(value))
          }
        })
      })
      assert.deepStrictEqual(yield* findings(conforming, lying), [
        "list_parts returns what its listed schema refuses",
        "list_parts passes on a field of the upstream that its schema lacks",
        "order_part returns what its listed schema refuses",
        "pin_note returns what its listed schema refuses",
        "book_bench returns what its listed schema refuses"
      ])
    })
  )

  it.live("says where the arguments do not succeed", () =>
    Effect.gen(function* () {
      const strict = workshop({ handlers: { list: () => Effect.fail(ValidationError.at("name", "names no part")) } })
      assert.deepStrictEqual(yield* findings(conforming, strict), [
        "list_parts could not be seen: its arguments came to ValidationError"
      ])
    })
  )
})

describe("G02, a flood", () => {
  it.live("passes where an answer has an end", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(bounded, workshop()), [])
    })
  )

  it.live("finds a tool that answers with all of it", () =>
    Effect.gen(function* () {
      const endless = workshop({ tool: (tool) => ({ ...tool, maxResultSize: 10_000_000 }) })
      assert.deepStrictEqual(yield* findings(bounded, endless), [
        "list_parts answers with 1031261 characters",
        "order_part answers with 1000009 characters",
        "pin_note answers with 1000009 characters",
        "book_bench answers with 1000009 characters"
      ])
    })
  )
})

describe("G03, orders in data", () => {
  it.live("passes where the text has them as data, and hidden characters as escapes", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(injection, workshop()), [])
    })
  )

  it.live("finds a proxy that writes the text anew, with the hidden characters as they are", () =>
    Effect.gen(function* () {
      const careless = yield* findings(injection, workshop(), {
        proxy: (call) => async (params, options) => {
          const answer = await call(params, options)
          if (answer.isError === true) return answer
          return { ...answer, content: [{ type: "text", text: JSON.stringify(answer.structuredContent) }] }
        }
      })
      assert.deepStrictEqual(careless, [
        "workshop hands on hidden characters that people wrote, in the results of 4 tools"
      ])
    })
  )

  it.live("finds an error that repeats what the upstream said", () =>
    Effect.gen(function* () {
      const frank = workshop({
        handlers: {
          list: (input) =>
            HttpClient.HttpClient.pipe(
              Effect.flatMap((client) => client.execute(HttpClientRequest.get("http://supplier.test/parts"))),
              Effect.flatMap((response) => response.text),
              Effect.catch(() => Effect.succeed("")),
              Effect.flatMap((text) =>
                text.includes("error") ? Effect.fail(ValidationError.at("name", text)) : handlers.list(input)
              )
            )
        }
      })
      assert.deepStrictEqual(yield* findings(injection, frank), [
        "list_parts repeats in an error what its upstream said"
      ])
    })
  )

  it.live("finds a proxy that puts its own words beside the data", () =>
    Effect.gen(function* () {
      const chatty = yield* findings(injection, workshop(), {
        proxy: (call) => async (params, options) => {
          const answer = await call(params, options)
          if (answer.isError === true) return answer
          const said = answer.content.map((block) => (block.type === "text" ? block.text : "")).join("")
          return { ...answer, content: [{ type: "text", text: `Here it is: ${said}` }] }
        }
      })
      assert.deepStrictEqual(
        chatty,
        tools.map((name) => `${name} mixes what its upstream says with what it says itself`)
      )
    })
  )
})

describe("G04, hostile values", () => {
  it.live("passes where a pattern refuses them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(hostileValues, workshop()), [])
    })
  )

  it.live("finds a value that chooses the address of a request", () =>
    Effect.gen(function* () {
      const open = workshop({
        tool: (tool) =>
          tool.name === "list_parts"
            ? { ...tool, input: { ...tool.input, decode: (input) => Result.succeed(input as object) } }
            : tool,
        handlers: {
          list: ({ name }) => Effect.as(ask(HttpClientRequest.get(`/parts/${name}`), Schema.Unknown), { parts: [] })
        }
      })
      assert.deepStrictEqual(yield* findings(hostileValues, open), [
        "list_parts lets name choose where its request goes"
      ])
    })
  )

  it.live("finds an address that may be any", () =>
    Effect.gen(function* () {
      const Url = Schema.String.check(Schema.isMaxLength(200)).annotate({ description: "Where the page is." })
      const Pages = Connector.make("pages", {
        version: "1.0.0",
        tools: [
          Tool.read("count_words", {
            title: "Count words",
            description: "Counts the words of a page. Use it for long ones. It does not return them.",
            input: Schema.Struct({ url: Url }),
            output: Schema.Struct({ words: Schema.Int.annotate({ description: "How many." }) }),
            allow: Policy.role("reader")
          })
        ]
      })
      const pages = Audit.make(Pages, {
        layers: Pages.toLayer({ count_words: () => Effect.succeed({ words: 7 }) }),
        arguments: { count_words: { url: "https://wiki.acme.example/" } }
      })
      assert.deepStrictEqual(yield* findings(hostileValues, pages), ["count_words accepts any value of url"])
    })
  )
})

describe("G05, several clients", () => {
  it.live("passes where each gets its own answers", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(interleaved, workshop()), [])
    })
  )

  it.live("finds a cache that does not ask for whom it is", () =>
    Effect.gen(function* () {
      let first: ConnectorError | undefined
      const shared = yield* findings(interleaved, workshop(), {
        program: (program) => ({
          ...program,
          execute: (input) => Effect.mapError(program.execute(input), (error) => (first ??= error))
        })
      })
      assert.isAbove(shared.length, 0)
    })
  )
})
