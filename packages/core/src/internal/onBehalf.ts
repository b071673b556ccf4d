/**
 * The right to act for the caller of a call, for as long as a handler of that call runs.
 *
 * A handler's context has it in the place of the token that proved the caller, which is nowhere an author's code can reach:
 * an object without any content. What it stands for is in private fields, which nothing reads but `subjectOf`, for what
 * exchanges the token for one that an upstream takes (RFC 8693); no package export leads there. It says itself who the caller
 * is, since a handler could provide another `Principal`, and it is void once the handler has ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { PrincipalData } from "../Principal.ts"

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

/** Runs what belongs to a handler with the right to act for its caller. */
export const provide = <A, E, R>(effect: Effect.Effect<A, E, R>, caller: Subject): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const right = new Right(caller)
    return Effect.ensuring(
      Effect.provideService(effect, OnBehalf, right),
      Effect.sync(() => end(right))
    )
  })

/** Whom the running handler may act for. */
export const subjectOf: Effect.Effect<Subject | undefined> = Effect.withFiber((fiber) => {
  const right = fiber.getRef(OnBehalf)
  return Effect.succeed(right && read(right))
})
