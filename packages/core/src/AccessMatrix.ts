/**
 * Who may call what, as a table: each tool of a connector by each role, read from the same policies that decide the calls.
 *
 * It answers a reviewer's question without running anything. A cell stands for a caller who has that one role, no scopes
 * and no other role; what further roles add or take away, the tool's `rule` says.
 */
import * as Connector from "./Connector.ts"
import { beforehand } from "./internal/verdict.ts"
import * as Policy from "./Policy.ts"
import { Principal } from "./Principal.ts"
import type * as Tool from "./Tool.ts"

/**
 * Whether a caller may call a tool: always; with arguments that its predicates accept; with scopes that it has to sign in
 * for, and then perhaps also with such arguments; or never, so that the tool is hidden from it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Access {
  readonly access: "always" | "with-arguments" | "with-scopes" | "never"
  /** The scopes that are missing. */
  readonly scopes: ReadonlyArray<string>
  /** The sentences of the predicates that decide. */
  readonly predicates: ReadonlyArray<string>
}

/**
 * The access of one role; `role` is undefined for a caller without any.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cell extends Access {
  readonly role: string | undefined
}

/**
 * One tool's line of the table. `rule` is its policy in words.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row {
  readonly tool: string
  readonly kind: Tool.Any["kind"]
  readonly rule: string
  readonly cells: ReadonlyArray<Cell>
}

/**
 * Makes the table of a connector's tools by roles: those that are given, or else every role that one of the policies names,
 * and a caller without any.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  connector: Connector.Any,
  roles: ReadonlyArray<string | undefined> = [...rolesOf(connector), undefined]
): ReadonlyArray<Row> =>
  Connector.toolsOf(connector).map(({ allow, kind, name }) => ({
    tool: name,
    kind,
    rule: Policy.describe(allow),
    cells: roles.map((role) => cellOf(allow, role))
  }))

const rolesOf = (connector: Connector.Any) =>
  new Set(Connector.toolsOf(connector).flatMap(({ allow }) => Policy.rolesOf(allow)))

const cellOf = (policy: Policy.Any, role: string | undefined): Cell => ({
  role,
  ...accessOf(policy, role === undefined ? [] : [role])
})

/**
 * Says what a policy gives a caller who has these roles, no other and no scopes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const accessOf = (policy: Policy.Any, roles: ReadonlyArray<string>): Access => {
  const verdict = beforehand(policy, Principal.make({ id: "anyone", roles }))
  switch (verdict._tag) {
    case "Allowed":
      return { access: "always", scopes: [], predicates: [] }
    case "Open":
      return { access: "with-arguments", scopes: [], predicates: sentencesOf(verdict.reasons) }
    case "MissingScopes": {
      const { scopes } = verdict
      const then = beforehand(policy, Principal.make({ id: "anyone", roles, scopes }))
      return { access: "with-scopes", scopes, predicates: sentencesOf(then.reasons) }
    }
    case "Denied":
    case "Unchecked":
      return { access: "never", scopes: [], predicates: [] }
  }
}

const sentencesOf = (reasons: ReadonlyArray<Policy.Reason>): ReadonlyArray<string> => [
  ...new Set(reasons.flatMap((reason) => (reason._tag === "Predicate" ? reason.sentence : [])))
]
