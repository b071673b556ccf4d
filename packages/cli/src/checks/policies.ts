/**
 * Checks of who may call a tool, over every caller that the policies tell apart.
 */
import * as AccessMatrix from "@ferrule/core/AccessMatrix"
import type * as Connector from "@ferrule/core/Connector"
import * as Policy from "@ferrule/core/Policy"
import * as Principal from "@ferrule/core/Principal"
import type { Fault, StaticCheck } from "../internal/Check.ts"
import type { SubjectTool } from "../internal/Subject.ts"

export const narrow: StaticCheck = {
  info: {
    id: "A13",
    title: "Each tool is for the callers that need it, and for nobody by default",
    why: "A rule that lets everybody in, or one role that opens everything, makes every account that is taken over an administrator's.",
    fix: "Name the roles or scopes that the tool is for: Policy.role or Policy.scope, narrowed by Policy.all.",
    severity: "block"
  },
  run: ({ connector, tools }) => {
    if (connector === undefined) return { notSeen: "Policies can't be seen from outside." }
    const roles = new Set(
      tools.flatMap(({ declared }) => (declared === undefined ? [] : Policy.rolesOf(declared.allow)))
    )
    return {
      faults: [...tools.flatMap((tool) => faultsOf(tool, connector)), ...catchAll(connector, tools)],
      note: `${tools.length} policies, ${roles.size} roles`
    }
  }
}

/** Names that stand for every caller, or for none in particular. */
const everybody = new Set(
  "* any anyone anybody all everyone everybody public anonymous guest guests default authenticated user users".split(
    " "
  )
)

const faultsOf = ({ declared, name }: SubjectTool, connector: Connector.Any): ReadonlyArray<Fault> => {
  if (declared === undefined) return []
  const rule = Policy.describe(declared.allow)
  const fault = (message: string): Fault => ({ subject: name, where: "/allow", message, evidence: rule })
  const [row] = AccessMatrix.make({ ...connector, tools: [declared], operationStatus: undefined }, [undefined])
  const access = row?.cells[0]?.access
  const named = [...Policy.rolesOf(declared.allow), ...Policy.scopesOf(declared.allow)]
  return [
    ...(access === "always" ? [fault("may be called by everybody who is signed in, whatever their role")] : []),
    ...(access === "with-arguments"
      ? [
          {
            ...fault("needs no role and no scope: a rule over the call alone decides"),
            severity: "warn" as const,
            fix: "Ask for a role or a scope as well: Policy.all(Policy.role(...), ...)."
          }
        ]
      : []),
    ...named
      .filter((each) => everybody.has(each.toLowerCase()) || each.includes("*"))
      .map((each) => fault(`names "${each}", which stands for no role of anybody's work`)),
    ...(isReachable(declared.allow)
      ? []
      : [
          {
            ...fault("may be called by nobody, whatever their roles and scopes"),
            severity: "warn" as const,
            fix: "Take out what contradicts itself, or the tool."
          }
        ])
  ]
}

/** More roles than this are tried one by one and all together. */
const most = 8

const isReachable = (policy: Policy.Any): boolean => {
  const roles = Policy.rolesOf(policy)
  const scopes = Policy.scopesOf(policy)
  const sets =
    roles.length <= most
      ? Array.from({ length: 2 ** roles.length }, (_, bits) => roles.filter((_, i) => (bits >> i) & 1))
      : [[], roles, ...roles.map((role) => [role])]
  return sets.some((held) =>
    [[], scopes].some((granted) =>
      Policy.isVisible(policy, Principal.Principal.make({ id: "anyone", roles: held, scopes: granted }))
    )
  )
}

/** One role that is all that every tool asks for, reads and writes alike. */
const catchAll = (connector: Connector.Any, tools: ReadonlyArray<SubjectTool>): ReadonlyArray<Fault> => {
  const declared = tools.flatMap((tool) => tool.declared ?? [])
  const rules = new Set(declared.map(({ allow }) => Policy.describe(allow)))
  const [rule] = rules
  const mixes = declared.some(({ kind }) => kind === "read") && declared.some(({ kind }) => kind === "write")
  if (rules.size !== 1 || !mixes || rule === undefined) return []
  const destroys = declared.some((tool) => tool.kind === "write" && tool.destructive)
  const roles = declared.flatMap(({ allow }) => Policy.rolesOf(allow))
  const isAdmin =
    roles.length > 0 && roles.every((role) => /(?:^|[^a-z])(?:admin|administrator|root|superuser)s?$/i.test(role))
  if (!isAdmin && !destroys) return []
  return [
    {
      subject: connector.name,
      where: "/allow",
      message: isAdmin
        ? "every tool is for administrators alone: whoever only reads must be one"
        : "every tool has the same rule, so that whoever may read may also change and remove",
      evidence: rule,
      severity: isAdmin ? "block" : "warn",
      fix: "Give the reads to a role that can't write."
    }
  ]
}
