/**
 * Finds out whether a regular expression can be made to run for ages by a text written for it.
 *
 * recheck decides by the automaton, which is the same each time. A high count, as in `{1,200}`, is taken for no
 * limit first, since it makes the automaton large and the answer no better. Where recheck does not know a feature, or takes
 * longer than a second, scslre is asked, which knows look-around and back-references and is quick, and misses some.
 */
import type { Diagnostics } from "recheck"
import { createRequire } from "node:module"

/** `degree` is infinite where each further character doubles the time. `attack` is a text that shows it. */
export interface Backtracking {
  readonly degree: number
  readonly attack: string | undefined
}

const milliseconds = { automaton: 1_000, auto: 3_000 }

/** Gives undefined for a pattern that is quick on every text, and for one that is no regular expression. */
export const backtracking = (source: string): Backtracking | undefined => {
  const widened = check(widen(source))
  if (widened.status === "safe") return undefined
  if (widened.status === "vulnerable" && widened.complexity.type === "exponential") return found(widened)
  const exact = widened.source === source ? widened : check(source)
  if (exact.status === "vulnerable") return found(exact)
  if (exact.status === "unknown") return secondOpinion(source)
  // To the automaton, whatever has an end is quick, though it may be a far one.
  const tried = check(source, "auto")
  return tried.status === "vulnerable" ? found(tried) : undefined
}

const found = ({ attack, complexity }: Extract<Diagnostics, { status: "vulnerable" }>): Backtracking => ({
  degree: complexity.type === "exponential" ? Infinity : complexity.degree,
  attack: attack.pattern
})

// Half a second to load, which a connector without patterns is spared; its own entry starts a worker and a native program.
const require = createRequire(import.meta.url)
const checked = new Map<string, Diagnostics>()

const check = (source: string, checker: keyof typeof milliseconds = "automaton"): Diagnostics => {
  const key = `${checker} ${source}`
  const known = checked.get(key)
  if (known !== undefined) return known
  const { checkSync }: typeof import("recheck") = require("recheck/lib/browser.js")
  const result = checkSync(source, "u", { checker, timeout: milliseconds[checker] })
  checked.set(key, result)
  return result
}

const secondOpinion = (source: string): Backtracking | undefined => {
  const { analyse }: typeof import("scslre") = require("scslre")
  try {
    const { reports } = analyse(new RegExp(source, "u"))
    const [worst] = [...reports].sort((one, other) => Number(other.exponential) - Number(one.exponential))
    if (worst === undefined) return undefined
    const attack = `${JSON.stringify(worst.character.pick)}.repeat(n)`
    return { degree: worst.exponential ? Infinity : 2, attack }
  } catch {
    return undefined
  }
}

const manyTimes = 10

/** Takes every count of ten and more for no limit; escapes and classes stay as they are. */
const widen = (source: string): string =>
  source.replace(
    /\\u\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}/gsu,
    (all, least: string | undefined, most: string | undefined) => {
      if (least === undefined || most === "" || Number(most ?? least) < manyTimes) return all
      return Number(least) > 0 ? "+" : "*"
    }
  )
