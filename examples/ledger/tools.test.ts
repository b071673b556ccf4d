import { AccessMatrix, Policy, Principal } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { LedgerConnector, PostEntry } from "./tools.ts"

const scopes = ["ledger:read", "ledger:post"]
const cleo = Principal.make({ id: "cleo", roles: ["clerk"], scopes })
const adam = Principal.make({ id: "adam", roles: ["accountant"], scopes })
const olga = Principal.make({ id: "olga", roles: ["auditor"], scopes })

const decide = (principal: typeof cleo, cents: number) =>
  Effect.map(
    Policy.decide(PostEntry.allow, principal, {
      debit: "office",
      credit: "bank",
      cents,
      reference: "INV-1",
      memo: "Paper"
    }),
    ({ _tag }) => _tag
  )

describe("post_entry", () => {
  it.effect("is a clerk's up to 500.00, an accountant's beyond that, and nobody else's", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* decide(cleo, 50_000), "Allowed")
      assert.strictEqual(yield* decide(cleo, 50_001), "Denied")
      assert.strictEqual(yield* decide(adam, 100_000_000), "Allowed")
      assert.strictEqual(yield* decide(olga, 1), "Denied")
      assert.strictEqual(yield* decide(Principal.make({ id: "eve", scopes }), 1), "Denied")
    })
  )

  it.effect("needs the scope as well, whatever the role", () =>
    Effect.gen(function* () {
      const narrow = Principal.make({ id: "adam", roles: ["accountant"], scopes: ["ledger:read"] })
      assert.strictEqual(yield* decide(narrow, 1), "MissingScopes")
    })
  )
})

describe("the connector", () => {
  it("lets an auditor write nothing, and a stranger do nothing", () => {
    const accessOf = (role: string | undefined) =>
      AccessMatrix.make(LedgerConnector, [role]).map(({ cells, tool }) => [tool, cells[0]?.access])
    assert.deepStrictEqual(accessOf("auditor"), [
      ["list_entries", "with-scopes"],
      ["read_balance", "with-scopes"],
      ["post_entry", "never"],
      ["reverse_entry", "never"]
    ])
    assert.isTrue(accessOf(undefined).every(([, access]) => access === "never"))
  })

  it("says what is missing in its environment, and does not start", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "http.ts")], { encoding: "utf8" })
    assert.strictEqual(status, 1)
    assert.strictEqual(
      stderr,
      "The ledger's connector can't start. Set LEDGER_RESOURCE in its environment; README.md says to what.\n"
    )
  })
})
