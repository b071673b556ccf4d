/**
 * Visitor badges, issued once each: what is issued is a line in `badges.txt`.
 */
import { Connector, Policy, Tool, TransientError } from "@ferrule/core"
import { Effect, Option, Schema } from "effect"
import { randomInt } from "node:crypto"
import { appendFile, readFile } from "node:fs/promises"
import { join } from "node:path"

const Day = Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/)).annotate({
  description: "A day, as 2026-05-01."
})
const Visitor = Schema.String.check(Schema.isPattern(/^[A-Za-z .'-]{1,60}$/)).annotate({
  description: "The visitor's name in Latin letters."
})
const Badge = Schema.Struct({
  visitor: Visitor,
  badge: Schema.Int.check(Schema.isBetween({ minimum: 100_000, maximum: 999_999 })).annotate({
    description: "The number on the badge."
  })
})

const ListBadges = Tool.read("list_badges", {
  title: "List badges",
  description: "Returns the badges of one day, in the order of their issue. Use it to check. It can't search by name.",
  input: Schema.Struct({ day: Day }),
  output: Schema.Struct({ badges: Schema.Array(Badge).annotate({ description: "The latest 500." }) }),
  allow: Policy.role("reception")
})
const IssueBadge = Tool.write("issue_badge", {
  title: "Issue a badge",
  description: "Issues a visitor's badge for one day. Use it once the visitor has arrived. It can't take a badge back.",
  input: Schema.Struct({ visitor: Visitor, day: Day }),
  output: Badge,
  allow: Policy.role("reception"),
  idempotency: { identity: ["visitor", "day"], recovery: "reconcile" },
  destructive: false
})
export const Badges = Connector.make("badges", {
  version: "1.0.0",
  tools: [ListBadges, IssueBadge],
  // A door lets in fewer.
  rateLimit: { limit: 120, window: "1 minute" }
})

/** The handlers over the list in this folder. */
export const handlersIn = (folder: string) => {
  const file = join(folder, "badges.txt")
  const issued = (day: string) =>
    Effect.tryPromise({
      try: () => readFile(file, { encoding: "utf8", flag: "a+" }),
      catch: () => new TransientError({ message: "The list of badges can't be read", applied: "no" })
    }).pipe(
      Effect.map((text) =>
        text
          .split("\n")
          .map((line) => line.split("\t"))
          .filter((entry) => entry[0] === day)
          .map(([, visitor, badge]) => ({ visitor, badge: Number(badge) }))
      )
    )
  return Badges.toLayer({
    list_badges: ({ day }) => Effect.map(issued(day), (badges) => ({ badges: badges.slice(-500) })),
    issue_badge: {
      find: ({ day, visitor }) =>
        Effect.map(issued(day), (badges) => Option.fromUndefinedOr(badges.find((badge) => badge.visitor === visitor))),
      execute: ({ day, visitor }) => {
        const badge = randomInt(100_000, 1_000_000)
        return Effect.tryPromise({
          try: () => appendFile(file, `${day}\t${visitor}\t${badge}\n`),
          catch: () => new TransientError({ message: "The list of badges can't be written", applied: "unknown" })
        }).pipe(Effect.as({ visitor, badge }))
      }
    }
  })
}
