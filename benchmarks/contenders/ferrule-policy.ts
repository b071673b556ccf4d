/**
 * Ferrule with a policy that looks at everything a policy can: roles, scopes, what the caller must not be, and the decoded
 * arguments.
 */
import { Policy } from "@ferrule/core"
import type { Parcel } from "../Workload.ts"
import { serveFerrule } from "./ferrule.ts"

export const contender = serveFerrule({
  allow: Policy.all(
    Policy.any(Policy.role("admin", "manager"), Policy.role("clerk", "driver", "sender")),
    Policy.scope("parcels", "prices"),
    Policy.not(Policy.role("suspended")),
    Policy.predicate(
      "only a manager sends what is heavier than ten kilograms",
      ({ roles }, { grams }: Parcel) => grams <= 10_000 || roles.includes("manager")
    )
  )
})
