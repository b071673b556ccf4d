/**
 * Plays the story of the ledger: a real identity provider, a ledger that checks its own tokens, the connector between them,
 * and three people with agents. It prints each exchange, checks what it claims on the other side of it, and exits with 1,
 * naming the scene, when something is not as it must be.
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Clock, Effect } from "effect"
import * as Screen from "../service-desk/demo/Screen.ts"
import { scene, SceneError } from "../service-desk/demo/Stage.ts"
import * as Stage from "./demo/Stage.ts"
import * as World from "./demo/World.ts"
import { leaving } from "./scenes/leaving.ts"
import { amounts, rates, whoMayWhat } from "./scenes/policy.ts"
import { repeats } from "./scenes/repeats.ts"
import { rotation } from "./scenes/rotation.ts"
import { signingIn } from "./scenes/signingIn.ts"
import { canaries, carelessLedger, wrongPlaces } from "./scenes/tokens.ts"

const play = Effect.gen(function* () {
  const began = yield* Clock.currentTimeMillis
  Screen.title("A ledger behind single sign-on: who is calling, what they may do, and which token goes where")
  const world = yield* World.make
  Screen.note(
    `The identity provider is ${world.provider.issuer}, the connector ${world.endpoint.href}, a process of its own, and the ` +
      `ledger ${world.ledger.url}, known to the provider as ${world.audience}.`
  )

  const agents = yield* scene("A", "Where to sign in", signingIn(world))
  const stage = Stage.make(world, agents)
  yield* scene("B", "Who may call what", whoMayWhat(stage))
  yield* scene("C", "120.00 and 9,000.00", amounts(stage))
  yield* scene("D", "The same write again", repeats(stage))
  yield* scene("E", "Tokens where they do not belong", wrongPlaces(stage))
  yield* scene("F", "A ledger that quotes tokens", carelessLedger(stage))
  yield* scene("G", "An agent that runs wild", rates(stage))
  yield* scene("H", "Keys and secret rotate under load", rotation(stage))
  yield* scene("I", "Somebody leaves", leaving(stage))
  yield* scene("J", "A search for every token", canaries(stage))

  Screen.summary([
    "Each hop has a token of its own, for its own audience, and each checks it for itself.",
    "What a person may not do is refused before the ledger hears of it.",
    `Keys, secrets and people come and go while it runs. All in ${(((yield* Clock.currentTimeMillis) - began) / 1000).toFixed(1)} s.`
  ])
})

runMain(
  Effect.scoped(play).pipe(
    Effect.tapError((error) =>
      Effect.sync(() =>
        Screen.failed(
          error instanceof SceneError ? `Scene ${error.scene}` : "The start",
          error instanceof SceneError ? error.why : error.message
        )
      )
    )
  ),
  { disableErrorReporting: true }
)
