import type { StaticCheck } from "../internal/Check.ts"
import * as descriptions from "./descriptions.ts"
import * as lock from "./lock.ts"

/** Every static check, by group. */
export const staticChecks: ReadonlyArray<StaticCheck> = [descriptions.length, lock.drift]
