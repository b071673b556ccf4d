import { assert, describe, it } from "@effect/vitest"
import { DefinitionError } from "@ferrule/core"
import { staticChecks } from "../src/checks/index.ts"
import type * as Subject from "../src/internal/Subject.ts"
import { type Mutation, mutationsOf } from "./fixtures/mutations.ts"
import { redeclared, unchanged } from "./fixtures/redeclared.ts"
import { desk as clean } from "./fixtures/serviceDesk.ts"

for (const { declared } of clean.tools) unchanged.add(declared!)

const isFound = ({ check, on }: Mutation, subject: Subject.Subject): boolean => {
  const outcome = staticChecks.find(({ info }) => info.id === check)!.run(subject)
  return "faults" in outcome && outcome.faults.some((fault) => fault.subject === on)
}

const listed = (tool: Subject.SubjectTool) => ({ ...tool, declared: undefined })

/** What becomes of the mutation when somebody declares it: core refuses it, the audit finds it, or nobody notices. */
const declaredAs = (mutation: Mutation): "refused" | "found" | "missed" => {
  try {
    return isFound(mutation, redeclared(mutation.subject)) ? "found" : "missed"
  } catch (error) {
    assert.instanceOf(error, DefinitionError, mutation.what)
    return "refused"
  }
}

describe("a clean connector that is changed for the worse in one place", () => {
  const mutations = mutationsOf(clean)

  it("is clean before", () => {
    for (const { info, run } of staticChecks) {
      const outcome = run(clean)
      assert.deepStrictEqual("faults" in outcome ? outcome.faults : [], [], info.id)
    }
    const anew = redeclared({
      ...clean,
      tools: clean.tools.map((tool) => ({ ...tool, declared: { ...tool.declared! } }))
    })
    assert.deepStrictEqual(anew.tools.map(listed), clean.tools.map(listed))
  })

  it(
    "is found out by the check that is there for it, in its listing and when it is declared",
    { timeout: 120_000 },
    () => {
      const missed = mutations.filter((mutation) => !isFound(mutation, mutation.subject))
      const declarable = mutations.filter(({ declares }) => declares)
      const declarations = declarable.map(declaredAs)
      const undeclared = declarable.filter((_, i) => declarations[i] === "missed")
      const refused = declarations.filter((outcome) => outcome === "refused").length
      const found = declarations.filter((outcome) => outcome === "found").length
      // oxlint-disable-next-line no-console
      console.log(
        [
          `mutations: caught ${mutations.length - missed.length} of ${mutations.length} as listed`,
          `mutations: caught ${refused + found} of ${declarable.length} as declared, ${refused} of them refused by core`,
          `by check: ${[...Map.groupBy(mutations, ({ check }) => check)].map(([check, all]) => `${check} ${all.length}`).join(", ")}`
        ].join("\n")
      )
      assert.deepStrictEqual(
        [...missed, ...undeclared].map(({ check, what }) => `${check}: ${what}`),
        []
      )
    }
  )
})
