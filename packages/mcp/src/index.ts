export { Credentials, Identity, TokenTableError, Unauthenticated } from "./Identity.ts"
export { ListenError } from "./ListenError.ts"
export * as Mcp from "./Mcp.ts"
