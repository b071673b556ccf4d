import type { Probe } from "../internal/Check.ts"

/** Every probe, by group. */
export const probes: ReadonlyArray<Probe> = []
