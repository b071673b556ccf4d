import * as McpPackage from "@ferrule/mcp"
import { assert, it } from "@effect/vitest"

it("@ferrule/mcp exports these names", () => {
  assert.deepStrictEqual(Object.keys(McpPackage).sort(), [
    "ClaimMapping",
    "Credentials",
    "Identity",
    "IdentityUnavailable",
    "ListenError",
    "Mcp",
    "TokenTableError",
    "Unauthenticated"
  ])
  assert.deepStrictEqual(Object.keys(McpPackage.Mcp).sort(), [
    "fetchHandler",
    "layerHttp",
    "layerHttpServer",
    "layerStdio",
    "runMain",
    "runStdio"
  ])
})
