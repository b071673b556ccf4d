/**
 * Decodes the record that a script has found in Redis.
 */
import type { Existing, Unreadable } from "../IdempotencyStore.ts"

/** The owner as it stands in a record, and as the scripts take it. */
export const ownerText = (owner: string): string => `${owner.length} ${owner} `

/** Decodes the two fields that are under a key's name, at a time of the server's clock. One that is missing is null. */
export const decode = (name: string, now: number, text: unknown, result: unknown): Existing | Unreadable => {
  const parts = typeof text === "string" ? format.exec(text) : null
  if (parts === null) return unreadable(name, text)
  const [, state, epoch, createdAt, since, lease, length, rest] = parts
  const end = Number(length)
  const settled = state === "settled"
  if (rest[end] !== " " || (settled && typeof result !== "string")) return unreadable(name, text)
  return {
    _tag: "Existing",
    state: state as Existing["state"],
    owner: rest.slice(0, end),
    epoch: Number(epoch),
    guards: rest.slice(end + 1),
    lapsed: state === "claimed" && Number(since) + Number(lease) <= now,
    createdAt: Number(createdAt),
    // What does not count in a state may be left behind.
    result: settled ? (result as string) : undefined,
    settledAt: settled ? Number(since) : undefined
  }
}

/** As `RedisScripts` writes it. */
const format = /^2 (claimed|settled|unknown) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,15}) \d{1,15} (\d{1,15}) (.*)$/s

// Neither the record nor the decoder's words are in the text, since a result may hold secrets.
const unreadable = (name: string, text: unknown): Unreadable => ({
  _tag: "Unreadable",
  reason: `The Redis key ${name} ${
    typeof text !== "string"
      ? "holds what is no record of the store. Nothing was executed. Give the store a prefix that no other program uses, " +
        "or delete the key once you know that repeating the write does no harm."
      : /^([3-9]|[1-9][0-9]+) /.test(text)
        ? "was written by a newer version. Nothing was executed. Run the newer version on every instance."
        : /^(claimed|settled|unknown)$/.test(text)
          ? "was written by an older version. Nothing was executed. Redis drops the key at the end of its retention; delete " +
            "it before only once you know that repeating the write does no harm."
          : "holds a damaged record, and what became of its write cannot be read. Nothing was executed. Repair the record, " +
            "or delete the key once you know that repeating the write does no harm."
  }`
})
