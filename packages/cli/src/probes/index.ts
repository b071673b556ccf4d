import type { Probe } from "../internal/Check.ts"
import * as access from "./access.ts"
import * as claims from "./claims.ts"
import { crash } from "./crash.ts"
import * as errors from "./errors.ts"
import { hostileValues } from "./hostileValues.ts"
import { interleaved } from "./interleaved.ts"
import * as operation from "./operation.ts"
import * as output from "./output.ts"
import * as printing from "./printing.ts"
import * as reads from "./reads.ts"
import * as rejected from "./rejected.ts"
import * as secrecy from "./secrecy.ts"
import * as sessions from "./sessions.ts"
import { someoneElse } from "./someoneElse.ts"
import * as stdio from "./stdio.ts"
import * as stopping from "./stopping.ts"
import * as tokens from "./tokens.ts"
import * as transport from "./transport.ts"
import { upstreamFaults } from "./upstreamFaults.ts"
import * as writes from "./writes.ts"

/** Every probe, by group. */
export const probes: ReadonlyArray<Probe> = [
  tokens.noToken,
  tokens.badTokens,
  access.matrix,
  access.listings,
  tokens.tokenInQuery,
  sessions.passthrough,
  sessions.rotation,
  sessions.expiry,
  claims.foreignKeys,
  claims.ownClaims,
  claims.policySource,
  secrecy.everyWayOut,
  secrecy.badEnds,
  rejected.malformedTokens,
  rejected.badArguments,
  printing.printedServices,
  errors.badArgumentsAreNamed,
  errors.unknownTools,
  upstreamFaults,
  errors.defects,
  errors.sizeAndAdvice,
  writes.again,
  writes.concurrently,
  crash,
  writes.otherArguments,
  someoneElse,
  writes.refusedBefore,
  reads.readsOnlyRead,
  reads.confirmations,
  output.conforming,
  output.bounded,
  output.injection,
  hostileValues,
  interleaved,
  transport.origins,
  transport.loopback,
  transport.mismatches,
  stopping.stopping,
  operation.floods,
  operation.records,
  operation.lostRecords,
  stdio.purity,
  transport.bothEras,
  transport.restarts
]
