/**
 * How a policy is decided. Each part is worth one of five verdicts, from denied to allowed; `all` is worth the least of its
 * parts and `any` the most, and `not` is pushed down to the leaves, where it turns the answer round. What a predicate says
 * may be open, because nobody has asked yet, or unchecked, because it can't be found out: neither counts as yes or as no.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TransientError } from "../ConnectorError.ts"
import type { Any, Decision, Policy, Predicate, Reason } from "../Policy.ts"
import type { PrincipalData } from "../Principal.ts"

/**
 * A decision, or what must be asked first: `ask` is the test of `predicate` that could allow the call, absent where the
 * arguments are not known either.
 */
export type Verdict =
  | Decision
  | {
      readonly _tag: "Open"
      readonly reasons: ReadonlyArray<Reason>
      readonly predicate: Predicate<never, unknown>
      readonly ask: Answer | undefined
    }

/** What a test gave: an exit is an answer, another Effect has to be run for one. */
type Answer = Effect.Effect<unknown, unknown, unknown>

/** The caller and the arguments, and what the tests have given so far. */
interface Question {
  readonly principal: PrincipalData
  readonly input: unknown
  answers: Map<Predicate<never, unknown>, Answer> | undefined
}

/** Stands for arguments that are not known yet, so that no test can run. */
const notKnown: unique symbol = Symbol("@ferrule/core/internal/verdict/notKnown")

/**
 * A lack of scopes outranks what can't be checked, since the caller can do something about it. It is below what is open, so
 * that a service is asked only where its answer could allow the call.
 */
const rank = { Denied: 0, Unchecked: 1, MissingScopes: 2, Open: 3, Allowed: 4 } as const satisfies Record<
  Verdict["_tag"],
  number
>

const evaluate = (policy: Any, question: Question, positive: boolean): Verdict => {
  switch (policy._tag) {
    case "Role": {
      const { roles } = question.principal
      const held = policy.roles.find((name) => roles.includes(name))
      const holds = held !== undefined
      return settled(holds === positive, { _tag: "Role", roles: holds ? [held] : policy.roles, holds })
    }
    case "Scope": {
      const { scopes } = question.principal
      const missing = policy.scopes.filter((name) => !scopes.includes(name))
      const holds = missing.length === 0
      const reason: Reason = { _tag: "Scope", scopes: holds ? policy.scopes : missing, holds }
      return positive && !holds
        ? { _tag: "MissingScopes", scopes: missing, reasons: [reason] }
        : settled(holds === positive, reason)
    }
    case "All":
      return (positive ? least : most)(policy.policies, question, positive)
    case "Any":
      return (positive ? most : least)(policy.policies, question, positive)
    case "Not":
      return evaluate(policy.policy, question, !positive)
    case "Predicate":
      return ofPredicate(policy, answerOf(policy, question), positive)
  }
}

const settled = (allows: boolean, reason: Reason): Verdict => ({
  _tag: allows ? "Allowed" : "Denied",
  reasons: [reason]
})

const ofPredicate = (predicate: Predicate<never, unknown>, answer: Answer | undefined, positive: boolean): Verdict => {
  const { sentence } = predicate
  const exit = answer !== undefined && Exit.isExit(answer) ? answer : undefined
  if (exit !== undefined && Exit.isSuccess(exit)) {
    return settled(exit.value === positive, { _tag: "Predicate", sentence, holds: exit.value === true })
  }
  const reasons = [{ _tag: "Predicate", sentence, holds: "unknown" }] as const
  return exit === undefined
    ? { _tag: "Open", predicate, ask: answer, reasons }
    : { _tag: "Unchecked", sentence, cause: exit.cause, reasons }
}

/** The least of the parts. Parts of equal worth give their reasons together, and together they say which scopes are missing. */
const least = (parts: ReadonlyArray<Any>, question: Question, positive: boolean): Verdict => {
  let sum: Verdict | undefined
  for (const part of parts) {
    const verdict = evaluate(part, question, positive)
    if (verdict._tag === "Denied") return verdict
    if (sum === undefined || rank[verdict._tag] < rank[sum._tag]) sum = verdict
    else if (verdict._tag === sum._tag) sum = together(sum, verdict)
  }
  return sum ?? { _tag: "Denied", reasons: [] }
}

const together = (first: Verdict, second: Verdict): Verdict => {
  const reasons = [...first.reasons, ...second.reasons]
  return first._tag === "MissingScopes" && second._tag === "MissingScopes"
    ? { _tag: "MissingScopes", scopes: [...new Set([...first.scopes, ...second.scopes])], reasons }
    : { ...first, reasons }
}

/** The most of the parts. Unless one allows, the reasons of all count, since each of them could have. */
const most = (parts: ReadonlyArray<Any>, question: Question, positive: boolean): Verdict => {
  let best: Verdict | undefined
  for (const part of parts) {
    const verdict = evaluate(part, question, positive)
    if (verdict._tag === "Allowed") return verdict
    if (best === undefined) best = verdict
    else {
      const reasons = [...best.reasons, ...verdict.reasons]
      best = { ...(isBetter(verdict, best) ? verdict : best), reasons }
    }
  }
  return best ?? { _tag: "Denied", reasons: [] }
}

/** Of two ways to sign in again, the one that asks for less. */
const isBetter = (verdict: Verdict, best: Verdict): boolean =>
  verdict._tag === "MissingScopes" && best._tag === "MissingScopes"
    ? verdict.scopes.length < best.scopes.length
    : rank[verdict._tag] > rank[best._tag]

/** What can be said before the arguments are known. */
export const beforehand = (policy: Any, principal: PrincipalData): Verdict =>
  evaluate(policy, { principal, input: notKnown, answers: undefined }, true)

/** What can be said of a call without running an Effect. */
export const atOnce = (policy: Any, principal: PrincipalData, input: unknown): Verdict =>
  evaluate(policy, { principal, input, answers: undefined }, true)

/** Asks one test after the other, as long as an answer could allow the call. */
export const decide = <Input, R>(
  policy: Policy<Input, R>,
  principal: PrincipalData,
  input: Input
): Effect.Effect<Decision, never, R> => conclude(policy, { principal, input, answers: undefined })

const conclude = <Input, R>(policy: Policy<Input, R>, question: Question): Effect.Effect<Decision, never, R> => {
  const verdict = evaluate(policy, question, true)
  if (verdict._tag !== "Open") return Effect.succeed(verdict)
  const { ask, predicate } = verdict
  return Effect.flatMap(run(predicate, ask as Effect.Effect<unknown, unknown, R>), (exit) => {
    question.answers?.set(predicate, exit)
    return conclude(policy, question)
  })
}

const answerOf = (predicate: Predicate<never, unknown>, question: Question): Answer | undefined => {
  if (question.input === notKnown) return undefined
  question.answers ??= new Map()
  const known = question.answers.get(predicate)
  if (known !== undefined) return known
  const answer = test(predicate, question.principal, question.input)
  question.answers.set(predicate, answer)
  return answer
}

const test = (predicate: Predicate<never, unknown>, principal: PrincipalData, input: unknown): Answer => {
  try {
    // The tool's type has tied the input of its predicates to the schema that decoded it.
    const given: unknown = predicate.test(principal, input as never)
    if (!Effect.isEffect(given)) return checked(predicate, Exit.succeed(given))
    return Exit.isExit(given) ? checked(predicate, given) : given
  } catch (error) {
    return Exit.die(error)
  }
}

/** A promise is true to JavaScript, and its negation false: neither may decide, whatever a cast has let through. */
const checked = ({ sentence }: Predicate<never, unknown>, exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) || typeof exit.value === "boolean"
    ? exit
    : Exit.die(new TypeError(`The test of "${sentence}" gave no boolean`))

/** Runs a test to its exit. One that can't be interrupted is left behind when its time is over. */
const run = <R>(predicate: Predicate<never, unknown>, ask: Effect.Effect<unknown, unknown, R>) =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.forkDetach(ask, { startImmediately: true }), (fiber) => {
      const done = fiber.pollUnsafe()
      if (done !== undefined) return Effect.succeed(checked(predicate, done))
      return Effect.timeoutOption(Fiber.await(fiber), predicate.timeout).pipe(
        Effect.interruptible,
        Effect.map(Option.match({ onNone: () => timedOut(predicate), onSome: (exit) => checked(predicate, exit) })),
        Effect.ensuring(Effect.sync(() => fiber.interruptUnsafe()))
      )
    })
  )

const timedOut = ({ sentence, timeout }: Predicate<never, unknown>): Exit.Exit<never, TransientError> =>
  Exit.fail(
    new TransientError({ message: `"${sentence}" was not answered within ${Duration.format(timeout)}`, applied: "no" })
  )
