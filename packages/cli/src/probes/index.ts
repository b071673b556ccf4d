import type { Probe } from "../internal/Check.ts"
import { crash } from "./crash.ts"
import * as errors from "./errors.ts"
import { hostileValues } from "./hostileValues.ts"
import { interleaved } from "./interleaved.ts"
import * as output from "./output.ts"
import * as reads from "./reads.ts"
import { upstreamFaults } from "./upstreamFaults.ts"
import * as writes from "./writes.ts"

/** Every probe, by group. */
export const probes: ReadonlyArray<Probe> = [
  errors.badArgumentsAreNamed,
  errors.unknownTools,
  upstreamFaults,
  errors.defects,
  errors.sizeAndAdvice,
  writes.again,
  writes.concurrently,
  crash,
  writes.otherArguments,
  writes.someoneElse,
  writes.refusedBefore,
  reads.readsOnlyRead,
  reads.confirmations,
  output.conforming,
  output.bounded,
  output.injection,
  hostileValues,
  interleaved
]
