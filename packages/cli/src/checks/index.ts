import type { StaticCheck } from "../internal/Check.ts"
import * as descriptions from "./descriptions.ts"
import * as examples from "./examples.ts"
import * as hiddenText from "./hiddenText.ts"
import * as hints from "./hints.ts"
import * as idempotency from "./idempotency.ts"
import * as lock from "./lock.ts"
import * as names from "./names.ts"
import * as outputs from "./outputs.ts"
import * as parameters from "./parameters.ts"
import * as patterns from "./patterns.ts"
import * as formats from "./plugin/formats.ts"
import * as managed from "./plugin/managed.ts"
import * as publication from "./plugin/publication.ts"
import * as servers from "./plugin/servers.ts"
import * as skills from "./plugin/skills.ts"
import * as supply from "./plugin/supply.ts"
import * as policies from "./policies.ts"
import * as projection from "./projection.ts"
import * as schemas from "./schemas.ts"
import * as size from "./size.ts"

/** Every static check, by group. */
export const staticChecks: ReadonlyArray<StaticCheck> = [
  names.accepted,
  names.composed,
  hints.given,
  hints.honest,
  descriptions.complete,
  hiddenText.honest,
  schemas.closed,
  schemas.bounded,
  parameters.credentials,
  parameters.effects,
  parameters.addresses,
  outputs.stated,
  policies.narrow,
  idempotency.recognised,
  idempotency.agreed,
  examples.valid,
  size.affordable,
  projection.strict,
  lock.drift,
  patterns.quick,
  formats.readable,
  servers.secretless,
  servers.pinned,
  servers.asked,
  publication.publishable,
  supply.patched,
  skills.typed,
  managed.suggested
]
