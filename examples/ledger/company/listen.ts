/**
 * An HTTP server of the company's on this machine.
 */
import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

/** Serves what is made of the server's own URL, until the scope closes. Port 0 takes any free one. */
export const listen = <A extends { readonly answer: RequestListener }>(
  port: number,
  make: (url: string) => A
): Effect.Effect<A, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly served: A; readonly stop: () => void }, Error>((resume) => {
      const server = createServer()
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen(port, "127.0.0.1", () => {
        const served = make(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
        server.on("request", served.answer)
        const stop = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ served, stop }))
      })
    }),
    ({ stop }) => Effect.sync(stop)
  ).pipe(Effect.map(({ served }) => served))

export const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = ""
  for await (const chunk of request.setEncoding("utf8")) text += chunk
  return text
}
