/**
 * Sends an HTTP request as it is: with a Host of its own, or a header twice, which `fetch` does not let through.
 */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Answer, RawRequest } from "../Bench.ts"
import { BenchFault } from "../Check.ts"

export const send = (
  endpoint: string,
  { body, headers = {}, method = "POST", path }: RawRequest
): Effect.Effect<Answer, BenchFault> =>
  Effect.callback<Answer, BenchFault>((resume) => {
    const begun = performance.now()
    const fail = ({ message }: Error) =>
      resume(Effect.fail(new BenchFault({ message: `A request to the connector was not answered: ${message}.` })))
    const url = new URL(path ?? endpoint, endpoint)
    const { request } = url.protocol === "https:" ? Https : Http
    const outgoing = request(url, { method, headers, agent: false }, (incoming) => {
      const chunks: Array<Buffer> = []
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("error", fail)
      incoming.on("end", () => {
        const received = new Headers()
        for (const [name, values] of Object.entries(incoming.headersDistinct)) {
          for (const value of values ?? []) received.append(name, value)
        }
        resume(
          Effect.succeed({
            status: incoming.statusCode ?? 0,
            headers: received,
            text: Buffer.concat(chunks).toString("utf8"),
            millis: performance.now() - begun
          })
        )
      })
    })
    outgoing.on("error", fail)
    outgoing.end(body)
    return Effect.sync(() => outgoing.destroy())
  })
