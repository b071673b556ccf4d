/**
 * The lock file: what a connector's tools were when they were last looked at, and the SHA-256 of each.
 *
 * It holds the definitions themselves, so that a drift can be told in words. A file that is damaged, of something else or
 * of a newer version is refused with one sentence.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import { basename, dirname, join } from "node:path"
import { writeWhole } from "../internal/output.ts"
import type { Subject } from "../internal/Subject.ts"
import { Unusable } from "../internal/Unusable.ts"
import { version as ferrule } from "../version.ts"
import * as Definition from "./Definition.ts"

const Sha256 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))

/** Counts up when an older command could not read what a newer one writes. */
const present = 1

const Locked = Schema.Struct({ sha256: Sha256, definition: Definition.Definition })

export const Lock = Schema.Struct({
  lockVersion: Schema.Literal(present),
  /** The version of the command that wrote it. */
  ferrule: Schema.String,
  connector: Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    instructions: Schema.optionalKey(Schema.String)
  }),
  /** Over the connector's name, its instructions and every tool. */
  sha256: Sha256,
  tools: Schema.Record(Schema.String, Locked)
})
export type Lock = typeof Lock.Type

/** Locks what is there now. */
export const ofSubject = ({ instructions, name, tools, version }: Subject): Lock =>
  ofDefinitions({ name, version, ...(instructions !== undefined && { instructions }) }, tools.map(Definition.ofTool))

/** Locks definitions, in the order of their names. */
export const ofDefinitions = (
  connector: Lock["connector"],
  definitions: ReadonlyArray<Definition.Definition>
): Lock => {
  const tools = Object.fromEntries(
    [...definitions]
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .map((definition) => [definition.name, { sha256: Definition.sha256(definition), definition }])
  )
  return { lockVersion: present, ferrule, connector, sha256: sumOf(connector, tools), tools }
}

/** The version is none of it: a release that changes nothing else is the same connector. */
const sumOf = ({ instructions, name }: Lock["connector"], tools: Lock["tools"]) =>
  Definition.sha256({
    name,
    ...(instructions !== undefined && { instructions }),
    tools: Object.fromEntries(Object.entries(tools).map(([tool, { sha256 }]) => [tool, sha256]))
  })

/** Names the lock file of a module: beside it. */
export const pathOf = (module: string): string => join(dirname(module), "ferrule.lock.json")

/** Reads a lock file, or gives undefined where there is none. */
export const read = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const text = yield* files.readFileString(path).pipe(
    Effect.catchReason("PlatformError", "NotFound", () => Effect.undefined),
    Effect.mapError((cause) => new Unusable({ message: `${path} can't be read: ${cause.message}`, cause }))
  )
  return text === undefined ? undefined : yield* decode(text, path)
})

/** Reads the text of a lock file. */
export const decode = Effect.fnUntraced(function* (text: string, path: string) {
  const refused = (what: string) =>
    new Unusable({
      message: `${path} ${what}. Restore it from version control, or remove it and run ferrule lock to accept what is there now.`
    })
  const json = yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: () => refused("is not JSON") })
  const written = versionOf(json)
  if (written === undefined) return yield* refused("is no lock file of ferrule")
  if (written > present) {
    return yield* new Unusable({
      message: `${path} was written by a newer ferrule (its lockVersion is ${written}, and this one reads ${present}). Update @ferrule/cli.`
    })
  }
  const lock = yield* decodeLock(json).pipe(
    Effect.mapError(() => refused("is damaged: it is not of the form that ferrule lock writes"))
  )
  const changed = Object.entries(lock.tools).find(
    ([name, { definition, sha256 }]) => name !== definition.name || sha256 !== Definition.sha256(definition)
  )
  if (changed !== undefined)
    return yield* refused(`was changed by hand: the SHA-256 of ${changed[0]} is not that of its definition`)
  if (lock.sha256 !== sumOf(lock.connector, lock.tools)) {
    return yield* refused("was changed by hand: its SHA-256 is not that of its tools and instructions")
  }
  return lock
})

const decodeLock = Schema.decodeUnknownEffect(Lock, { onExcessProperty: "error" })

const versionOf = (json: unknown): number | undefined =>
  typeof json === "object" && json !== null && "lockVersion" in json && Number.isInteger(json.lockVersion)
    ? (json.lockVersion as number)
    : undefined

/** The text of a lock file. */
export const textOf = (lock: Lock): string => `${JSON.stringify(lock, null, 2)}\n`

/** Writes the lock file whole, or leaves the one that is there. */
export const write = (path: string, lock: Lock) => writeWhole(path, textOf(lock))

/** Refuses a lock file that is another connector's. */
export const ofConnector = (lock: Lock, name: string, path: string) =>
  lock.connector.name === name
    ? Effect.succeed(lock)
    : new Unusable({
        message: `${path} is of the connector ${lock.connector.name}, and this one is ${name}. Name its own with --lock-file, or remove ${basename(path)} if that connector is gone.`
      })
