/**
 * Runs the company by hand: its identity provider on port 4020 and its ledger on 4030, until it is stopped.
 *
 * `node try/company.ts <folder>`, where the folder has `client-secret`, the connector's, and `password`, with which everybody
 * signs in.
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { Console, Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { registration } from "../demo/Agent.ts"
import * as IdentityProvider from "../company/IdentityProvider.ts"
import * as LedgerServer from "../company/LedgerServer.ts"

const audience = "https://ledger.acme.example/"

const company = Effect.gen(function* () {
  const folder = process.argv[2] ?? "data"
  const secretIn = (file: string) => Effect.try(() => readFileSync(join(folder, file), "utf8").trim())
  const password = yield* secretIn("password")
  const provider = yield* IdentityProvider.start({
    port: 4020,
    people: [
      { id: "cleo", role: "clerk", password },
      { id: "adam", role: "accountant", password },
      { id: "olga", role: "auditor", password }
    ],
    agent: registration,
    connector: {
      id: "ledger-connector",
      secret: yield* secretIn("client-secret"),
      resource: "http://127.0.0.1:3000/mcp"
    },
    ledger: { resource: audience, tokenLifetime: 120 }
  })
  const ledger = yield* LedgerServer.start({
    port: 4030,
    issuer: provider.issuer,
    audience,
    onRequest: (seen) => void process.stdout.write(`${JSON.stringify(seen)}\n`)
  })
  yield* Console.log(`The identity provider is ${provider.issuer}, the ledger ${ledger.url}. What the ledger sees:`)
  return yield* Effect.never
})

runMain(Effect.scoped(company))
