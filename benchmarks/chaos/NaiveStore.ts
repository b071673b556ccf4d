/**
 * The design that the harness must catch: a lease that lapses gives the key to whoever asks next, who executes again. It
 * keeps everything else as it is, the compare-and-set on the owner included.
 */
import { IdempotencyStore } from "@ferrule/core"
import { Effect, Layer, Option } from "effect"

export const layer = Layer.effect(
  IdempotencyStore,
  Effect.map(IdempotencyStore, (store) =>
    IdempotencyStore.of({
      ...store,
      claim: (options) =>
        Effect.flatMap(store.claim(options), (claim) => {
          if (claim._tag !== "Existing" || claim.guards !== options.guards) return Effect.succeed(claim)
          if (claim.state !== "unknown" && !claim.lapsed) return Effect.succeed(claim)
          return Effect.map(
            store.takeOver({ ...options, previousOwner: claim.owner }),
            Option.match({ onNone: () => claim, onSome: () => ({ _tag: "Claimed" as const }) })
          )
        })
    })
  )
)
