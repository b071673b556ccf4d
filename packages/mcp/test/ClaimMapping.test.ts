import { ClaimMapping } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { reader } from "../src/internal/claims.ts"

const read = (mapping: ClaimMapping.ClaimMapping, claims: Record<string, unknown>) =>
  Result.match(reader({ mapping })(claims), {
    onSuccess: ({ id, tenant, roles, scopes }) => ({ id, tenant, roles, scopes }),
    onFailure: (problem) => problem
  })

// The claims are those of the vendors' own documentation of access tokens, without what no mapping reads.
describe("a mapping", () => {
  it("for Auth0 reads namespaced roles, the organization and the scope", () => {
    const mapping = ClaimMapping.auth0({ namespace: "https://desk.example.com/" })
    const claims = {
      iss: "https://desk.eu.auth0.com/",
      sub: "auth0|507f1f77bcf86cd799439011",
      aud: ["https://desk.example.com/mcp", "https://desk.eu.auth0.com/userinfo"],
      azp: "my_client_id",
      scope: "openid desk:read desk:write",
      org_id: "org_9ybsU1dN2dKfDkBi",
      permissions: ["desk:delete"],
      "https://desk.example.com/roles": ["agent", "admin"],
      "https://other.example.com/roles": ["root"]
    }
    assert.deepStrictEqual(read(mapping, claims), {
      id: "auth0|507f1f77bcf86cd799439011",
      tenant: "org_9ybsU1dN2dKfDkBi",
      roles: ["agent", "admin"],
      scopes: ["openid", "desk:read", "desk:write"]
    })
  })

  it("for Entra ID reads oid, tid, app roles and scp, of a user and of an application", () => {
    const user = {
      oid: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
      sub: "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
      tid: "fa15d692-e9c7-4460-a743-29f2956fd429",
      roles: ["Desk.Agent"],
      scp: "desk.read desk.write",
      groups: ["0a1b"],
      ver: "2.0"
    }
    assert.deepStrictEqual(read(ClaimMapping.entraId, user), {
      id: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
      tenant: "fa15d692-e9c7-4460-a743-29f2956fd429",
      roles: ["Desk.Agent"],
      scopes: ["desk.read", "desk.write"]
    })
    const { scp: _, ...application } = user
    assert.deepStrictEqual(read(ClaimMapping.entraId, application), {
      id: "690222be-ff1a-4d56-abd1-7e4f7d38e474",
      tenant: "fa15d692-e9c7-4460-a743-29f2956fd429",
      roles: ["Desk.Agent"],
      scopes: []
    })
  })

  it("that takes groups of Entra ID refuses a token with too many to be in it", () => {
    const mapping = { ...ClaimMapping.entraId, roles: ["groups"] }
    const claims = { oid: "u", tid: "t" }
    const problem = "groups is left out of the token for its size"
    assert.strictEqual(read(mapping, { ...claims, _claim_names: { groups: "src1" } }), problem)
    assert.strictEqual(read(mapping, { ...claims, hasgroups: true }), problem)
    assert.deepStrictEqual(read(mapping, claims), { id: "u", tenant: "t", roles: [], scopes: [] })
  })

  it("for Keycloak reads the roles of the realm, or those of one client, and never both", () => {
    const claims = {
      sub: "f:1",
      scope: "email desk:read",
      realm_access: { roles: ["admin", "offline_access"] },
      resource_access: { desk: { roles: ["agent"] }, account: { roles: ["manage-account"] } }
    }
    const common = { id: "f:1", tenant: undefined, scopes: ["email", "desk:read"] }
    assert.deepStrictEqual(read(ClaimMapping.keycloak(), claims), { ...common, roles: ["admin", "offline_access"] })
    assert.deepStrictEqual(read(ClaimMapping.keycloak({ client: "desk" }), claims), { ...common, roles: ["agent"] })
    assert.deepStrictEqual(read(ClaimMapping.keycloak({ client: "other" }), claims), { ...common, roles: [] })
    assert.strictEqual(
      read(ClaimMapping.keycloak({ client: "desk" }), { ...claims, resource_access: { desk: ["agent"] } }),
      "resource_access > desk > roles has the wrong shape"
    )
  })

  it("for Okta reads groups and a list of scopes", () => {
    const claims = {
      sub: "ada@example.com",
      uid: "00uid4BxXw6I6TV4m0g3",
      scp: ["openid", "desk:read"],
      groups: ["Agents"]
    }
    assert.deepStrictEqual(read(ClaimMapping.okta, claims), {
      id: "ada@example.com",
      tenant: undefined,
      roles: ["Agents"],
      scopes: ["openid", "desk:read"]
    })
  })

  it("puts together what several claims give, once each", () => {
    const mapping = { id: "sub", roles: ["roles", "groups"], scopes: ["scope", "scp"] }
    const claims = { sub: "a", roles: ["x", "y"], groups: ["y", "z"], scope: " r  w ", scp: ["w", "d"] }
    assert.deepStrictEqual(read(mapping, claims), {
      id: "a",
      tenant: undefined,
      roles: ["x", "y", "z"],
      scopes: ["r", "w", "d"]
    })
  })

  it("reads no claim that a token merely inherits", () => {
    const mapping = { id: "sub", roles: [["constructor", "roles"] as const], scopes: ["toString"] }
    assert.deepStrictEqual(read(mapping, { sub: "a" }), { id: "a", tenant: undefined, roles: [], scopes: [] })
  })
})
