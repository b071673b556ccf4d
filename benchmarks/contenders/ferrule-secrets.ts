/**
 * Ferrule with live secrets, as a connector has that holds credentials for its upstreams: from then on, what leaves is
 * searched for them in every form that they could leave in.
 */
import { randomBytes } from "node:crypto"
import { serveFerrule } from "./ferrule.ts"

export const contender = serveFerrule({
  secrets: Array.from({ length: 8 }, () => randomBytes(32).toString("base64url"))
})
