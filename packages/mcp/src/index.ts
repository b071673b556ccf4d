export { Credentials, Identity, TokenTableError, Unauthenticated } from "./Identity.ts"
export * as Mcp from "./Mcp.ts"
