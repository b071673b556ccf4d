/**
 * Checks of regular expressions.
 */
import { backtracking } from "../internal/backtracking.ts"
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { type Place, placesOf } from "../internal/schemaPlaces.ts"

export const quick: StaticCheck = {
  info: {
    id: "A20",
    title: "No regular expression can be made to run for ages",
    why: "Some patterns take twice as long with each further character of a text written for them. One call then stops the server for everybody.",
    fix: "Let no part that repeats contain another that matches the same text, and give the field a greatest length.",
    severity: "warn"
  },
  run: ({ tools }) => {
    const patterns = tools.flatMap(({ inputSchema, name, outputSchema }) =>
      [...placesOf(inputSchema, "/inputSchema"), ...(outputSchema ? placesOf(outputSchema, "/outputSchema") : [])]
        .filter((place) => place.patterns.length > 0)
        .map((place) => ({ place, name }))
    )
    if (patterns.length === 0) return { notApplicable: "There are no patterns." }
    return {
      faults: patterns.flatMap(({ name, place }) => faultsOf(place, name)),
      note: `${patterns.length} patterns`
    }
  }
}

/** How many steps a text may cost: some tens of milliseconds. */
const affordable = 10_000_000

const faultsOf = ({ patterns, schema }: Place, subject: string): ReadonlyArray<Fault> =>
  patterns.flatMap((pattern): ReadonlyArray<Fault> => {
    if (!compiles(pattern.source)) {
      return [{ subject, where: pattern.where, message: "is no regular expression", evidence: pattern.source }]
    }
    const found = backtracking(pattern.source)
    if (found === undefined) return []
    const longest = schema["maxLength"]
    if (found.degree < Infinity && typeof longest === "number" && longest ** found.degree <= affordable) return []
    const growth =
      found.degree === Infinity
        ? "doubles with each further character"
        : `grows with the ${power(found.degree)} of the length`
    return [
      {
        subject,
        where: pattern.where,
        message: `takes a time that ${growth}`,
        evidence: `${pattern.source}${found.attack === undefined ? "" : ` on ${found.attack}`}`
      }
    ]
  })

const power = (degree: number) => (degree === 2 ? "square" : degree === 3 ? "cube" : `${degree}th power`)

const compiles = (source: string): boolean => {
  try {
    return new RegExp(source, "u").unicode
  } catch {
    return false
  }
}
