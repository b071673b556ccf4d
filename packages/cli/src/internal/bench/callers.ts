/**
 * Who calls: one for each role that a policy names and one without any, and who else the module says.
 */
import type { Audit } from "../../Audit.ts"
import type { Caller } from "../Bench.ts"
import * as Connector from "@ferrule/core/Connector"
import * as Policy from "@ferrule/core/Policy"
import { Principal, type PrincipalData } from "@ferrule/core/Principal"

export const callersOf = ({ callers, connector }: Audit): ReadonlyArray<Caller> => {
  const policies = Connector.toolsOf(connector).map(({ allow }) => allow)
  const roles = new Set(policies.flatMap(Policy.rolesOf))
  const scopes = [...new Set(policies.flatMap(Policy.scopesOf))]
  const given = callers.map((principal) => (principal.scopes.length === 0 ? { ...principal, scopes } : principal))
  const made = [...roles]
    .filter((role) => !given.some((principal) => principal.roles.length === 1 && principal.roles[0] === role))
    .map((role) => Principal.make({ id: `probe-${role}`, roles: [role], scopes }))
  const nobody = given.some(({ roles }) => roles.length === 0) ? [] : [Principal.make({ id: "probe-no-role", scopes })]
  return named([...given, ...made, ...nobody])
}

/** Whoever has all roles, for a tool that nobody with one of them may call. */
export const withEveryRole = (callers: ReadonlyArray<Caller>): Caller => ({
  name: "every role",
  principal: Principal.make({
    id: "probe-every-role",
    roles: [...new Set(callers.flatMap(({ principal }) => principal.roles))],
    scopes: [...new Set(callers.flatMap(({ principal }) => principal.scopes))]
  })
})

/** By their roles, and by who they are where two have the same. */
const named = (principals: ReadonlyArray<PrincipalData>): ReadonlyArray<Caller> => {
  const names = principals.map(({ roles }) => (roles.length === 0 ? "no role" : roles.join(" + ")))
  return principals.map((principal, index) => ({
    name:
      names.indexOf(names[index]!) === names.lastIndexOf(names[index]!)
        ? names[index]!
        : `${names[index]!} (${principal.id})`,
    principal
  }))
}
