/**
 * A store of Ferrule's as the pipeline uses it.
 */
import { IdempotencyStore } from "@ferrule/core"
import { Duration, Effect, Layer } from "effect"
import { openEffect } from "./Callers.ts"
import { guards, leaseMillis, newOwner, result, retentionMillis, wrong } from "./Sample.ts"
import type { Opened } from "./Store.ts"

export const open = <E>(layer: Layer.Layer<IdempotencyStore, E>): Promise<Opened> =>
  openEffect(
    layer,
    Effect.map(IdempotencyStore, (store) => {
      const claim = (key: string, owner: string) => store.claim({ key, owner, guards, lease, retention })
      return {
        first: (key) => {
          const owner = newOwner()
          return Effect.flatMap(claim(key, owner), ({ _tag }) =>
            _tag === "Claimed"
              ? Effect.map(store.settle({ key, owner, result, retention }), (done) => done || wrong("not settled"))
              : wrong(_tag)
          )
        },
        replay: (key) =>
          Effect.map(claim(key, newOwner()), (found) => {
            if (found._tag !== "Existing" || found.result !== result) wrong(found._tag)
          })
      }
    })
  )

const lease = Duration.millis(leaseMillis)
const retention = Duration.millis(retentionMillis)
