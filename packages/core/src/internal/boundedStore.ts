/**
 * A store whose every step ends: one that does not answer within ten seconds has failed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { type IdempotencyStore, StoreError } from "../IdempotencyStore.ts"
import { atOnce } from "./atOnce.ts"

export const storeTimeout = Duration.seconds(10)

/** The memory store answers at once, so it is spared the race with a timer. */
export const bounded = (store: IdempotencyStore["Service"]): IdempotencyStore["Service"] =>
  store.scope === "process"
    ? store
    : {
        ...store,
        claim: (options) => inTime(store.claim(options)),
        read: (key) => inTime(store.read(key)),
        settle: (options) => inTime(store.settle(options)),
        release: (options) => inTime(store.release(options)),
        markUnknown: (options) => inTime(store.markUnknown(options)),
        takeOver: (options) => inTime(store.takeOver(options))
      }

/** The step may ignore interruption, so nobody waits for its end. */
export const inTime = <A, E>(
  step: Effect.Effect<A, E>,
  limit: Duration.Duration = storeTimeout
): Effect.Effect<A, E | StoreError> =>
  Effect.withFiber(({ context }) =>
    atOnce(context, step, (fiber) =>
      Effect.timeoutOrElse(Fiber.join(fiber), {
        duration: limit,
        orElse: () => {
          fiber.interruptUnsafe()
          return Effect.fail(new StoreError({ reason: `The store did not answer within ${Duration.format(limit)}` }))
        }
      })
    )
  )
