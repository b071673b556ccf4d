/**
 * Ferrule with its default audit trail: one structured log entry for each call, on stderr, where the bench reads it.
 */
import { AuditTrail } from "@ferrule/core"
import { serveFerrule } from "./ferrule.ts"

export const contender = serveFerrule({ audit: AuditTrail.layerLog })
