/**
 * A probe of several clients at once: nobody gets what somebody else asked for.
 */
import { ValidationError } from "@ferrule/core/ConnectorError"
import type * as Connector from "@ferrule/core/Connector"
import { Principal } from "@ferrule/core/Principal"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { eras } from "../internal/Bench.ts"
import { call, cut, exchangeOf } from "../internal/Call.ts"
import { another, callable } from "../internal/callable.ts"
import type { Probe } from "../internal/Check.ts"

const rounds = 25

export const interleaved: Probe = {
  info: {
    id: "G05",
    title: "Two people who call at the same time get their own answers",
    why: "Versions 1.10.0 to 1.25.3 of the SDK gave one client's answers to another where servers shared a transport (CVE-2026-25536).",
    fix: "Serve the connector with Ferrule's own transport, which keeps nothing between requests.",
    severity: "block"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start({ program: namingItsCaller })
    const tools = callable(bench)
    if (tools.length === 0) return { notSeen: "nobody may call any of its tools" }
    const asked = yield* Effect.forEach(
      tools,
      Effect.fnUntraced(function* ({ arguments: args, caller, tool }) {
        return yield* Effect.forEach(
          [caller, another(caller)].flatMap((who) => eras.map((era) => ({ who, era }))),
          Effect.fnUntraced(function* ({ era, who }) {
            const client = yield* instance.connect(who, era)
            return { ask: call(client, tool.name, args), who }
          })
        )
      })
    )
    const clients = asked.flat()
    const seen = yield* Effect.forEach(
      Array.from({ length: rounds }, () => clients).flat(),
      ({ ask, who }) => Effect.map(ask, (called) => ({ called, who })),
      { concurrency: 40 }
    )
    const named = seen.flatMap(({ called, who }) => {
      const name = called.error?.issues?.find(({ path }) => path === "caller")?.expected
      return name === undefined ? [] : [{ called, who, name }]
    })
    if (named.length === 0) return { notSeen: "no answer says whose it is" }
    return {
      faults: named
        .filter(({ name, who }) => name !== who.principal.id)
        .slice(0, 5)
        .map(({ called, name, who }) => ({
          subject: called.tool,
          message: `gives ${who.principal.id} an answer of ${name}`,
          evidence: cut(called.text)
        })),
      note: `${named.length} answers to ${clients.length} clients at once`,
      transcript: named.slice(0, 2).map(({ called, who }) => exchangeOf(`as ${who.principal.id}`, called))
    }
  })
}

/** Every handler answers with the name of its caller, after a while of its own. */
const namingItsCaller = (_: Tool.Any, program: Connector.Program): Connector.Program => ({
  ...program,
  execute: () =>
    Effect.flatMap(Effect.serviceOption(Principal), (caller) => {
      const name = Option.isSome(caller) ? caller.value.id : "nobody"
      return Effect.andThen(
        Effect.sleep(`${name.length % 5} millis`),
        Effect.fail(ValidationError.at("caller", "is the one who called", name))
      )
    })
})
