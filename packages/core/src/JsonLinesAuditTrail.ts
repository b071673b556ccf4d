/**
 * Keeps audit records in files of a folder, one JSON object a line, through Node's file system.
 *
 * Each process writes files of its own, named `<prefix>-<time>-<process>-<count>.jsonl`, and begins another when one is
 * full or old; several processes may share a folder. A line counts as kept once it has reached the disk. Only a process
 * that was killed leaves a last line without an end, which had not counted. Files are made for their owner's eyes only (mode
 * 600). None is deleted unless `maxFiles` says so.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as AuditSink from "./AuditSink.ts"
import { type AuditRecord, AuditTrailError } from "./AuditTrail.ts"
import * as AuditFiles from "./internal/AuditFiles.ts"

/**
 * - `folder`: where the files are; it must exist.
 * - `prefix`: what their names begin with, `audit` unless given.
 * - `maxSize`: how many bytes a file may have, 64 MiB unless given. A record that is longer has a file to itself.
 * - `maxAge`: how long records are added to a file, 1 day unless given.
 * - `maxFiles`: how many files are kept; the oldest of the folder are deleted, which is logged. All unless given: then a disk
 *   that fills up is what `whenDown` is for.
 * - `durability`: what a record survives once it counts as kept. `"power-loss"` (default) waits for the disk. `"process"`
 *   does not: it survives the end of the process, and not a crash of the system.
 * - `whenDown`: what happens while the files can't be written, `"refuse"` unless given.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  readonly folder: string
  readonly prefix?: string
  readonly maxSize?: number
  readonly maxAge?: Duration.Input
  readonly maxFiles?: number
  readonly durability?: "power-loss" | "process"
  readonly whenDown?: AuditSink.WhenDown
}

/**
 * Makes the first file, and keeps records until the layer's scope closes. Fails when the folder is not there or can't be
 * written; the error says what to do.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never, AuditTrailError> =>
  AuditSink.layer(make(options), { whenDown: options.whenDown ?? "refuse" })

/**
 * Makes the sink, for a trail with more than one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options: Options) => Effect.Effect<AuditSink.AuditSink, AuditTrailError, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const clock = yield* Clock.Clock
    const context = yield* Effect.context<never>()
    const { folder, maxFiles = Infinity, maxSize = 64 * 1024 * 1024, prefix = "audit" } = options
    if (!/^[A-Za-z0-9._-]+$/.test(prefix)) {
      return yield* new AuditTrailError({ reason: "The prefix of audit files is of letters, digits, dots, _ and -" })
    }
    if (!(maxFiles >= 1) || !(maxSize >= 1)) {
      return yield* new AuditTrailError({ reason: "maxFiles and maxSize of audit files are numbers from 1" })
    }
    const attempt = <A>(run: () => Promise<A>) => Effect.tryPromise({ try: run, catch: describe(folder) })
    const files = yield* Effect.acquireRelease(
      attempt(() =>
        AuditFiles.make({
          folder,
          prefix,
          maxFiles,
          maxSize,
          maxAge: Duration.toMillis(options.maxAge ?? "1 day"),
          isSynced: options.durability !== "process",
          now: () => clock.currentTimeMillisUnsafe(),
          onPruned: (names, fault) => {
            const log =
              fault === undefined
                ? Effect.logInfo(`Audit files were deleted, to keep ${maxFiles}`, names)
                : Effect.logWarning("An old audit file could not be deleted", describe(folder)(fault))
            Effect.runForkWith(context)(log)
          }
        })
      ),
      (files) => Effect.ignore(attempt(files.close))
    )

    let isBusy = false
    return {
      append: (records) =>
        Effect.suspend(() => {
          // A disk that stands still may still write what it was given, and two must not write to one file.
          if (isBusy) return Effect.fail(stalled(folder))
          isBusy = true
          return attempt(() => files.append(records.map(lineOf).join("")).finally(() => (isBusy = false)))
        })
    }
  })

const lineOf = ({ time, ...record }: AuditRecord): string =>
  JSON.stringify({ time: DateTime.formatIso(DateTime.makeUnsafe(time)), ...record }) + "\n"

const describe =
  (folder: string) =>
  (cause: unknown): AuditTrailError => {
    const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : ""
    return new AuditTrailError({ reason: `${folder} ${faults[code] ?? faults["EIO"]}`, cause })
  }

const stalled = (folder: string) =>
  new AuditTrailError({ reason: `${folder} is on a disk that does not answer. Check the disk.` })

const rights = "cannot be written. Give the process the right to write it, or give another folder."
const full = "is on a disk that is full. Free some space."
const faults: { readonly [code: string]: string } = {
  ENOENT: "is not there. Make the folder, or give another one.",
  ENOTDIR: "is not a folder. Give another one.",
  EACCES: rights,
  EPERM: rights,
  EROFS: rights,
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: "has a file as large as this process may write. Raise its limit, or give a smaller maxSize.",
  EMFILE: "can't have another file open. Raise the number that the process may have open.",
  EIO: "is on a disk that failed to read or write. Check the disk."
}
