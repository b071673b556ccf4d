/**
 * Limits as their author wrote them, checked and filled in.
 */
import * as Duration from "effect/Duration"
import type { Concurrency, Declared, RateLimit } from "../Limits.ts"

/** Fills in the defaults, and adds what is wrong with the limits to the faults of their tool or connector. */
export const declare = (
  options: { readonly rateLimit?: RateLimit; readonly concurrency?: Concurrency },
  faults: Array<string>,
  defaultWait: Duration.Input = "1 second"
): Declared => {
  const { concurrency, rateLimit } = options
  const window = Duration.fromInputUnsafe(rateLimit?.window ?? 0)
  const wait = Duration.fromInputUnsafe(concurrency?.wait ?? defaultWait)
  if (rateLimit !== undefined && !isCount(rateLimit.limit)) faults.push("rateLimit.limit must be an integer from 1")
  if (rateLimit !== undefined && !(Duration.isFinite(window) && Duration.isPositive(window))) {
    faults.push("rateLimit.window must be finite and positive")
  }
  if (concurrency !== undefined && !isCount(concurrency.limit)) {
    faults.push("concurrency.limit must be an integer from 1")
  }
  if (Duration.toMillis(wait) > 60_000 || Duration.isNegative(wait)) {
    faults.push("concurrency.wait must be from zero to a minute: a caller that waits longer has given up")
  }
  return {
    rateLimit: rateLimit && { whenUnavailable: "refuse", ...rateLimit, window },
    concurrency: concurrency && { limit: concurrency.limit, wait }
  }
}

const isCount = (limit: number): boolean => Number.isSafeInteger(limit) && limit > 0
