/**
 * The records that both sides write: as large as those of the pipeline, with a result of 300 characters.
 */
import { hash, randomUUID } from "node:crypto"

const seed = randomUUID()
let count = 0

/** A key that was never used, in random order as hashes are. */
export const newKey = (): string => hash("sha256", `${seed}${++count}`, "base64url")

/** The pipeline's form of one: a random name and a count. */
export const newOwner = (): string => `${seed}:${count}`

export const guards = "amount:4Xb0mY2rVqe;currency:p0QkT1cXaWs;note:zR8uJ5nLd3o;"

export const result = JSON.stringify({ format: 1, doneAt: 1_790_000_000_000, result: { text: "x".repeat(238) } })

export const leaseMillis = 38_500

export const retentionMillis = 24 * 60 * 60 * 1000

/** How many settled records the replays go around. */
export const replayed = 1000

/** Ends a window with an error: a store that answers wrong has no speed. */
export const wrong = (what: string): never => {
  throw new Error(`the store answered wrong: ${what}`)
}
