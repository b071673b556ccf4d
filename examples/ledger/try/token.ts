/**
 * Signs somebody in by hand, as a browser and an agent do, and prints the token: `node try/token.ts <name> <folder>`.
 * A third argument is the scope, and a fourth the resource that the token is for.
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { tokenFor } from "../demo/Agent.ts"

const [id = "cleo", folder = "data", scope = "ledger:read ledger:post", resource = "http://127.0.0.1:3000/mcp"] =
  process.argv.slice(2)

const token = Effect.tryPromise(() => {
  const password = readFileSync(join(folder, "password"), "utf8").trim()
  return tokenFor("http://127.0.0.1:4020", resource, scope, { id, role: "clerk", password })
})

runMain(Effect.flatMap(token, Console.log))
