/**
 * Serves one long-lived connection, such as stdio, to one principal. Plain requests are answered here; everything else,
 * the choice of the revision included, is the SDK's, which sits on the same wire.
 */
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Scrubber from "@ferrule/core/Scrubber"
import {
  INVALID_REQUEST,
  isJSONRPCErrorResponse,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  parseJSONRPCMessage,
  type RequestId,
  type Transport
} from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { pack } from "./anyArguments.ts"
import { plainRequest } from "./plainRequest.ts"
import { progressParams, type ToolServer } from "./toolServer.ts"

/** The far end: takes serialized messages, one a call, in order. */
export interface Wire {
  readonly write: (message: string) => void
}

export interface Connection {
  /** Takes one message as it came off the wire, parsed but unchecked. */
  readonly receive: (message: unknown) => void
  /** Waits until every request that was received has been answered, then closes. */
  readonly drain: Effect.Effect<void>
  /** Interrupts the calls in flight and closes. */
  readonly close: Effect.Effect<void>
}

export const make = (server: ToolServer, principal: PrincipalData, wire: Wire): Effect.Effect<Connection> =>
  Effect.gen(function* () {
    // Guarded once, and not by each call.
    const fork = Effect.runForkWith(yield* Scrubber.guarded(Effect.context<never>()))
    // By fiber, since nothing keeps a client from giving two calls the same id.
    const calls = new Map<Fiber.Fiber<unknown, unknown>, RequestId>()
    // Those that have not come to their first wait, each begun from within the one before it, and cancelled from there too.
    const beginning: Array<{ readonly fiber: Fiber.Fiber<unknown, unknown>; readonly id: RequestId }> = []
    const atSdk = new Set<RequestId>()
    const waiting: Array<() => void> = []

    const settled = () => {
      if (calls.size > 0 || atSdk.size > 0 || beginning.length > 0) return
      for (const resume of waiting.splice(0)) resume()
    }

    const channel: Transport = {
      start: () => Promise.resolve(),
      send: (message) => {
        if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message)) {
          if (message.id !== undefined) atSdk.delete(message.id)
        }
        wire.write(JSON.stringify(message))
        settled()
        return Promise.resolve()
      },
      close: () => Promise.resolve(channel.onclose?.())
    }
    const sdk = serveStdio(() => server.sdkServer({ principal }), { transport: channel })

    const answerDirectly = (message: unknown): boolean => {
      const plain = plainRequest(message, undefined)
      if (plain === undefined) return false
      const { id } = plain
      const token = plain.method === "tools/call" ? plain.progressToken : undefined
      let reported = false
      const answer = server.answer(plain, {
        principal,
        idempotencyKey: undefined,
        progress:
          token === undefined
            ? undefined
            : (...report) => {
                reported = true
                const params = progressParams(token, ...report)
                wire.write(JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params }))
              }
      })
      if (answer === undefined) return false
      const written = Effect.flatMap(answer, ({ json }) => {
        // Clients look at a result at once and at a notification a moment later, so a report that comes in the same chunk
        // as the result would be lost on them.
        if (reported) return Effect.map(Effect.yieldNow, () => wire.write(json))
        wire.write(json)
        return Effect.void
      })
      const fiber = fork(
        Effect.withFiber((fiber) => {
          beginning.push({ fiber, id })
          return written
        })
      )
      beginning.pop()
      if (fiber.pollUnsafe() === undefined) {
        calls.set(fiber, id)
        fiber.addObserver(() => {
          calls.delete(fiber)
          settled()
        })
      } else settled()
      return true
    }

    const forward = (value: unknown): void => {
      const message = parseMessage(pack(value))
      if (message === undefined) {
        wire.write(JSON.stringify(invalidMessage(value)))
        return
      }
      if ("method" in message) {
        // A subscription stays open by nature, so nobody waits for its answer.
        if ("id" in message && message.method !== "subscriptions/listen") atSdk.add(message.id)
        if (message.method === "notifications/cancelled") cancel(message.params?.["requestId"])
      }
      channel.onmessage?.(message)
    }

    const cancel = (id: unknown): void => {
      for (const [fiber, each] of calls) if (each === id) fiber.interruptUnsafe()
      for (const { fiber, id: each } of beginning) if (each === id) fiber.interruptUnsafe()
      atSdk.delete(id as RequestId)
      settled()
    }

    const close = Effect.suspend(() => {
      for (const fiber of calls.keys()) fiber.interruptUnsafe()
      for (const { fiber } of beginning) fiber.interruptUnsafe()
      return Effect.promise(() => sdk.close())
    })

    return {
      receive: (message) => {
        if (!answerDirectly(message)) forward(message)
      },
      close,
      drain: Effect.andThen(
        Effect.callback<void>((resume) => {
          waiting.push(() => resume(Effect.void))
          settled()
        }),
        close
      )
    }
  })

const parseMessage = (value: unknown): JSONRPCMessage | undefined => {
  try {
    return parseJSONRPCMessage(value)
  } catch {
    return undefined
  }
}

const invalidMessage = (value: unknown) => {
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : undefined
  return {
    jsonrpc: "2.0",
    id: typeof id === "string" || Number.isSafeInteger(id) ? id : null,
    error: { code: INVALID_REQUEST, message: "The message is not a JSON-RPC message" }
  }
}
