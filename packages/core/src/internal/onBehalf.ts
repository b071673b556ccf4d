/**
 * The right to act for the caller of a call, for as long as a handler of that call runs.
 *
 * A handler's context has it in the place of the caller's token, and sees an object without any content. What it stands
 * for is in private fields, which nothing reads but `subjectOf`; no package export leads there. It says itself who the
 * caller is, since a handler could provide another `Principal`, and it is void once the handler has ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { PrincipalData } from "../Principal.ts"
import { CallerToken, takenFrom } from "./callerToken.ts"

export interface Subject {
  readonly principal: PrincipalData
  readonly token: Redacted.Redacted<string>
}

let read: (right: Right) => Subject | undefined
let end: (right: Right) => void

class Right {
  #subject: Subject | undefined
  constructor(subject: Subject) {
    this.#subject = subject
  }
  static {
    read = (right) => right.#subject
    end = (right) => {
      right.#subject = undefined
    }
  }
}

/** None in a call that came without a token, and outside of calls. */
const OnBehalf = Context.Reference<Right | undefined>("@ferrule/core/internal/onBehalf", {
  defaultValue: () => undefined
})

/** Runs what belongs to a handler with the right to act for the caller, where the call has a token, and without the token. */
export const instead = <A, E, R>(effect: Effect.Effect<A, E, R>, principal: PrincipalData): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const token = Option.getOrUndefined(fiber.getRef(CallerToken))
    if (token === undefined) return effect
    const right = new Right({ principal, token })
    return Effect.ensuring(
      Effect.updateContext(effect, (context: Context.Context<R>) => Context.add(takenFrom(context), OnBehalf, right)),
      Effect.sync(() => end(right))
    )
  })

/** Whom the running handler may act for. */
export const subjectOf: Effect.Effect<Subject | undefined> = Effect.withFiber((fiber) => {
  const right = fiber.getRef(OnBehalf)
  return Effect.succeed(right && read(right))
})
