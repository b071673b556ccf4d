/** An example's server as its team starts it: a process of its own, on a port of this machine. */
import { Data, Effect } from "effect"
import { spawn } from "node:child_process"
import { createServer, type AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import type { Environment } from "../claude.ts"

/** A server that ended before it listened, and what it said. */
class NotStarted extends Data.TaggedError("NotStarted")<{ readonly message: string }> {}

/** Starts a module that logs where it listens, and gives its port. The process ends with the scope. */
export const started = (module: string, env: Environment) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<{ readonly port: number; readonly end: () => void }, NotStarted>((resume) => {
        const child = spawn(process.execPath, [module], { env, stdio: ["ignore", "ignore", "pipe"] })
        const end = () => void child.kill("SIGKILL")
        // For an end that leaves no time for scopes to close.
        process.once("exit", end)
        const said: Array<string> = []
        createInterface({ input: child.stderr }).on("line", (line) => {
          said.push(line)
          const port = /Listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1]
          if (port !== undefined) resume(Effect.succeed({ port: Number(port), end }))
        })
        child.once("close", () => resume(new NotStarted({ message: said.join("\n") })))
      }),
      ({ end }) => Effect.sync(end)
    ),
    ({ port }) => port
  )

/** A port that nobody listens on. */
export const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})
