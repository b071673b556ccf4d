/**
 * What has left a connector, by whichever way, and the faults that secrets in it are.
 */
import type { Answer, Instance, Secret } from "./Bench.ts"
import type { Fault } from "./Check.ts"
import { leaksIn } from "./leaks.ts"
import { tally } from "./tally.ts"

/** A text that left, and the way that it took. */
export interface Left {
  readonly way: string
  readonly text: string
  readonly subject: string
}

/** Never says the secret, since the report is filed. */
export const faultsIn = (left: ReadonlyArray<Left>, secrets: ReadonlyArray<Secret>, when = ""): ReadonlyArray<Fault> =>
  tally(
    left.flatMap(({ subject, text, way }) =>
      leaksIn(text, secrets).map(({ form, what }) => ({
        subject,
        message: `lets out ${what}, ${form}, in the ${way}${when}`
      }))
    )
  )

export const outputOf = ({ output }: Instance, from: number, subject: string): ReadonlyArray<Left> =>
  output.slice(from).map(({ text, way }) => ({ way, text, subject }))

export const answerOf = ({ headers, text }: Answer, subject: string): Left => ({
  way: "answer",
  subject,
  text: `${text}\n${[...headers].flat().join("\n")}`
})
