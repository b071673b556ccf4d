import type { WireProbe } from "../internal/Check.ts"
import * as access from "./access.ts"
import * as answers from "./answers.ts"
import * as connections from "./connections.ts"
import { pureOutput } from "./pureOutput.ts"

/** Every probe that can be made from outside, by group. Each has the id of the check that it is a part of. */
export const wireProbes: ReadonlyArray<WireProbe> = [
  access.withoutToken,
  access.tokenInAddress,
  answers.badArguments,
  answers.unknownTool,
  answers.sizeAndAdvice,
  access.foreignCallers,
  pureOutput,
  connections.revisions,
  connections.sameList
]
