import { Policy, Principal } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"

const nobody = Principal.make({ id: "nobody" })
const agent = Principal.make({ id: "agent", roles: ["agent"], scopes: ["tickets:read"] })
const own = Policy.predicate(
  "the ticket is the caller's",
  (principal, input: { readonly owner: string }) => principal.id === input.owner
)

describe("Policy", () => {
  it("allows a principal that has one of the roles", () => {
    const policy = Policy.role("agent", "admin")
    assert.deepStrictEqual(Policy.decide(policy, agent, {}), { _tag: "Allowed" })
    assert.deepStrictEqual(Policy.decide(policy, nobody, {}), { _tag: "Denied", roles: ["agent", "admin"] })
  })

  it("names each scope that is missing, of every part", () => {
    const policy = Policy.all(Policy.scope("tickets:read", "tickets:write"), Policy.scope("mail:send"))
    assert.deepStrictEqual(Policy.decide(policy, agent, {}), {
      _tag: "MissingScopes",
      scopes: ["tickets:write", "mail:send"]
    })
  })

  it("does not offer scopes where a role is missing too", () => {
    const policy = Policy.all(Policy.role("admin"), Policy.scope("tickets:write"))
    assert.deepStrictEqual(Policy.decide(policy, agent, {}), { _tag: "Denied", roles: ["admin"] })
  })

  it("asks for the fewest scopes when one of several ways would do", () => {
    const policy = Policy.any(Policy.scope("a", "b"), Policy.scope("c"), Policy.role("admin"))
    assert.deepStrictEqual(Policy.decide(policy, agent, {}), { _tag: "MissingScopes", scopes: ["c"] })
  })

  it("decides by the arguments, and hides nothing that arguments could allow", () => {
    assert.deepStrictEqual(Policy.decide(own, agent, { owner: "agent" }), { _tag: "Allowed" })
    assert.deepStrictEqual(Policy.decide(own, agent, { owner: "other" }), { _tag: "Denied", roles: [] })
    const reach = Policy.any(Policy.role("admin"), Policy.all(Policy.role("agent"), own))
    assert.deepStrictEqual(Policy.decide(reach, agent, { owner: "other" }), { _tag: "Denied", roles: ["admin"] })
    assert.isTrue(Policy.isVisible(own, nobody))
    assert.isTrue(Policy.isVisible(Policy.not(own), nobody))
    assert.isTrue(Policy.isVisible(Policy.not(Policy.all(own, Policy.role("agent"))), agent))
  })

  it("hides what no arguments and no further scope could allow", () => {
    assert.isFalse(Policy.isVisible(Policy.role("admin"), agent))
    assert.isFalse(Policy.isVisible(Policy.all(own, Policy.role("admin")), agent))
    assert.isFalse(Policy.isVisible(Policy.not(Policy.role("agent")), agent))
    assert.isTrue(Policy.isVisible(Policy.scope("tickets:write"), nobody))
  })

  it("denies what `not` forbids", () => {
    assert.deepStrictEqual(Policy.decide(Policy.not(Policy.role("agent")), agent, {}), { _tag: "Denied", roles: [] })
    assert.deepStrictEqual(Policy.decide(Policy.not(Policy.role("admin")), agent, {}), { _tag: "Allowed" })
    assert.deepStrictEqual(Policy.decide(Policy.not(own), agent, { owner: "agent" }), { _tag: "Denied", roles: [] })
  })

  it("says itself in words", () => {
    const policy = Policy.any(
      Policy.role("admin"),
      Policy.all(Policy.role("agent"), own, Policy.not(Policy.scope("x")))
    )
    assert.strictEqual(
      Policy.describe(policy),
      "the role admin or (the role agent and that the ticket is the caller's and not the scope x)"
    )
  })

  it("compares names exactly", () => {
    assert.deepStrictEqual(Policy.decide(Policy.role("Agent"), agent, {}), { _tag: "Denied", roles: ["Agent"] })
  })
})
