/**
 * What the steps of a call ask of the context that it runs in, looked up once.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import { AuditTrail, type Trail } from "../AuditTrail.ts"
import { type Registry, Scrubber } from "../Scrubber.ts"

export interface Surroundings {
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly scrubber: Registry
  readonly trail: Trail
}

export const of = (context: Context.Context<never>): Surroundings => ({
  context,
  clock: Context.get(context, Clock.Clock),
  scrubber: Context.get(context, Scrubber),
  trail: Context.get(context, AuditTrail)
})
