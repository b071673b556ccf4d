/**
 * Probes of what a tool does by its name: a read changes nothing, and what asks for a confirmation does nothing without one.
 */
import * as Effect from "effect/Effect"
import { type Called, call, cut, exchangeOf } from "../internal/Call.ts"
import { callable, callableWrites } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { type Departure, departuresOf, spokenTo, unseenOf } from "../internal/departures.ts"
import type { JsonSchema } from "../internal/Subject.ts"
import { watchUpstream } from "../internal/watchUpstream.ts"

export const readsOnlyRead: Probe = {
  info: {
    id: "F07",
    title: "A read sends no request that changes something upstream",
    why: "Clients call what is marked read-only without asking anybody, and as often as they like. Nothing makes such a call happen once.",
    fix: "Declare it with Tool.write. A search that its upstream takes as a POST is accepted by a suppression that says so.",
    severity: "block",
    question: "writes"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const reads = callable(bench).filter(({ tool }) => tool.kind === "read")
    if (reads.length === 0) return { notApplicable: "it has no read that anybody may call" }
    const watch = watchUpstream()
    const instance = yield* bench.start({ upstream: watch.upstream })
    const departures: Array<Departure> = []
    for (const one of reads) {
      departures.push(yield* departuresOf(instance, watch, yield* instance.connect(one.caller, one.era), one))
    }
    const seen = departures.map(({ called, others, sent }) => ({
      called,
      sent: [...sent, ...others].filter(({ isGrant }) => !isGrant)
    }))
    const requests = seen.flatMap(({ sent }) => sent)
    const spoken = spokenTo(departures)
    const unseen = unseenOf(departures)
    return {
      faults: seen.flatMap(({ called, sent }) =>
        sent
          .filter(({ mutates }) => mutates)
          .map(({ method, url }): Fault => ({
            subject: called.tool,
            message: `sends a ${method} to ${url.pathname}`,
            evidence: cut(`${called.tool} ${JSON.stringify(called.arguments)}`)
          }))
      ),
      note: [
        `${requests.length} requests of ${reads.length} reads`,
        ...(spoken.length === 0 ? [] : [`what they say to ${spoken.join(", ")} is no HTTP and was not judged`]),
        ...(unseen === undefined ? [] : [`what goes by ${unseen} can't be seen`])
      ].join("; "),
      transcript: seen
        .filter(({ sent }) => sent.length > 0)
        .map(({ called, sent }) => ({
          ...exchangeOf("a read", called),
          answered: sent.map(({ method, url }) => `${method} ${url.pathname}`).join("\n")
        }))
    }
  })
}

const confirmation = /^confirm(ed|ation)?([_-]?token)?$/i

export const confirmations: Probe = {
  info: {
    id: "F08",
    title: "A write that takes a confirmation does nothing without it",
    why: "A confirmation that is not checked is worse than none, since people believe in it.",
    fix: "Make the confirmation a required parameter, and refuse the call where it is missing, false or another than was given out.",
    severity: "block",
    question: "writes"
  },
  run: Effect.fnUntraced(function* (bench) {
    const asking = callableWrites(bench).flatMap((write) => {
      const field = write.tool.input.fields.find((name) => confirmation.test(name))
      return field === undefined ? [] : [{ ...write, field }]
    })
    if (asking.length === 0) {
      return { notApplicable: "no write has a parameter for a confirmation; clients ask their users by the hints" }
    }
    const seen = yield* Effect.forEach(
      asking,
      Effect.fnUntraced(function* ({ arguments: args, caller, era, field, tool }) {
        const { [field]: _, ...without } = args
        const schema = (tool.input.jsonSchema["properties"] as Readonly<Record<string, JsonSchema>>)[field]
        const others = schema?.["type"] === "boolean" ? [false] : ["not-what-was-given-out"]
        const unconfirmed = [without, ...others.map((value) => ({ ...args, [field]: value }))]
        return yield* Effect.forEach(
          unconfirmed,
          Effect.fnUntraced(function* (given) {
            const instance = yield* bench.start()
            return yield* call(yield* instance.connect(caller, era), tool.name, given)
          })
        )
      })
    )
    const calls: ReadonlyArray<Called> = seen.flat()
    return {
      faults: calls
        .filter(({ isError }) => !isError)
        .map(({ arguments: args, tool }) => ({
          subject: tool,
          message: "is done without a confirmation",
          evidence: JSON.stringify(args)
        })),
      note: `${calls.length} calls without a confirmation`,
      transcript: calls.slice(0, 2).map((called) => exchangeOf("without a confirmation", called))
    }
  })
}
