import type { StaticCheck } from "../internal/Check.ts"
import * as descriptions from "./descriptions.ts"

/** Every static check, by group. */
export const staticChecks: ReadonlyArray<StaticCheck> = [descriptions.length]
