export * as ClaimMapping from "./ClaimMapping.ts"
export { Credentials, Identity, IdentityUnavailable, TokenTableError, Unauthenticated } from "./Identity.ts"
export { ListenError } from "./ListenError.ts"
export * as Mcp from "./Mcp.ts"
