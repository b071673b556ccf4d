/**
 * The probe of services that show what they hold.
 */
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Effect from "effect/Effect"
import { inspect } from "node:util"
import { callable } from "../internal/callable.ts"
import type { Probe } from "../internal/Check.ts"
import { type Departure, departuresOf, isNothing } from "../internal/departures.ts"
import { leaksIn } from "../internal/leaks.ts"
import { watchUpstream } from "../internal/watchUpstream.ts"

export const printedServices: Probe = {
  info: {
    id: "D05",
    title: "A service that is printed shows no secret",
    why: "Errors, debuggers and loggers print objects whole. A service that holds its token as a plain property gives it to all of them.",
    fix: "Hold the secret as Redacted, which prints <redacted>, or inside a closure.",
    severity: "block",
    question: "credentials"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const tools = callable(bench)
    const watch = watchUpstream()
    const instance = yield* bench.start({ upstream: watch.upstream })
    const departures: Array<Departure> = []
    for (const one of tools) {
      departures.push(yield* departuresOf(instance, watch, yield* instance.connect(one.caller, one.era), one))
    }
    const services = new Map([...instance.services.values()].flatMap(({ mapUnsafe }) => [...mapUnsafe]))
    const own = instance.secrets().filter(({ what }) => what !== "a caller's token")
    if (own.length === 0) {
      return departures.every(isNothing)
        ? {
            notApplicable:
              "Over the layers that it is probed with, it holds no credential: none is watched by the scrubber, and nothing that could carry one left this process while each of its tools was called."
          }
        : {
            notSeen:
              "Its handlers held no credential that could be seen: none was watched by the scrubber or sent in a header of HTTP. Tell Scrubber.watch of what they hold, such as a database's password, and it is looked for."
          }
    }
    const faults = Array.from(services).flatMap(([key, service]) =>
      isEffects(key)
        ? []
        : leaksIn(printed(service), own).map(({ form, what }) => ({
            subject: key,
            message: `shows ${what}, ${form}, when it is printed`
          }))
    )
    return { faults, note: `${services.size} services, ${own.length} credentials` }
  })
}

/** What the bench itself has put there, its watched scrubber above all. */
const isEffects = (key: string) => key.startsWith("effect/") || key === Scrubber.Scrubber.key

const printed = (service: unknown): string =>
  [
    () => inspect(service, { depth: 8, showHidden: true, maxArrayLength: 1000, maxStringLength: 10_000 }),
    () => JSON.stringify(service) ?? "",
    () => String(service)
  ]
    .map(attempt)
    .join("\n")

const attempt = (print: () => string): string => {
  try {
    return print()
  } catch {
    return ""
  }
}
