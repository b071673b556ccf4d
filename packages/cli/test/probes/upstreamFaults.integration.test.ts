import { TransientError, ValidationError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { upstreamFaults } from "../../src/probes/upstreamFaults.ts"
import { findings } from "../fixtures/probing.ts"
import { ask, handlers, workshop } from "../fixtures/workshop.ts"

const timeout = 60_000
const request = HttpClientRequest.get("http://supplier.test/parts")

describe("E03, upstreams that fail", () => {
  it.live(
    "passes where each of their faults is the right class",
    () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* findings(upstreamFaults, workshop()), [])
      }),
    timeout
  )

  it.live(
    "finds a read that calls everything transient, and one that says nothing of it",
    () =>
      Effect.gen(function* () {
        const vague = workshop({
          handlers: {
            list: (input) =>
              Effect.mapError(
                handlers.list(input),
                () => new TransientError({ message: "Something went wrong", applied: "no" })
              )
          }
        })
        assert.deepStrictEqual(yield* findings(upstreamFaults, vague), [
          ...["400", "401", "403", "404", "409", "422"].map(
            (status) => `list_parts answers with TransientError where its upstream answers with ${status}`
          ),
          "list_parts does not say how long its upstream asks to wait"
        ])
        const calm = workshop({
          handlers: { list: (input) => Effect.catch(handlers.list(input), () => Effect.succeed({ parts: [] })) }
        })
        assert.deepStrictEqual(yield* findings(upstreamFaults, calm), [
          "list_parts answers as if nothing had happened where its upstream has failed"
        ])
      }),
    timeout
  )

  it.live(
    "finds a read that passes on what its upstream said",
    () =>
      Effect.gen(function* () {
        const frank = workshop({
          handlers: {
            list: (input) =>
              HttpClient.HttpClient.pipe(
                Effect.flatMap((client) => client.execute(request)),
                Effect.flatMap((response) => response.text),
                Effect.catch(() => Effect.succeed("")),
                Effect.timeoutOrElse({ duration: "300 millis", orElse: () => Effect.succeed("") }),
                Effect.flatMap((text) =>
                  text.includes("error") || text.includes("html")
                    ? Effect.fail(ValidationError.at("name", text))
                    : handlers.list(input)
                )
              )
          }
        })
        const said = yield* findings(upstreamFaults, frank)
        assert.include(said, "list_parts passes on what its upstream said, or where it is")
      }),
    timeout
  )

  it.live(
    "finds a write that its upstream does twice, since it never gets the key",
    () =>
      Effect.gen(function* () {
        const careless = workshop({
          handlers: {
            order: () => ask(HttpClientRequest.post("/orders"), Schema.Struct({ id: Schema.String }))
          }
        })
        assert.deepStrictEqual(yield* findings(upstreamFaults, careless), ["order_part has its upstream do it twice"])
      }),
    timeout
  )
})
