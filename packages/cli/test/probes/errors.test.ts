import { ValidationError } from "@ferrule/core"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Result } from "effect"
import { badArgumentsAreNamed, defects, sizeAndAdvice, unknownTools } from "../../src/probes/errors.ts"
import { findings } from "../fixtures/probing.ts"
import { workshop } from "../fixtures/workshop.ts"

// Each starts servers, many at a time.
vi.setConfig({ testTimeout: 60_000 })

const tools = ["list_parts", "order_part", "pin_note", "book_bench"]

describe("E01, bad arguments", () => {
  it.live("passes where each fault is named", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(badArgumentsAreNamed, workshop()), [])
    })
  )

  it.live("finds a tool that takes what its schema refuses", () =>
    Effect.gen(function* () {
      const lenient = workshop({
        tool: (tool) =>
          tool.name === "pin_note"
            ? { ...tool, input: { ...tool.input, decode: (input) => Result.succeed(input as object) } }
            : tool
      })
      assert.deepStrictEqual(yield* findings(badArgumentsAreNamed, lenient), [
        "pin_note accepts arguments that its schema refuses",
        "pin_note does not name every argument that is wrong",
        "pin_note runs its handler with arguments that its schema refuses",
        "workshop lets bad arguments consume 13 idempotency keys"
      ])
    })
  )

  it.live("finds a tool that names the first of two faults alone, and one that says a value back", () =>
    Effect.gen(function* () {
      const curt = workshop({
        tool: (tool) => ({
          ...tool,
          input: {
            ...tool.input,
            decode: (input) =>
              Result.mapError(tool.input.decode(input), ([first]) =>
                tool.name === "list_parts"
                  ? [first]
                  : [{ ...first, message: `got ${JSON.stringify(input)}`, expected: "" }]
              )
          }
        })
      })
      assert.deepStrictEqual(yield* findings(badArgumentsAreNamed, curt), [
        "list_parts does not name every argument that is wrong",
        "order_part says a rejected value back",
        "order_part does not name every argument that is wrong",
        "pin_note says a rejected value back",
        "pin_note does not name every argument that is wrong",
        "book_bench says a rejected value back",
        "book_bench does not name every argument that is wrong"
      ])
    })
  )
})

describe("E02, unknown tools", () => {
  it.live("passes where the protocol refuses them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(unknownTools, workshop()), [])
    })
  )

  it.live("finds a proxy that makes a result of the refusal, and one that tells hidden tools apart", () =>
    Effect.gen(function* () {
      const soft = yield* findings(unknownTools, workshop(), {
        proxy: (call) => (params, options) =>
          call(params, options).catch(() => ({ isError: true, content: [{ type: "text", text: "No such tool" }] }))
      })
      assert.deepStrictEqual(soft, [
        "there_is_no_such_tool is not there for this caller, and answers with an error that names no class instead of -32602",
        "list_parts is not there for this caller, and answers with an error that names no class instead of -32602",
        "order_part is not there for this caller, and answers with an error that names no class instead of -32602",
        "pin_note is not there for this caller, and answers with an error that names no class instead of -32602",
        "book_bench is not there for this caller, and answers with an error that names no class instead of -32602"
      ])
      const chatty = yield* findings(unknownTools, workshop(), {
        proxy: (call) => (params, options) =>
          call(params, options).catch((error: Error) => {
            if (params.name === "order_part") error.message = "You may not use it"
            throw error
          })
      })
      assert.deepStrictEqual(chatty, ["order_part is hidden, and its refusal tells that it exists"])
    })
  )
})

describe("E04, defects", () => {
  it.live("passes where a defect is a reference to the caller and a cause to the log", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(defects, workshop()), [])
    })
  )

  it.live("finds handlers that make an answer of a defect", () =>
    Effect.gen(function* () {
      const talkative = yield* findings(defects, workshop(), {
        program: (program) => ({
          ...program,
          execute: (input) =>
            Effect.catchDefect(program.execute(input), (defect) => Effect.fail(ValidationError.at("", String(defect))))
        })
      })
      assert.deepStrictEqual(
        talkative,
        tools.map((name) => `${name} answers a defect with ValidationError instead of Internal`)
      )
    })
  )

  it.live("finds a proxy that adds the stack", () =>
    Effect.gen(function* () {
      const open = yield* findings(defects, workshop(), {
        proxy: (call) => async (params, options) => {
          const answer = await call(params, options)
          return { ...answer, content: [...answer.content, { type: "text", text: "at run (/srv/app.js:1:2)" }] }
        }
      })
      assert.deepStrictEqual(
        open,
        tools.map((name) => `${name} tells the caller details of a defect`)
      )
    })
  )
})

describe("E05, size and advice", () => {
  it.live("passes where errors are short and say what to do", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(sizeAndAdvice, workshop()), [])
    })
  )

  it.live("finds errors that are too long, and advice that does not fit the class", () =>
    Effect.gen(function* () {
      const long = yield* findings(sizeAndAdvice, workshop(), {
        program: (program) => ({
          ...program,
          execute: (input) =>
            Effect.mapError(program.execute(input), (error) =>
              error._tag === "ValidationError" ? ValidationError.at("", "wrong ".repeat(1000)) : error
            )
        })
      })
      assert.deepStrictEqual(
        long,
        tools.map((name) => `${name} takes 1753 tokens to say what is wrong`)
      )
      const eager = yield* findings(sizeAndAdvice, workshop(), {
        proxy: (call) => async (params, options) => {
          const answer = await call(params, options)
          const error = answer._meta?.["ferrule/error"] as Record<string, unknown>
          return { ...answer, _meta: { "ferrule/error": { ...error, action: "retry" } } }
        }
      })
      assert.deepStrictEqual(
        eager,
        ["ValidationError", "AuthorizationError", "Internal"].flatMap((each) =>
          tools.map((name) => `${name} advises retry for ${each}`)
        )
      )
    })
  )
})
