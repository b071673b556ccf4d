/**
 * What a server is to one client after the other.
 */
import type { Client } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import { eras } from "../internal/Bench.ts"
import { BenchFault, type WireProbe } from "../internal/Check.ts"
import type { WireTarget } from "../internal/WireTarget.ts"
import { bothEras, restarts } from "../probes/transport.ts"

export const revisions: WireProbe = {
  info: bothEras.info,
  limit: 60,
  run: Effect.fnUntraced(function* (wire) {
    const seen = yield* Effect.forEach(eras, (era) =>
      Effect.scoped(Effect.flatMap(wire.connect(era), listOf)).pipe(
        Effect.map((tools) => ({ era, tools, fault: undefined })),
        Effect.catchTag("BenchFault", ({ message }) => Effect.succeed({ era, tools: [], fault: message }))
      )
    )
    return {
      faults: seen.flatMap(({ era, fault }) =>
        fault === undefined
          ? []
          : [
              {
                subject: wire.name,
                message: `can't be spoken to in ${era}`,
                evidence: fault,
                // Clients fall back to the older one, as long as they do.
                ...(era === "2026-07-28" && { severity: "warn" as const })
              }
            ]
      ),
      note: seen
        .map(({ era, fault, tools }) => `${era}: ${fault === undefined ? `${tools.length} tools` : "none"}`)
        .join(", ")
    }
  })
}

/** A command is started anew for each connection. */
export const sameList: WireProbe = {
  info: restarts.info,
  limit: 60,
  run: Effect.fnUntraced(function* (wire) {
    if (wire.target._tag === "Url") return { notSeen: "A server at an address can't be started again from outside." }
    const [first, second] = yield* Effect.all([newest(wire), newest(wire)])
    return {
      faults:
        first === second ? [] : [{ subject: wire.name, message: "lists its tools otherwise when it is started again" }],
      note: "2 starts"
    }
  })
}

const newest = (wire: WireTarget) =>
  Effect.scoped(
    wire.connect().pipe(
      Effect.flatMap(listOf),
      Effect.map((tools) => JSON.stringify(tools))
    )
  )

const listOf = (client: Client) =>
  Effect.tryPromise({
    try: () => client.listTools().then(({ tools }) => tools),
    catch: () => new BenchFault({ message: "The list of tools is not what the protocol says." })
  })
