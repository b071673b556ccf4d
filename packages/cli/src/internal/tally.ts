/**
 * The faults of many cases in few findings: one for each subject and message, with the first one's evidence and how often
 * it was seen.
 */
import type { Fault } from "./Check.ts"

export const tally = (faults: ReadonlyArray<Fault>): ReadonlyArray<Fault> => {
  const groups = Map.groupBy(faults, ({ message, subject }) => `${subject} ${message}`)
  return Array.from(groups.values(), ([first, ...others]) =>
    others.length === 0 ? first! : { ...first!, message: `${first!.message} (in ${others.length + 1} cases)` }
  )
}
