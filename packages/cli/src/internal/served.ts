/**
 * Serves the connector of a module inside this process, with the layers that its audit gives for tests, to one caller.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Bench from "./Bench.ts"
import { withEveryRole } from "./bench/callers.ts"
import { loadModule } from "./loadModule.ts"
import type { Token } from "./token.ts"
import { Unusable } from "./Unusable.ts"

export interface ServeOptions {
  /** Who calls: one of the bench's callers, by its name. */
  readonly role?: string | undefined
  /** Unless `role` is given, someone who may call this tool calls; without either, someone who has every role. */
  readonly tool?: string | undefined
}

/** The address that it is served at until the scope closes, and the caller's token. */
export const serve = Effect.fnUntraced(function* (file: string, { role, tool }: ServeOptions) {
  const { audit } = yield* loadModule(file)
  if (audit === undefined) {
    return yield* new Unusable({
      message: `${file} exports a connector without the layers to start it with. Export Audit.make(connector, { layers }) of @ferrule/cli, or give the command that serves it in quotes.`
    })
  }
  const bench = yield* Bench.make(audit)
  const called = bench.tools.find(({ name }) => name === tool)
  const able = called === undefined ? undefined : bench.callerOf(called)
  const caller =
    role === undefined ? (able ?? withEveryRole(bench.callers)) : bench.callers.find(({ name }) => name === role)
  if (caller === undefined) {
    return yield* new Unusable({
      message: `No policy of ${file} names the role ${role}. Its callers are ${bench.callers.map(({ name }) => name).join(", ")}.`
    })
  }
  const instance = yield* Effect.catchTag(bench.start(), "BenchFault", ({ message }) => new Unusable({ message }))
  const token: Token = { from: file, value: Redacted.make(yield* instance.token(caller)) }
  return { url: new URL(instance.url), token }
})
