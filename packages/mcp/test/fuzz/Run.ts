/**
 * What runs over HTTP and on stdio have in common: what they are told, and how a server's own account is judged.
 */
import type { Duration } from "effect"
import type { Broken } from "./faults.ts"
import * as Findings from "./Findings.ts"
import { fault } from "./Judge.ts"
import type { Ledger } from "./Ledger.ts"
import type { Condition } from "./server.ts"

export interface Options {
  readonly cases: number
  readonly seed: number
  /** How many messages in a thousand are of sizes around the limit. */
  readonly giants: number
  /** After how many cases the server is asked how it is. */
  readonly checkpoint: number
  readonly broken?: Broken
  /** How long an answer may take. Twenty seconds unless given: longer than a server in order takes on a busy machine. */
  readonly patience?: Duration.Input
}

export const defaultPatience: Duration.Input = "20 seconds"

export type Resources = Condition["resources"]

/** What there is more of than there was at the start. */
export const surplus = (resources: Resources, base: Resources): ReadonlyArray<string> =>
  Object.entries(resources)
    .filter(([kind, count]) => count > (base[kind] ?? 0))
    .map(([kind, count]) => `${count} ${kind} instead of ${base[kind] ?? 0}`)

export const judgeCondition = (
  findings: Findings.Findings,
  ledger: Ledger,
  { executions, outcomes, resources }: Condition,
  base: Resources
): void => {
  ledger.collect(executions)
  if (outcomes["Internal"] !== undefined) Findings.blame(findings, fault("an outcome that is a defect"))
  for (const detail of surplus(resources, base)) Findings.blame(findings, fault("keeps a handle", detail))
}
