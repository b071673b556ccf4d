import { IdempotencyStore } from "@ferrule/core/IdempotencyStore"
import * as Context from "effect/Context"
import * as Option from "effect/Option"

/**
 * Makes nothing of the lock by which a store in memory keeps a second process away: each instance that is probed has
 * records of its own, and may run beside the connector that it is of.
 */
export const shared = (
  built: Context.Context<unknown>,
  wrap: (store: IdempotencyStore["Service"]) => IdempotencyStore["Service"] = (store) => store
): Context.Context<never> => {
  const given = Context.getOption(built as Context.Context<IdempotencyStore>, IdempotencyStore)
  if (Option.isNone(given)) return Context.empty()
  const store = given.value.scope === "process" ? { ...given.value, scope: "shared" as const } : given.value
  return Context.make(IdempotencyStore, wrap(store)) as Context.Context<never>
}
