/**
 * Notes the keys that calls claim at an instance's store.
 */
import type { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import * as Effect from "effect/Effect"

export interface ClaimWatch {
  readonly store: (store: IdempotencyStore["Service"]) => IdempotencyStore["Service"]
  readonly keys: ReadonlyArray<string>
}

export const watchClaims = (): ClaimWatch => {
  const keys: Array<string> = []
  return {
    keys,
    store: (store) => ({
      ...store,
      claim: (options) =>
        Effect.suspend(() => {
          keys.push(options.key)
          return store.claim(options)
        })
    })
  }
}
