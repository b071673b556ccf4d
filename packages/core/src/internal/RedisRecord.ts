/**
 * Decodes the record that a script has found in Redis.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type { Existing, Unreadable } from "../IdempotencyStore.ts"

/** Decodes what is under a key's name, at a time of the server's clock. */
export const decode = (name: string, now: number, found: ReadonlyArray<unknown>): Existing | Unreadable => {
  const decoded = decodeFields(found)
  if (Result.isFailure(decoded)) return unreadable(name, found[0])
  const record = decoded.success
  const [, state, owner, epoch, guards, createdAt] = record
  return {
    _tag: "Existing",
    state,
    owner,
    epoch,
    guards,
    lapsed: record[1] === "claimed" && record[7] <= now,
    createdAt,
    result: record[1] === "settled" ? record[8] : undefined,
    settledAt: record[1] === "settled" ? record[9] : undefined
  }
}

const Whole = Schema.String.check(Schema.isPattern(/^[0-9]{1,15}$/)).pipe(
  Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString)
)

/** The fields that every record has, in the order of `RedisScripts.fields`. */
const recordIn = <State extends Existing["state"]>(state: State) =>
  [Schema.Literal("1"), Schema.Literal(state), Schema.String, Whole, Schema.String, Whole, Whole] as const

// What does not count in a state may be left behind.
const decodeFields = Schema.decodeUnknownResult(
  Schema.Union([
    Schema.Tuple([...recordIn("claimed"), Whole, Schema.Unknown, Schema.Unknown]),
    Schema.Tuple([...recordIn("unknown"), Schema.Unknown, Schema.Unknown, Schema.Unknown]),
    Schema.Tuple([...recordIn("settled"), Schema.Unknown, Schema.String, Whole])
  ])
)

// Neither the record nor the decoder's words are in the text, since a result may hold secrets.
const unreadable = (name: string, format: unknown): Unreadable => ({
  _tag: "Unreadable",
  reason: `The Redis key ${name} ${
    typeof format !== "string"
      ? "holds what is no record of the store. Nothing was executed. Give the store a prefix that no other program uses, " +
        "or delete the key once you know that repeating the write does no harm."
      : /^([2-9]|[1-9][0-9]+)$/.test(format)
        ? "was written by a newer version. Nothing was executed. Run the newer version on every instance."
        : "holds a damaged record, and what became of its write cannot be read. Nothing was executed. Repair the record, " +
          "or delete the key once you know that repeating the write does no harm."
  }`
})
