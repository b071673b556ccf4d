import { Clock, Effect, Schedule } from "effect"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import { ask, type Stage } from "../demo/Stage.ts"
import { tokenLifetime } from "../demo/World.ts"

/** Somebody leaves, with an agent that still has a token for the connector. */
export const leaving = Effect.fnUntraced(function* (stage: Stage) {
  const { agents, provider } = stage
  Screen.note("Cleo leaves the company, and the identity provider closes her account. Her agent goes on calling.")
  const closedAt = yield* Clock.currentTimeMillis
  const before = provider.exchanges.length
  provider.close("cleo")
  const last = yield* ask(agents.cleo, "read_balance", { account: "bank" }).pipe(
    Effect.repeat({
      until: ({ refusal }) => refusal !== undefined,
      schedule: Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))
    })
  )
  const took = (yield* Clock.currentTimeMillis) - closedAt
  const requests = stage.requests()
  const exchanges = provider.exchanges.length
  yield* check(last.refusal === "AuthorizationError", "she is refused, with an AuthorizationError")
  const again = yield* stage.call("cleo", "read_balance", { account: "bank" })
  yield* check(again.refusal === "AuthorizationError", "and again")
  yield* check(stage.requests() === requests, "the ledger hears no more of her")
  yield* prove(
    provider.exchanges.slice(before).some(({ given }) => !given) &&
      provider.exchanges.slice(exchanges).every(({ person }) => person !== "cleo"),
    `refused ${(took / 1000).toFixed(1)} s later: the provider gives no more tokens for her, and the last one lived ${tokenLifetime} s`
  )
  const signIn = yield* Effect.flip(Effect.scoped(stage.signIn("cleo")))
  yield* prove(signIn.message.includes("403"), "nor can she sign in anew")
})
