/**
 * What a verb in a name says that a tool does: reads, writes, or takes away.
 */

export type Effect = "read" | "write" | "destroy"

const words = (effect: Effect, list: string): ReadonlyArray<readonly [string, Effect]> =>
  list.split(/\s+/).map((word) => [word, effect])

const effects = new Map([
  ...words(
    "read",
    "get read list search find fetch lookup query show view describe count browse retrieve head options"
  ),
  ...words(
    "write",
    `create add insert update edit modify change set put post patch send reply mail upload publish save store assign reassign
     approve reject rename move merge append upsert submit schedule enable disable grant write transfer pay charge refund`
  ),
  ...words("destroy", "delete remove purge drop erase destroy wipe truncate overwrite")
])

/** The first verb of a name decides: `read_delete_log` reads. */
export const effectOf = (name: string): Effect | undefined => {
  for (const word of wordsOf(name)) {
    const effect = effects.get(word)
    if (effect !== undefined) return effect
  }
  return undefined
}

export const wordsOf = (name: string): ReadonlyArray<string> =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "")
