/**
 * What a change of a policy means, in words: who gains a tool, who loses it, and who has it under other conditions.
 *
 * Each role is looked at alone and with each other role, since a policy may ask for two or exclude one.
 */
import * as AccessMatrix from "@ferrule/core/AccessMatrix"
import * as Policy from "@ferrule/core/Policy"
import * as Effect from "effect/Effect"
import { quoted } from "./textDrift.ts"

/** Says what makes the second policy of the first. */
export const between = Effect.fnUntraced(function* (before: Policy.PolicyJson, now: Policy.PolicyJson) {
  const [old, current] = yield* Effect.orDie(Effect.all([Policy.fromJson(before), Policy.fromJson(now)]))
  const roles = [...new Set([...Policy.rolesOf(old), ...Policy.rolesOf(current)])].sort()
  const changeOf = (held: ReadonlyArray<string>) =>
    change(AccessMatrix.accessOf(old, held), AccessMatrix.accessOf(current, held))

  const nobody = changeOf([])
  const alone = new Map(roles.map((role) => [role, changeOf([role])]))
  const sentences = roles.flatMap((role) => {
    const words = alone.get(role)
    return words === undefined ? [] : [words(`role ${role}`)]
  })
  if (nobody !== undefined) sentences.push(nobody("a caller without a role"))
  // What holds of one of the two already is not said of both.
  if (nobody === undefined && roles.length <= 12) {
    for (const [index, one] of roles.entries()) {
      for (const other of roles.slice(index + 1)) {
        const words = changeOf([one, other])
        if (words !== undefined && alone.get(one) === undefined && alone.get(other) === undefined) {
          sentences.push(words(`a caller with both roles ${one} and ${other}`))
        }
      }
    }
  }
  return [...sentences, ruleChange(Policy.describe(old), Policy.describe(current), sentences.length > 0)]
})

const ruleChange = (before: string, now: string, saidWho: boolean) => {
  const nobody = saidWho ? "" : "; no role gains or loses the tool by it"
  return before === now
    ? `the rule reads the same and is built otherwise: ${quoted(now)}${nobody}`
    : `the rule is now ${quoted(now)} (was ${quoted(before)})${nobody}`
}

const change = (before: AccessMatrix.Access, now: AccessMatrix.Access): ((who: string) => string) | undefined => {
  const [was, is] = [condition(before), condition(now)]
  if (was === is) return undefined
  if (now.access === "never") return (who) => `no longer allowed for ${who}`
  if (before.access === "never") {
    return (who) => `now also allowed for ${who}${now.access === "always" ? "" : ` ${is}`}`
  }
  if (before.access === "always") return (who) => `now allowed for ${who} only ${is} (was ${was})`
  return (who) => `now allowed for ${who} ${is} (was only ${was})`
}

const condition = ({ access, predicates, scopes }: AccessMatrix.Access): string => {
  if (access === "never") return "never"
  const scope = scopes.length === 0 ? [] : [`with the scope ${scopes.join(" and ")}`]
  const where = predicates.length === 0 ? [] : [`where ${predicates.join("; ")}`]
  const parts = [...scope, ...where]
  return parts.length > 0 ? parts.join(" ") : access === "always" ? "with any arguments" : "where its rules hold"
}
