/**
 * The wire between the workers and a store's server, which can break: connections end at once, or lose the answer to
 * a statement that the server has carried out.
 */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import type { Dice } from "./Dice.ts"

export interface Proxy {
  readonly port: number
  /** Breaks about half of the connections: now, or at the next answer. */
  readonly cut: (dice: Dice) => Effect.Effect<void>
}

interface Wire {
  readonly end: () => void
  losesNextAnswer: boolean
}

export const make = (target: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const wires = new Set<Wire>()

    const join = (client: Socket): void => {
      const server = connect({ port: target, host: "127.0.0.1", noDelay: true })
      const wire: Wire = {
        losesNextAnswer: false,
        end: () => {
          wires.delete(wire)
          client.destroy()
          server.destroy()
        }
      }
      wires.add(wire)
      client.setNoDelay(true).on("error", wire.end).on("close", wire.end).pipe(server)
      server.on("error", wire.end).on("close", wire.end)
      server.on("data", (answer) => (wire.losesNextAnswer ? wire.end() : client.write(answer)))
    }

    const listener = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const listener = createServer(join).listen(0, "127.0.0.1")
        await once(listener, "listening")
        return listener
      }),
      (listener) =>
        Effect.sync(() => {
          listener.close()
          for (const wire of wires) wire.end()
        })
    )
    return {
      port: (listener.address() as AddressInfo).port,
      cut: (dice) =>
        Effect.sync(() => {
          const later = dice.chance(0.5)
          for (const wire of wires) {
            if (dice.chance(0.5)) continue
            if (later) wire.losesNextAnswer = true
            else wire.end()
          }
        })
    }
  })
